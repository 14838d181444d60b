/* The products of every kind of kernels against plain sums. In bf16 the operands are rounded first, and the
 * sums are as exact as in f32. */
#include "lib/nn/kernels/onednn_tiles.h"
#include "lib/nn/kernels/products.h"
#include "tests/unit/nn_fixture.h"

#include <string.h>

static const struct pst_arithmetic ways[] = {
    { .kernels = 0 },
    { .kernels = 1 },
    { .kernels = 1, .constant = true },
    { .kernels = 1, .precision = PST_BF16 },
    { .kernels = 1, .precision = PST_BF16, .constant = true },
};

/* The nearest number of 8 bits, as operands of bf16 are. */
static double rounded(const struct pst_arithmetic *way, float value)
{
    if (way->precision != PST_BF16)
        return (double)value;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000U;
    memcpy(&value, &bits, sizeof bits);
    return (double)value;
}

static float *random_floats(size_t count, uint64_t seed)
{
    float *values = needed(count, sizeof *values);
    fill_random(values, count, 1, seed);
    return values;
}

static void assert_near(const float *values, const double *sums, size_t count, double depth, const char *what)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)values[i] - sums[i]) <= 1e-5 * sqrt(depth) * 4))
            fail_msg("%s: element %zu is %.9g, expected %.9g", what, i, (double)values[i], sums[i]);
}

/* A product is kept under its layer's address, so each check has kernels of its own. */
static struct pst_kernels open_kernels(const struct pst_arithmetic *way)
{
    struct pst_kernels kernels;
    assert_int_equal(pst_kernels_open(&kernels, way, NULL), PST_OK);
    return kernels;
}

/* ---- dense ------------------------------------------------------------------------------------------- */

/* The three products of a layer, plainly. */
static void plain_dense(const struct pst_arithmetic *way, const struct pst_dense_product *p,
                        const float *inputs, const float *gradient, double *outputs, double *input_gradient,
                        double *weight_gradient)
{
    for (size_t s = 0; s < p->n; s++)
        for (size_t o = 0; o < p->out; o++)
            for (size_t i = 0; i < p->in; i++) {
                double x = rounded(way, inputs[s * p->in + i]), w = rounded(way, p->weight[o * p->in + i]),
                       g = rounded(way, gradient[s * p->out + o]);
                outputs[s * p->out + o] += x * w;
                input_gradient[s * p->in + i] += g * w;
                weight_gradient[o * p->in + i] += g * x;
            }
}

/* Which inputs are 0: the same in all samples, or here and there. */
enum zeros { NO_INPUT, SOME_INPUTS, THE_FIRST_1000, ALL_INPUTS, MOST_INPUTS };

static void clear_inputs(float *inputs, size_t n, size_t in, enum zeros zeros)
{
    for (size_t i = 0; i < n * in; i++) {
        size_t input = i % in;
        if ((zeros == SOME_INPUTS && input * 5 % 7 < 5) || (zeros == THE_FIRST_1000 && input < 1000) ||
            (zeros == MOST_INPUTS && i * 37 % 101 < 90) || zeros == ALL_INPUTS)
            inputs[i] = 0;
    }
}

static void check_dense(const struct pst_arithmetic *way, size_t n, size_t in, size_t out, enum zeros zeros)
{
    struct pst_kernels opened = open_kernels(way), *kernels = &opened;
    struct pst_layer layer = { 0 };
    float *weight = random_floats(out * in, 1), *inputs = random_floats(n * in, 2),
          *gradient = random_floats(n * out, 3);
    clear_inputs(inputs, n, in, zeros);
    const struct pst_dense_product product = {
        .layer = &layer, .n = n, .in = in, .out = out, .weight = weight
    };
    float *outputs = needed(n * out, sizeof *outputs), *input_gradient = needed(n * in, sizeof *outputs),
          *weight_gradient = needed(out * in, sizeof *outputs);
    double *sums[] = { needed(n * out, sizeof(double)), needed(n * in, sizeof(double)),
                       needed(out * in, sizeof(double)) };
    plain_dense(way, &product, inputs, gradient, sums[0], sums[1], sums[2]);
    for (int again = 0; again < 2; again++) {
        kernels->type->forward(kernels, &product, inputs, outputs);
        kernels->type->input_gradient(kernels, &product, gradient, input_gradient);
        kernels->type->weight_gradient(kernels, &product, gradient, inputs, weight_gradient);
        assert_int_equal(kernels->status, PST_OK);
        assert_near(outputs, sums[0], n * out, (double)in, "outputs");
        assert_near(input_gradient, sums[1], n * in, (double)out, "input gradient");
        assert_near(weight_gradient, sums[2], out * in, (double)n, "weight gradient");
        memset(outputs, 0xff, n * out * sizeof *outputs);
        memset(weight_gradient, 0xff, out * in * sizeof *outputs);
    }
    float *const all[] = { weight, inputs, gradient, outputs, input_gradient, weight_gradient };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    for (size_t i = 0; i < 3; i++)
        free(sums[i]);
    pst_kernels_close(kernels);
}

/* A product with what follows it, if its kernels do it, has the bits of both done one after the other. */
static void check_finishing(const struct pst_arithmetic *way, bool has_bias, bool relu)
{
    enum { N = 70, IN = 131, OUT = 101 };
    struct pst_kernels opened = open_kernels(way), *kernels = &opened;
    struct pst_layer layer = { 0 };
    float *weight = random_floats(OUT * IN, 1), *inputs = random_floats(N * IN, 2),
          *bias = random_floats(OUT, 3), *plain = needed(N * OUT, sizeof *plain),
          *finished = needed(N * OUT, sizeof *finished);
    struct pst_finishing finishing = { .bias = has_bias ? bias : NULL, .relu = relu };
    struct pst_dense_product product = { .layer = &layer, .n = N, .in = IN, .out = OUT, .weight = weight };
    kernels->type->forward(kernels, &product, inputs, plain);
    product.finishing = &finishing;
    kernels->type->forward(kernels, &product, inputs, finished);
    assert_int_equal(kernels->status, PST_OK);
    for (size_t i = 0; finishing.done && i < N * OUT; i++) {
        plain[i] += has_bias ? bias[i % OUT] : 0;
        plain[i] = relu && plain[i] < 0 ? 0 : plain[i];
    }
    assert_memory_equal(finished, plain, N * OUT * sizeof *plain);
    float *const all[] = { weight, inputs, bias, plain, finished };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    pst_kernels_close(kernels);
}

/* ---- convolutions ------------------------------------------------------------------------------------ */

/* Where a product of a convolution finds its three numbers; false: it reaches beyond the maps. */
struct place {
    size_t input, output, weight;
};

/* Where an element of maps is. */
static size_t element_of(const struct pst_convolution *c, size_t s, size_t maps, size_t map,
                         const size_t size[2], const size_t at[2])
{
    return c->channels_last ? ((s * size[0] + at[0]) * size[1] + at[1]) * maps + map
                            : ((s * maps + map) * size[0] + at[0]) * size[1] + at[1];
}

static bool find_place(const struct pst_convolution *c, size_t s, size_t map, size_t channel,
                       const size_t at[2], const size_t under[2], struct place *place)
{
    const struct pst_window *w = c->window;
    size_t channels = c->channels / c->groups, group = map / (c->maps / c->groups), from[2];
    for (size_t side = 0; side < 2; side++) {
        from[side] = at[side] * w->stride[side] + under[side] * w->dilation[side];
        if (from[side] < w->pad[side] || from[side] - w->pad[side] >= w->in[side])
            return false;
        from[side] -= w->pad[side];
    }
    *place =
        (struct place){ element_of(c, s, c->channels, group * channels + channel, w->in, from),
                        element_of(c, s, c->maps, map, w->out, at),
                        ((map * channels + channel) * w->kernel[0] + under[0]) * w->kernel[1] + under[1] };
    return true;
}

static void plain_map(const struct pst_arithmetic *way, const struct pst_convolution *c, size_t s, size_t map,
                      const float *inputs, const float *gradient, double *const sums[3])
{
    const struct pst_window *w = c->window;
    size_t channels = c->channels / c->groups, kernel = w->kernel[0] * w->kernel[1];
    for (size_t at = 0; at < w->out[0] * w->out[1]; at++)
        for (size_t i = 0; i < channels * kernel; i++) {
            struct place place;
            const size_t out[2] = { at / w->out[1], at % w->out[1] };
            const size_t under[2] = { i % kernel / w->kernel[1], i % kernel % w->kernel[1] };
            if (!find_place(c, s, map, i / kernel, out, under, &place))
                continue;
            double x = rounded(way, inputs[place.input]), k = rounded(way, c->weight[place.weight]),
                   g = rounded(way, gradient[place.output]);
            sums[0][place.output] += x * k;
            sums[1][place.input] += g * k;
            sums[2][place.weight] += g * x;
        }
}

static void check_convolution(const struct pst_arithmetic *way, struct pst_convolution c)
{
    struct pst_kernels opened = open_kernels(way), *kernels = &opened;
    struct pst_layer layer = { 0 };
    const struct pst_window *w = c.window;
    size_t in = c.n * c.channels * w->in[0] * w->in[1], out = c.n * c.maps * w->out[0] * w->out[1],
           weights = c.maps * (c.channels / c.groups) * w->kernel[0] * w->kernel[1];
    float *weight = random_floats(weights, 1), *inputs = random_floats(in, 2),
          *gradient = random_floats(out, 3);
    float *outputs = needed(out, sizeof *outputs), *input_gradient = needed(in, sizeof *outputs),
          *weight_gradient = needed(weights, sizeof *outputs);
    double *const sums[3] = { needed(out, sizeof(double)), needed(in, sizeof(double)),
                              needed(weights, sizeof(double)) };
    c.layer = &layer;
    c.weight = weight;
    for (size_t i = 0; i < c.n * c.maps; i++)
        plain_map(way, &c, i / c.maps, i % c.maps, inputs, gradient, sums);
    kernels->type->convolve(kernels, &c, inputs, outputs);
    kernels->type->convolve_back(kernels, &c, gradient, inputs, NULL, weight_gradient);
    kernels->type->convolve_back(kernels, &c, gradient, inputs, input_gradient, weight_gradient);
    assert_int_equal(kernels->status, PST_OK);
    assert_near(outputs, sums[0], out, (double)weights, "maps");
    assert_near(input_gradient, sums[1], in, (double)weights, "gradient of maps");
    assert_near(weight_gradient, sums[2], weights, (double)(out * c.n), "gradient of weights");
    float *const all[] = { weight, inputs, gradient, outputs, input_gradient, weight_gradient };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    for (size_t i = 0; i < 3; i++)
        free(sums[i]);
    pst_kernels_close(kernels);
}

/* ---- tests ------------------------------------------------------------------------------------------- */

/* Calls check with every way that this build and this processor have. */
static void for_every_way(void (*check)(const struct pst_arithmetic *way))
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct pst_arithmetic arithmetic = ways[i];
        if (pst_arithmetic_settle(&arithmetic, NULL) == PST_OK)
            check(&arithmetic);
    }
}

static void dense_sizes(const struct pst_arithmetic *way)
{
    check_dense(way, 1, 1, 1, NO_INPUT);
    check_dense(way, 7, 17, 33, NO_INPUT);
    check_dense(way, 33, 131, 10, NO_INPUT);
    check_dense(way, 128, 100, 65, NO_INPUT);
    check_dense(way, 150, 1301, 50, NO_INPUT);
    check_dense(way, 65, 50, 1301, NO_INPUT);
    check_dense(way, 3, 300, 4099, NO_INPUT);
    check_dense(way, 521, 70, 49, NO_INPUT);
}

static void dense_products_are_the_plain_sums(void **state)
{
    (void)state;
    for_every_way(dense_sizes);
}

static void sparse_inputs(const struct pst_arithmetic *way)
{
    check_dense(way, 150, 1301, 50, SOME_INPUTS);
    check_dense(way, 150, 1301, 50, THE_FIRST_1000);
    check_dense(way, 150, 1500, 50, THE_FIRST_1000);
    check_dense(way, 70, 1301, 50, ALL_INPUTS);
    check_dense(way, 130, 701, 50, MOST_INPUTS);
    check_dense(way, 256, 60, 131, MOST_INPUTS);
    check_dense(way, 257, 61, 65, MOST_INPUTS);
    check_dense(way, 2, 3, 1, MOST_INPUTS);
    check_dense(way, 5, 33, 7, SOME_INPUTS);
    check_dense(way, 600, 133, 50, SOME_INPUTS);
}

static void inputs_that_are_0_change_no_sum(void **state)
{
    (void)state;
    for_every_way(sparse_inputs);
}

/* Samples whose inputs are mostly 0, alone and behind others, whose gradient is 0: all sums have the same
 * bits. */
static void check_company(const struct pst_arithmetic *way)
{
    enum { OTHERS = 8, N = 90, IN = 701, OUT = 83 };
    struct pst_kernels opened = open_kernels(way), *kernels = &opened;
    struct pst_layer layer = { 0 };
    float *weight = random_floats(OUT * IN, 1), *inputs = random_floats((OTHERS + N) * IN, 2),
          *gradient = random_floats((OTHERS + N) * OUT, 3), *outputs[2], *weight_gradient[2];
    clear_inputs(inputs + OTHERS * IN, N, IN, MOST_INPUTS);
    memset(gradient, 0, OTHERS * OUT * sizeof *gradient);
    for (size_t alone = 0; alone < 2; alone++) {
        size_t from = alone * OTHERS, n = OTHERS + N - from;
        const struct pst_dense_product product = {
            .layer = &layer, .n = n, .in = IN, .out = OUT, .weight = weight
        };
        outputs[alone] = needed((OTHERS + N) * OUT, sizeof(float));
        weight_gradient[alone] = needed(OUT * IN, sizeof(float));
        kernels->type->forward(kernels, &product, inputs + from * IN, outputs[alone] + from * OUT);
        kernels->type->weight_gradient(kernels, &product, gradient + from * OUT, inputs + from * IN,
                                       weight_gradient[alone]);
    }
    assert_int_equal(kernels->status, PST_OK);
    assert_memory_equal(outputs[0] + OTHERS * OUT, outputs[1] + OTHERS * OUT, N * OUT * sizeof(float));
    assert_memory_equal(weight_gradient[0], weight_gradient[1], OUT * IN * sizeof(float));
    float *const made[] = {
        weight, inputs, gradient, outputs[0], outputs[1], weight_gradient[0], weight_gradient[1]
    };
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        free(made[i]);
    pst_kernels_close(kernels);
}

static bool multiplies_by_tiles(const struct pst_arithmetic *way)
{
#ifdef PST_WITHOUT_ONEDNN
    (void)way;
    return false;
#else
    struct pst_kernels kernels = open_kernels(way);
    bool by_tiles = way->kernels > 0 && pst_tiles_multiply_for(&kernels);
    pst_kernels_close(&kernels);
    return by_tiles;
#endif
}

/* Tiles promise this; OpenBLAS and oneDNN choose their sums' order by the batch's size. */
static void products_with_many_zeros_have_the_bits_of_products_with_few(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct pst_arithmetic arithmetic = ways[i];
        if (pst_arithmetic_settle(&arithmetic, NULL) == PST_OK && multiplies_by_tiles(&arithmetic))
            check_company(&arithmetic);
    }
}

static void finishings(const struct pst_arithmetic *way)
{
    for (int relu = 0; relu < 2; relu++) {
        check_finishing(way, true, relu);
        check_finishing(way, false, relu);
    }
}

static void what_follows_a_product_changes_no_bit_of_it(void **state)
{
    (void)state;
    for_every_way(finishings);
}

static void convolution_kinds(const struct pst_arithmetic *way)
{
    const struct pst_window same = { { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 8, 8 }, { 8, 8 } },
                            odd = { { 3, 2 }, { 2, 1 }, { 1, 1 }, { 1, 2 }, { 7, 6 }, { 4, 6 } },
                            row = { { 1, 3 }, { 1, 1 }, { 0, 1 }, { 1, 1 }, { 1, 9 }, { 1, 9 } };
    if (way->kernels == 0)
        return; /* the layer computes convolutions itself */
    for (int last = 0; last < 2; last++) {
        check_convolution(way, (struct pst_convolution){ NULL, 5, 16, 32, 1, &same, NULL, last });
        check_convolution(way, (struct pst_convolution){ NULL, 2, 3, 5, 1, &same, NULL, last });
        check_convolution(way, (struct pst_convolution){ NULL, 3, 4, 6, 2, &odd, NULL, last });
        check_convolution(way, (struct pst_convolution){ NULL, 3, 6, 6, 6, &same, NULL, last });
        check_convolution(way, (struct pst_convolution){ NULL, 1, 1, 4, 1, &row, NULL, last });
    }
}

static void convolutions_are_the_plain_sums(void **state)
{
    (void)state;
    for_every_way(convolution_kinds);
}

static void many_sizes(const struct pst_arithmetic *way)
{
    struct pst_kernels opened = open_kernels(way), *kernels = &opened;
    struct pst_layer layer = { 0 };
    float *weight = random_floats((size_t)20 * 30, 1), *inputs = random_floats((size_t)64 * 30, 2),
          *alone = needed(20, sizeof *alone), *outputs = needed((size_t)64 * 20, sizeof *outputs);
    struct pst_dense_product product = { .layer = &layer, .n = 1, .in = 30, .out = 20, .weight = weight };
    kernels->type->forward(kernels, &product, inputs, alone);
    for (product.n = 64; product.n > 0; product.n--) {
        kernels->type->forward(kernels, &product, inputs, outputs);
        for (size_t i = 0; i < 20; i++)
            assert_true(fabsf(outputs[i] - alone[i]) < 1e-4F);
    }
    assert_int_equal(kernels->status, PST_OK);
    free(weight);
    free(inputs);
    free(alone);
    free(outputs);
    pst_kernels_close(kernels);
}

static void batches_of_many_sizes_are_answered_alike(void **state)
{
    (void)state;
    for_every_way(many_sizes);
}

static void openblas_refuses_bf16_and_auto_finds_what_there_is(void **state)
{
    (void)state;
    struct pst_error error;
    struct pst_arithmetic arithmetic = { .precision = PST_BF16 };
    assert_int_equal(pst_arithmetic_settle(&arithmetic, &error), PST_USAGE);
    assert_non_null(strstr(error.message, "--kernels onednn"));
    arithmetic.precision = PST_PRECISION_AUTO;
    assert_int_equal(pst_arithmetic_settle(&arithmetic, &error), PST_OK);
    assert_int_equal(arithmetic.precision, PST_F32);
    assert_null(pst_arithmetic_name(&arithmetic));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_products_are_the_plain_sums),
        cmocka_unit_test(inputs_that_are_0_change_no_sum),
        cmocka_unit_test(products_with_many_zeros_have_the_bits_of_products_with_few),
        cmocka_unit_test(what_follows_a_product_changes_no_bit_of_it),
        cmocka_unit_test(convolutions_are_the_plain_sums),
        cmocka_unit_test(batches_of_many_sizes_are_answered_alike),
        cmocka_unit_test(openblas_refuses_bf16_and_auto_finds_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
