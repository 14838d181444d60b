/* Networks in use, whose kernels go through several layers at once, against the same networks layer by layer.
 */
#include "lib/nn/kernels/products.h"
#include "tests/unit/nn_fixture.h"

#include <string.h>

/* layers: how many of the first ones kernels go through at once. */
static const struct {
    const char *architecture;
    size_t layers;
} all[] = {
    { "30-20-10", 2 },
    { "30-70", 1 },
    { "700-100-10", 2 },
    { "30-20-tanh-10", 0 },
    { "30-20-bn-relu-15-bn-10", 5 },
    { "30-20-relu-bn-10", 1 },
    { "30-bn-20-10", 0 },
    { "30-40-res(20-relu-40)-10", 1 },
    { "3x9x8-conv3x3:5-bn-relu-maxpool2-conv3x3:20-bn-relu-maxpool3,stride=2,pad=1-gap-7", 6 },
    { "3x8x8-conv3x3:16-relu-maxpool2-maxpool2-flatten-7", 3 },
    { "2x8x8-conv3x3:6-maxpool2-flatten-7", 1 },
    { "2x8x8-conv3x3:6,bias-bn-conv1x1:4-bn-relu-maxpool2-flatten-7", 5 },
    { "4x6x6-conv3x3:8,groups=2-bn-relu-depthwise3x3-bn-relu-conv1x1:8-leaky-gap-7", 4 },
    { "1x9x9-conv5:6,stride=2-bn-relu-conv1x1:1-relu-flatten-7-3", 6 },
    { "1x1x20-conv1x3:8-relu-maxpool1x2-flatten-3", 2 },
    { "2x8x8-maxpool2-conv3x3:6-relu-flatten-7", 0 },
    { "1x6x6-conv3x3:1-flatten-bn-relu-5", 1 },
    { "3x40x40-conv3x3:20-bn-relu-maxpool2-conv3x3:4-gap-7", 4 }, /* eight samples at a time */
    { "3x40x40-conv3x3:20-tanh-res(conv3x3:20)-gap-7", 0 },
};

static const int precisions[] = { PST_F32, PST_BF16 };

/* Statistics as batches could have left them: no variance is below 0. */
static void make_statistics(struct pst_network *network)
{
    for (size_t t = 0; t < network->tensor_count; t++)
        for (size_t j = 0; network->tensors[t]->follows > 0 && j < network->tensors[t]->count; j++)
            values_of(network, t)[j] = fabsf(values_of(network, t)[j]) + 0.5F;
}

/* Calls check for every network and precision, if this build and this processor have it. */
static void for_every_network(void (*check)(const struct pst_network *network, size_t layers,
                                            struct pst_arithmetic *arithmetic))
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct pst_network network;
        make_network(&network, all[i].architecture, 3);
        make_statistics(&network);
        for (size_t p = 0; p < 2; p++) {
            struct pst_arithmetic arithmetic = { .kernels = 1, .precision = precisions[p], .threads = 1 };
            if (pst_arithmetic_settle(&arithmetic, NULL) == PST_OK)
                check(&network, all[i].layers, &arithmetic);
        }
        pst_network_free(&network);
    }
}

static struct pst_workspace *workspace_of(const struct pst_network *network,
                                          const struct pst_arithmetic *arithmetic)
{
    struct pst_workspace *workspace;
    assert_int_equal(pst_workspace_new(&workspace, network, 150, false, arithmetic, NULL), PST_OK);
    return workspace;
}

/* The logits for n random samples, of which most inputs are 0 if n is even; owned by the caller. */
static float *logits_of(const struct pst_network *network, struct pst_workspace *workspace, size_t n)
{
    size_t count = n * pst_network_outputs(network);
    float *logits = needed(count, sizeof *logits);
    float *values = pst_workspace_input(workspace);
    fill_random(values, n * pst_network_inputs(network), 1, 5 + n);
    for (size_t i = 0; n % 2 == 0 && i < n * pst_network_inputs(network); i++)
        values[i] = i * 7 % 11 < 8 ? 0 : values[i];
    pst_forward(network, workspace, n);
    assert_int_equal(pst_workspace_check(workspace, NULL), PST_OK);
    memcpy(logits, pst_workspace_logits(workspace), count * sizeof *logits);
    return logits;
}

static void assert_alike(const struct pst_network *network, struct pst_workspace *one,
                         struct pst_workspace *other, size_t n, double tolerance)
{
    size_t count = n * pst_network_outputs(network);
    float *logits = logits_of(network, one, n), *expected = logits_of(network, other, n);
    double *exact = needed(count, sizeof *exact);
    copy_to_double(exact, expected, count);
    assert_close(logits, exact, count, tolerance);
    free(exact);
    free(expected);
    free(logits);
}

/* In bf16 other weights are rounded if normalisations are folded into them. */
static void check_logits(const struct pst_network *network, size_t layers, struct pst_arithmetic *arithmetic)
{
    (void)layers;
    static const size_t sizes[] = { 37, 1, 150, 37, 5, 6, 7, 37 };
    double tolerance = arithmetic->precision == PST_BF16 ? 0.03 : 1e-5;
    struct pst_workspace *one_by_one = workspace_of(network, arithmetic);
    arithmetic->constant = true;
    struct pst_workspace *at_once = workspace_of(network, arithmetic);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_alike(network, at_once, one_by_one, sizes[i], tolerance);
    pst_workspace_free(at_once);
    pst_workspace_free(one_by_one);
}

static void logits_are_those_of_layer_by_layer(void **state)
{
    (void)state;
    for_every_network(check_logits);
}

static void check_threads(const struct pst_network *network, size_t layers, struct pst_arithmetic *arithmetic)
{
    (void)layers;
    arithmetic->constant = true;
    struct pst_workspace *one = workspace_of(network, arithmetic);
    for (arithmetic->threads = 2; arithmetic->threads < 5; arithmetic->threads++) {
        struct pst_workspace *several = workspace_of(network, arithmetic);
        assert_alike(network, several, one, 37, 0);
        pst_workspace_free(several);
    }
    pst_workspace_free(one);
}

static void logits_are_the_same_bits_for_any_number_of_threads(void **state)
{
    (void)state;
    for_every_network(check_threads);
}

static void check_layers(const struct pst_network *network, size_t layers, struct pst_arithmetic *arithmetic)
{
    struct pst_kernels kernels;
    const struct pst_pass pass = {
        .n = 3, .room = 16, .channels_last = true, .parameters = network->parameters
    };
    float *inputs = needed(3 * pst_network_inputs(network), sizeof *inputs);
    arithmetic->constant = true;
    assert_int_equal(pst_kernels_open(&kernels, arithmetic, NULL), PST_OK);
    assert_int_equal(kernels.type->plan(&kernels, &network->chain, &pass, inputs), layers);
    static const float far[] = { 1e38F, -1e38F, INFINITY, NAN, -NAN };
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        inputs[i] = far[i];
        assert_int_equal(kernels.type->plan(&kernels, &network->chain, &pass, inputs), 0);
        inputs[i] = 0;
    }
    assert_int_equal(kernels.type->plan(&kernels, &network->chain, &pass, inputs), layers);
    free(inputs);
    pst_kernels_close(&kernels);
}

static void a_plan_ends_before_an_unknown_layer_and_is_not_used_for_inputs_that_may_overflow(void **state)
{
    (void)state;
    for_every_network(check_layers);
}

static void check_tap(const struct pst_network *network, size_t layers, struct pst_arithmetic *arithmetic)
{
    (void)layers;
    const struct pst_layer *first = &network->chain.layers[0];
    size_t count = 8 * pst_shape_elements(&first->out);
    float *outputs = needed(count, sizeof *outputs), *expected = needed(count, sizeof *expected);
    const struct pst_tap tap = { .layer = first, .outputs = outputs },
                         other = { .layer = first, .outputs = expected };
    struct pst_workspace *one_by_one = workspace_of(network, arithmetic);
    arithmetic->constant = true;
    struct pst_workspace *tapped = workspace_of(network, arithmetic);
    free(logits_of(network, tapped, 8)); /* once without */
    pst_workspace_tap(tapped, &tap, 1);
    pst_workspace_tap(one_by_one, &other, 1);
    free(logits_of(network, tapped, 8));
    free(logits_of(network, one_by_one, 8));
    assert_memory_equal(outputs, expected, count * sizeof *outputs);
    free(outputs);
    free(expected);
    pst_workspace_free(tapped);
    pst_workspace_free(one_by_one);
}

/* What each sample of a batch gives is what it gives alone, be the batch passed in pieces or not. */
static void check_pieces(const struct pst_network *network, size_t layers, struct pst_arithmetic *arithmetic)
{
    (void)layers;
    enum { BATCH = 21 };
    const struct pst_layer *first = &network->chain.layers[0];
    size_t width = pst_shape_elements(&first->out), inputs = pst_network_inputs(network),
           outputs = pst_network_outputs(network);
    double tolerance = arithmetic->precision == PST_BF16 ? 0.03 : 1e-5;
    float *taps = needed(BATCH * width, sizeof *taps), *alone = needed(width, sizeof *alone);
    double *expected = needed(outputs > width ? outputs : width, sizeof *expected);
    struct pst_workspace *workspace = workspace_of(network, arithmetic);
    pst_workspace_tap(workspace, &(struct pst_tap){ .layer = first, .outputs = taps }, 1);
    float *logits = logits_of(network, workspace, BATCH);
    for (size_t i = 0; i < BATCH; i++) {
        float *input = pst_workspace_input(workspace);
        memmove(input, input + i * inputs, inputs * sizeof *input);
        pst_workspace_tap(workspace, &(struct pst_tap){ .layer = first, .outputs = alone }, 1);
        pst_forward(network, workspace, 1);
        copy_to_double(expected, pst_workspace_logits(workspace), outputs);
        assert_close(logits + i * outputs, expected, outputs, tolerance);
        copy_to_double(expected, alone, width);
        assert_close(taps + i * width, expected, width, tolerance);
    }
    pst_workspace_free(workspace);
    free(logits);
    free(expected);
    free(alone);
    free(taps);
}

static void a_sample_gives_the_same_alone_and_in_a_batch(void **state)
{
    (void)state;
    for_every_network(check_pieces);
}

static void a_tap_gets_the_outputs_of_its_layer(void **state)
{
    (void)state;
    for_every_network(check_tap);
}

static void a_weight_that_is_not_finite_is_not_folded(void **state)
{
    (void)state;
    struct pst_network network;
    struct pst_kernels kernels;
    struct pst_arithmetic arithmetic = { .kernels = 1, .threads = 1, .constant = true };
    if (pst_arithmetic_settle(&arithmetic, NULL) != PST_OK)
        return;
    make_network(&network, "3x8x8-conv3x3:5-bn-relu-gap-7", 3);
    fill_random(network.parameters, 3 * 5 * 9, 1e30, 1);
    const struct pst_pass pass = {
        .n = 3, .room = 16, .channels_last = true, .parameters = network.parameters
    };
    float *inputs = needed(3 * pst_network_inputs(&network), sizeof *inputs);
    assert_int_equal(pst_kernels_open(&kernels, &arithmetic, NULL), PST_OK);
    for (size_t c = 0; c < 5; c++) {
        values_of(&network, 1)[c] = 1e20F;
        values_of(&network, 4)[c] = 1;
    }
    assert_int_equal(kernels.type->plan(&kernels, &network.chain, &pass, inputs), 1);
    free(inputs);
    pst_kernels_close(&kernels);
    pst_network_free(&network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_are_those_of_layer_by_layer),
        cmocka_unit_test(logits_are_the_same_bits_for_any_number_of_threads),
        cmocka_unit_test(a_plan_ends_before_an_unknown_layer_and_is_not_used_for_inputs_that_may_overflow),
        cmocka_unit_test(a_sample_gives_the_same_alone_and_in_a_batch),
        cmocka_unit_test(a_tap_gets_the_outputs_of_its_layer),
        cmocka_unit_test(a_weight_that_is_not_finite_is_not_folded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
