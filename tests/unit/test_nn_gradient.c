/* Forward and backward passes: finite differences of the plain ones, and the fast ones against the plain. */
#include "lib/nn/kernels.h"
#include "lib/nn/plain.h"
#include "tests/unit/nn_fixture.h"

#include <string.h>

/* One batch through one network, plain: the loss is half the squared distance of the logits from 1. */
struct plain_run {
    const struct pst_network *network;
    struct pst_plain_pass pass;
    double *input, *dropped, *logits, *gradient, *input_gradient; /* [n, inputs] or [n, outputs] */
    double *parameters, *parameter_gradient;
    uint64_t *ids;
};

static void plain_prepare(struct plain_run *run, const struct pst_network *network, size_t n,
                          const struct pst_dropout *dropout)
{
    size_t inputs = n * pst_network_inputs(network), outputs = n * pst_network_outputs(network);
    float *input = needed(inputs, sizeof *input);
    fill_random(input, inputs, 1, 77);
    *run = (struct plain_run){ .network = network };
    run->input = needed(inputs, sizeof *run->input);
    run->dropped = needed(inputs, sizeof *run->dropped);
    run->input_gradient = needed(inputs, sizeof *run->input_gradient);
    copy_to_double(run->input, input, inputs);
    free(input);
    run->logits = needed(outputs, sizeof *run->logits);
    run->gradient = needed(outputs, sizeof *run->gradient);
    run->ids = needed(n, sizeof *run->ids);
    for (size_t i = 0; i < n; i++)
        run->ids[i] = i * 0x100000001U + 5;
    run->parameters = needed(network->parameter_count, sizeof *run->parameters);
    run->parameter_gradient = needed(network->parameter_count, sizeof *run->parameter_gradient);
    copy_to_double(run->parameters, network->parameters, network->parameter_count);
    run->pass = (struct pst_plain_pass){ .n = n, .parameters = run->parameters, .epoch = 3, .ids = run->ids };
    if (dropout != NULL)
        run->pass.dropout = *dropout;
}

static double plain_loss(const struct plain_run *run)
{
    const struct pst_network *network = run->network;
    double loss = 0;
    memcpy(run->dropped, run->input, run->pass.n * pst_network_inputs(network) * sizeof(double));
    pst_plain_drop_inputs(network, &run->pass, run->dropped);
    assert_true(pst_plain_chain_forward(&network->chain, &run->pass, run->dropped, run->logits));
    for (size_t i = 0; i < run->pass.n * pst_network_outputs(network); i++)
        loss += pow(run->logits[i] - 1, 2) / 2;
    return loss;
}

static void plain_backward(const struct plain_run *run)
{
    (void)plain_loss(run);
    for (size_t i = 0; i < run->pass.n * pst_network_outputs(run->network); i++)
        run->gradient[i] = run->logits[i] - 1;
    assert_true(pst_plain_chain_backward(&run->network->chain, &run->pass, run->dropped, run->gradient,
                                         run->input_gradient, run->parameter_gradient));
}

static void plain_free(struct plain_run *run)
{
    free(run->ids);
    free(run->input);
    free(run->dropped);
    free(run->input_gradient);
    free(run->logits);
    free(run->gradient);
    free(run->parameters);
    free(run->parameter_gradient);
}

/* Whether a parameter is learned; padding is not, either. */
static bool is_learned(const struct pst_network *network, size_t at)
{
    for (size_t t = 0; t < network->tensor_count; t++) {
        const struct pst_parameter *tensor = network->tensors[t];
        if (at >= tensor->at && at < tensor->at + tensor->count)
            return tensor->follows == 0;
    }
    return false;
}

/* Central differences of the loss by every parameter agree with the gradient to 1e-6 of the largest. A
 * statistic has none. */
static void assert_finite_differences(const char *architecture, const struct pst_dropout *dropout)
{
    const double step = 1e-5;
    struct pst_network network;
    struct plain_run run;
    make_network(&network, architecture, 11);
    plain_prepare(&run, &network, 5, dropout);
    plain_backward(&run);
    double largest = 0;
    for (size_t i = 0; i < network.parameter_count; i++)
        if (is_learned(&network, i))
            largest = fmax(largest, fabs(run.parameter_gradient[i]));
    assert_true(largest > 0.1);
    for (size_t i = 0; i < network.parameter_count; i++) {
        double expected = is_learned(&network, i) ? run.parameter_gradient[i] : 0;
        double middle = run.parameters[i];
        run.parameters[i] = middle + step;
        double above = plain_loss(&run);
        run.parameters[i] = middle - step;
        double below = plain_loss(&run);
        run.parameters[i] = middle;
        double difference = (above - below) / (2 * step);
        if (!(fabs(difference - expected) <= 1e-6 * largest))
            fail_msg("%s: parameter %zu: gradient %.12g, differences %.12g", architecture, i, expected,
                     difference);
    }
    plain_free(&run);
    pst_network_free(&network);
}

static void gradients_are_finite_differences(void **state)
{
    (void)state;
    assert_finite_differences("6-8-7-4", NULL);
    assert_finite_differences("5-3", NULL);
    assert_finite_differences("9-4-4-4-2", NULL);
}

/* Calls check with each example architecture of each type of layer. */
static void for_every_example(void (*check)(const char *architecture))
{
    for (size_t t = 0; pst_layer_types[t] != NULL; t++) {
        char *examples = strdup(pst_layer_types[t]->example), *rest = examples;
        assert_non_null(examples);
        for (char *one = strtok_r(examples, " ", &rest); one != NULL; one = strtok_r(NULL, " ", &rest))
            check(one);
        free(examples);
    }
}

static void check_differences(const char *architecture)
{
    const struct pst_dropout dropout = { .hidden = 0.3, .seed = 4 }, seed = { .seed = 6 };
    assert_finite_differences(architecture, &seed);
    if (strstr(architecture, "drop") == NULL)
        assert_finite_differences(architecture, &dropout);
}

static void gradients_of_every_type_of_layer_are_finite_differences(void **state)
{
    (void)state;
    for_every_example(check_differences);
}

static void gradients_under_dropout_are_finite_differences(void **state)
{
    (void)state;
    const struct pst_dropout both = { .input = 0.2, .hidden = 0.5, .seed = 3 };
    const struct pst_dropout hidden = { .hidden = 0.3, .seed = 4 };
    assert_finite_differences("6-8-7-4", &both);
    assert_finite_differences("6-8-7-4", &hidden);
}

/* A taker that keeps all gradients in one flat vector. */
struct kept_gradients {
    float *gradient;
    size_t calls;
};

static void keep(void *context, const struct pst_parameter *parameter, const float *gradient)
{
    struct kept_gradients *kept = context;
    kept->calls++;
    memcpy(kept->gradient + parameter->at, gradient, parameter->count * sizeof(float));
}

/* The same batch and loss as a plain run's, fast; gradient: receives [parameter_count]. */
static void fast_run(struct pst_network *network, struct pst_workspace *workspace,
                     const struct plain_run *run, float *gradient)
{
    size_t n = run->pass.n, outputs = pst_network_outputs(network);
    float *input = pst_workspace_input(workspace);
    for (size_t i = 0; i < n * pst_network_inputs(network); i++)
        input[i] = (float)run->input[i];
    pst_forward_training(network, workspace, n, &run->pass.dropout, run->pass.epoch, run->ids);
    for (size_t i = 0; i < n * outputs; i++)
        pst_workspace_logits_gradient(workspace)[i] = pst_workspace_logits(workspace)[i] - 1;
    struct kept_gradients kept = { .gradient = gradient };
    pst_backward(network, workspace, n, keep, &kept);
    assert_int_equal(kept.calls, network->tensor_count);
}

/* The kernels that multiply; test_nn_products.c tests products in bf16. */
static const struct pst_arithmetic ways[] = { { .kernels = 0 }, { .kernels = 1 } };

/* Calls check with every way that this build and this processor have. */
static void for_every_way(void (*check)(const struct pst_arithmetic *way, const char *architecture),
                          const char *architecture)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct pst_arithmetic arithmetic = ways[i];
        if (pst_arithmetic_settle(&arithmetic, NULL) == PST_OK)
            check(&ways[i], architecture);
    }
}

/* Every gradient is close to the plain one, relative to the largest of its tensor. If that is 0 but for
 * rounding, as for a bias before a normalisation, it is relative to the network's largest. */
static void assert_gradients_close(const struct pst_network *network, const float *gradient,
                                   const double *plain)
{
    double largest = 0;
    for (size_t i = 0; i < network->parameter_count; i++)
        largest = is_learned(network, i) ? fmax(largest, fabs(plain[i])) : largest;
    for (size_t t = 0; t < network->tensor_count; t++) {
        const struct pst_parameter *tensor = network->tensors[t];
        double own = 0;
        for (size_t i = tensor->at; i < tensor->at + tensor->count; i++)
            own = fmax(own, fabs(plain[i]));
        for (size_t i = tensor->at; i < tensor->at + tensor->count; i++)
            if (!(fabs((double)gradient[i] - plain[i]) <= 1e-4 * fmax(own, 0.01 * largest)))
                fail_msg("%s: %s: gradient %zu is %.9g, expected %.9g (largest %.3g)", network->architecture,
                         tensor->name, i - tensor->at, (double)gradient[i], plain[i], own);
    }
}

static void assert_fast_is_plain(const struct pst_arithmetic *way, const char *architecture, size_t n,
                                 const struct pst_dropout *dropout)
{
    struct pst_network network;
    struct pst_workspace *workspace;
    struct plain_run run;
    make_network(&network, architecture, 21);
    assert_int_equal(pst_workspace_new(&workspace, &network, n + 3, true, way, NULL), PST_OK);
    plain_prepare(&run, &network, n, dropout);
    plain_backward(&run);
    float *gradient = needed(network.parameter_count, sizeof *gradient);
    fast_run(&network, workspace, &run, gradient);
    assert_close(pst_workspace_logits(workspace), run.logits, n * pst_network_outputs(&network), 1e-5);
    assert_gradients_close(&network, gradient, run.parameter_gradient);
    free(gradient);
    plain_free(&run);
    pst_workspace_free(workspace);
    pst_network_free(&network);
}

static void check_sizes(const struct pst_arithmetic *way, const char *architecture)
{
    static const size_t sizes[] = { 1, 2, 7, 33 };
    const struct pst_dropout dropout = { .input = 0.2, .hidden = 0.5, .seed = 8 };
    const struct pst_dropout input = { .input = 0.4, .seed = 9 };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        assert_fast_is_plain(way, architecture, sizes[s], NULL);
        assert_fast_is_plain(way, architecture, sizes[s], &dropout);
        assert_fast_is_plain(way, architecture, sizes[s], &input);
    }
}

static void fast_passes_are_the_plain_ones(void **state)
{
    (void)state;
    static const char *const architectures[] = { "1-1",
                                                 "10-3",
                                                 "784-10",
                                                 "17-33-5",
                                                 "64-64-10",
                                                 "131-67-3-9",
                                                 "5-1-4",
                                                 "129-128-127-10",
                                                 "3-2-2-2-2",
                                                 "17-33-tanh-5",
                                                 "17-33-gelu-21-silu-5-sigmoid",
                                                 "17-33nobias-leaky0.3-21nobias-5nobias",
                                                 "17-drop0.2-33-drop0.5-21-tanh-drop0.4-5",
                                                 "3x5x2-flatten-9-none-5",
                                                 "3x5x2-tanh-flatten-9-relu-relu-5",
                                                 "5-flatten-4-flatten",
                                                 "6-4-leaky" };
    for (size_t a = 0; a < sizeof architectures / sizeof *architectures; a++)
        for_every_way(check_sizes, architectures[a]);
}

/* Outside of training, statistics are used, and nothing is dropped. */
static void assert_use_is_plain(const struct pst_arithmetic *way, const char *architecture, size_t n)
{
    const struct pst_dropout dropout = { .input = 0.2, .hidden = 0.5, .seed = 8 };
    struct pst_network network;
    struct pst_workspace *workspace;
    struct plain_run run;
    make_network(&network, architecture, 21);
    for (size_t t = 0; t < network.tensor_count; t++)
        for (size_t i = 0; network.tensors[t]->initial > 0 && i < network.tensors[t]->count; i++)
            values_of(&network, t)[i] = 0.5F + 0.25F * (float)(i % 7);
    struct pst_arithmetic arithmetic = *way;
    arithmetic.constant = true;
    assert_int_equal(pst_workspace_new(&workspace, &network, n, false, &arithmetic, NULL), PST_OK);
    plain_prepare(&run, &network, n, &dropout);
    run.pass.use = true;
    (void)plain_loss(&run);
    for (size_t i = 0; i < n * pst_network_inputs(&network); i++)
        pst_workspace_input(workspace)[i] = (float)run.input[i];
    pst_forward(&network, workspace, n);
    assert_close(pst_workspace_logits(workspace), run.logits, n * pst_network_outputs(&network), 1e-5);
    plain_free(&run);
    pst_workspace_free(workspace);
    pst_network_free(&network);
}

static void check_way(const struct pst_arithmetic *way, const char *architecture)
{
    assert_use_is_plain(way, architecture, 1);
    assert_use_is_plain(way, architecture, 18);
    const struct pst_dropout dropout = { .input = 0.2, .hidden = 0.5, .seed = 8 }, seed = { .seed = 9 };
    assert_fast_is_plain(way, architecture, 1, &seed);
    assert_fast_is_plain(way, architecture, 7, &seed);
    if (strstr(architecture, "drop") == NULL)
        assert_fast_is_plain(way, architecture, 33, &dropout);
}

static void check_fast(const char *architecture)
{
    for_every_way(check_way, architecture);
}

static void fast_passes_of_every_type_of_layer_are_the_plain_ones(void **state)
{
    (void)state;
    for_every_example(check_fast);
}

static void the_same_batch_gives_the_same_bits_whatever_came_before(void **state)
{
    (void)state;
    const struct pst_dropout dropout = { .input = 0.2, .hidden = 0.5, .seed = 8 };
    struct pst_network network;
    struct pst_workspace *fresh, *used;
    struct plain_run small, large;
    make_network(&network, "67-45-31-10", 21);
    assert_int_equal(pst_workspace_new(&fresh, &network, 13, true, &(struct pst_arithmetic){ 0 }, NULL),
                     PST_OK);
    assert_int_equal(pst_workspace_new(&used, &network, 50, true, &(struct pst_arithmetic){ 0 }, NULL),
                     PST_OK);
    plain_prepare(&small, &network, 13, NULL);
    plain_prepare(&large, &network, 50, &dropout);
    size_t bytes = network.parameter_count * sizeof(float);
    float *gradient[2] = { needed(1, bytes), needed(1, bytes) };
    fast_run(&network, fresh, &small, gradient[0]);
    fast_run(&network, used, &large, gradient[1]);
    assert_memory_not_equal(gradient[0], gradient[1], bytes);
    fast_run(&network, used, &small, gradient[1]);
    assert_memory_equal(gradient[0], gradient[1], bytes);
    assert_memory_equal(pst_workspace_logits(fresh), pst_workspace_logits(used), 13 * 10 * sizeof(float));
    for (int i = 0; i < 2; i++)
        free(gradient[i]);
    plain_free(&small);
    plain_free(&large);
    pst_workspace_free(fresh);
    pst_workspace_free(used);
    pst_network_free(&network);
}

static void a_pass_for_use_gives_the_bits_of_training_without_dropout(void **state)
{
    (void)state;
    struct pst_network network;
    struct pst_workspace *training, *use;
    make_network(&network, "67-45-31-20-10", 21);
    assert_int_equal(pst_workspace_new(&training, &network, 9, true, &(struct pst_arithmetic){ 0 }, NULL),
                     PST_OK);
    assert_int_equal(pst_workspace_new(&use, &network, 9, false, &(struct pst_arithmetic){ 0 }, NULL),
                     PST_OK);
    fill_random(pst_workspace_input(training), 9 * 67, 1, 1);
    fill_random(pst_workspace_input(use), 9 * 67, 1, 1);
    pst_forward_training(&network, training, 9, NULL, 0, NULL);
    pst_forward(&network, use, 9);
    assert_memory_equal(pst_workspace_logits(training), pst_workspace_logits(use), 9 * 10 * sizeof(float));
    pst_workspace_free(training);
    pst_workspace_free(use);
    pst_network_free(&network);
}

static void what_is_not_finite_reaches_the_logits(void **state)
{
    (void)state;
    struct pst_network network;
    struct pst_workspace *workspace;
    make_network(&network, "20-30-10", 21);
    assert_int_equal(pst_workspace_new(&workspace, &network, 1, false, &(struct pst_arithmetic){ 0 }, NULL),
                     PST_OK);
    pst_workspace_input(workspace)[3] = NAN;
    pst_forward(&network, workspace, 1);
    for (int i = 0; i < 10; i++)
        assert_true(isnan(pst_workspace_logits(workspace)[i]));
    pst_workspace_free(workspace);
    pst_network_free(&network);
}

static void dropout_keeps_the_units_of_the_rule_at_every_width(void **state)
{
    (void)state;
    static const size_t widths[] = { 1, 2, 7, 8, 9, 127, 128, 129, 300, 1000 };
    static const double shares[] = { 1e-9, 0.2, 0.5, 0.999999999 };
    const uint64_t id = 0x123456789abcdef0U, epoch = 0x100000007U;
    float row[1001];
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (size_t s = 0; s < sizeof shares / sizeof *shares; s++) {
            struct pst_drop drop = pst_drop_start(shares[s], 99, 2, epoch);
            for (size_t i = 0; i <= widths[w]; i++)
                row[i] = 3;
            pst_kernel_drop(row, widths[w], &drop, id);
            for (size_t i = 0; i < widths[w]; i++) {
                double factor = pst_plain_drop_factor(shares[s], 99, epoch, id, 2, i);
                assert_true(row[i] == (float)(3 * (double)(float)factor));
            }
            assert_true(row[widths[w]] == 3);
        }
}

static void dropout_drops_its_share(void **state)
{
    (void)state;
    enum { UNITS = 1000, SAMPLES = 100 };
    static float row[UNITS];
    struct pst_drop drop = pst_drop_start(0.2, 1, 0, 0);
    size_t dropped = 0;
    for (uint64_t id = 0; id < SAMPLES; id++) {
        for (size_t i = 0; i < UNITS; i++)
            row[i] = 1;
        pst_kernel_drop(row, UNITS, &drop, id);
        for (size_t i = 0; i < UNITS; i++)
            dropped += row[i] == 0;
    }
    const double count = UNITS * SAMPLES;
    assert_true(fabs((double)dropped / count - 0.2) < 5 * sqrt(0.2 * 0.8 / count));
}

/* The input after dropout of one sample; its zeros identify it. */
static void dropped_input(const struct pst_network *network, struct pst_workspace *workspace, uint64_t seed,
                          uint64_t epoch, uint64_t id, size_t position, float *row)
{
    const struct pst_dropout dropout = { .input = 0.5, .seed = seed };
    uint64_t ids[3] = { 1000, 1001, 1002 };
    ids[position] = id;
    for (size_t i = 0; i < 3 * pst_network_inputs(network); i++)
        pst_workspace_input(workspace)[i] = 1;
    pst_forward_training(network, workspace, 3, &dropout, epoch, ids);
    memcpy(row, pst_workspace_input(workspace) + position * pst_network_inputs(network),
           pst_network_inputs(network) * sizeof *row);
}

static void dropout_depends_on_seed_epoch_and_sample_but_not_on_its_place(void **state)
{
    (void)state;
    struct pst_network network;
    struct pst_workspace *workspace;
    float row[200], other[200];
    make_network(&network, "200-10", 21);
    assert_int_equal(pst_workspace_new(&workspace, &network, 3, true, &(struct pst_arithmetic){ 0 }, NULL),
                     PST_OK);
    dropped_input(&network, workspace, 1, 2, 3, 0, row);
    dropped_input(&network, workspace, 1, 2, 3, 2, other);
    assert_memory_equal(row, other, sizeof row);
    dropped_input(&network, workspace, 2, 2, 3, 0, other);
    assert_memory_not_equal(row, other, sizeof row);
    dropped_input(&network, workspace, 1, 3, 3, 0, other);
    assert_memory_not_equal(row, other, sizeof row);
    dropped_input(&network, workspace, 1, 2, 4, 0, other);
    assert_memory_not_equal(row, other, sizeof row);
    dropped_input(&network, workspace, 1, 2, 3 + (1ULL << 32), 0, other);
    assert_memory_not_equal(row, other, sizeof row);
    pst_workspace_free(workspace);
    pst_network_free(&network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_finite_differences),
        cmocka_unit_test(gradients_of_every_type_of_layer_are_finite_differences),
        cmocka_unit_test(gradients_under_dropout_are_finite_differences),
        cmocka_unit_test(fast_passes_are_the_plain_ones),
        cmocka_unit_test(fast_passes_of_every_type_of_layer_are_the_plain_ones),
        cmocka_unit_test(the_same_batch_gives_the_same_bits_whatever_came_before),
        cmocka_unit_test(a_pass_for_use_gives_the_bits_of_training_without_dropout),
        cmocka_unit_test(what_is_not_finite_reaches_the_logits),
        cmocka_unit_test(dropout_keeps_the_units_of_the_rule_at_every_width),
        cmocka_unit_test(dropout_drops_its_share),
        cmocka_unit_test(dropout_depends_on_seed_epoch_and_sample_but_not_on_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
