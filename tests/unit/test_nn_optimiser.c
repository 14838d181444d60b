/* Optimisers: the fast updates against plain ones in double, and the properties of each. */
#include "lib/nn/plain.h"
#include "tests/unit/nn_fixture.h"

#include <string.h>

#define ARCHITECTURE "13-9-7-3"
#define WITH_STATISTICS "13-9-bn-relu-7-3"

/* Hands a flat vector of gradients to an optimiser, parameter by parameter. */
static void take_all(struct pst_optimiser *optimiser, const float *gradient)
{
    for (size_t t = optimiser->network->tensor_count; t-- > 0;) {
        const struct pst_parameter *tensor = optimiser->network->tensors[t];
        pst_optimiser_take(optimiser, tensor, gradient + tensor->at);
    }
}

static void clear_padding(const struct pst_network *network, float *vector)
{
    float *whole = needed(network->parameter_count, sizeof *whole);
    for (size_t t = 0; t < network->tensor_count; t++) {
        const struct pst_parameter *tensor = network->tensors[t];
        memcpy(whole + tensor->at, vector + tensor->at, tensor->count * sizeof *whole);
    }
    memcpy(vector, whole, network->parameter_count * sizeof *whole);
    free(whole);
}

/*
 * Ten steps with random gradients, a falling rate and a rising momentum, fast and plain, end at the same
 * parameters and state; padding stays 0.
 */
static void assert_ten_steps_of(const char *architecture, const struct pst_optimiser_settings *settings)
{
    struct pst_optimiser_settings now = *settings;
    struct pst_network network;
    struct pst_optimiser optimiser;
    make_network(&network, architecture, 3);
    assert_int_equal(pst_optimiser_new(&optimiser, &network, settings, NULL), PST_OK);
    size_t count = network.parameter_count;
    float *gradient = needed(count, sizeof *gradient);
    double *plain[4]; /* parameters, gradient, first, second */
    for (int i = 0; i < 4; i++)
        plain[i] = needed(count, sizeof(double));
    copy_to_double(plain[0], network.parameters, count);
    for (uint64_t step = 1; step <= 10; step++) {
        double rate = 0.1 / (double)step;
        now.momentum = 0.5 + 0.04 * (double)step;
        fill_random(gradient, count, 0.3, step);
        clear_padding(&network, gradient);
        copy_to_double(plain[1], gradient, count);
        pst_optimiser_begin(&optimiser, rate, now.momentum);
        take_all(&optimiser, gradient);
        pst_plain_step(&network, &now, plain[0], plain[1], plain[2], plain[3], step, rate);
    }
    assert_int_equal(optimiser.step, 10);
    assert_close(network.parameters, plain[0], count, 1e-5);
    assert_close(optimiser.first, plain[2], count, 1e-5);
    if (settings->kind == PST_ADAM)
        assert_close(optimiser.second, plain[3], count, 1e-5);
    else
        assert_null(optimiser.second);
    for (int i = 0; i < 4; i++)
        free(plain[i]);
    free(gradient);
    pst_optimiser_free(&optimiser);
    pst_network_free(&network);
}

static void assert_ten_steps(const struct pst_optimiser_settings *settings)
{
    assert_ten_steps_of(ARCHITECTURE, settings);
    assert_ten_steps_of(WITH_STATISTICS, settings);
}

/* Alone, with decay, with a limit, and with both. */
static void assert_kind(enum pst_optimiser_kind kind)
{
    struct pst_optimiser_settings settings = pst_optimiser_defaults();
    settings.kind = kind;
    assert_ten_steps(&settings);
    settings.weight_decay = 0.05;
    assert_ten_steps(&settings);
    settings.max_norm = 0.8;
    assert_ten_steps(&settings);
    settings.weight_decay = 0;
    assert_ten_steps(&settings);
}

static void sgd_takes_the_steps_of_its_formula(void **state)
{
    (void)state;
    assert_kind(PST_SGD);
}

static void nesterov_takes_the_steps_of_its_formula(void **state)
{
    (void)state;
    assert_kind(PST_NESTEROV);
}

static void adam_takes_the_steps_of_its_formula(void **state)
{
    (void)state;
    assert_kind(PST_ADAM);
}

static double row_norm(const struct pst_network *network, size_t parameter, size_t unit)
{
    size_t row = pst_parameter_row(network->tensors[parameter]);
    double square = 0;
    for (size_t i = 0; i < row; i++)
        square += pow((double)values_of(network, parameter)[unit * row + i], 2);
    return sqrt(square);
}

static void max_norm_holds_in_every_hidden_row_and_only_there(void **state)
{
    (void)state;
    struct pst_optimiser_settings settings = pst_optimiser_defaults();
    settings.max_norm = 0.5;
    struct pst_network network;
    struct pst_optimiser optimiser;
    make_network(&network, ARCHITECTURE, 4);
    assert_int_equal(pst_optimiser_new(&optimiser, &network, &settings, NULL), PST_OK);
    float *gradient = needed(network.parameter_count, sizeof *gradient);
    fill_random(values_of(&network, 4), network.tensors[4]->count, 2, 1);
    for (uint64_t step = 0; step < 10; step++) {
        fill_random(gradient, network.parameter_count, 1, step);
        pst_optimiser_begin(&optimiser, 0.1, settings.momentum);
        take_all(&optimiser, gradient);
        for (size_t weight = 0; weight <= 2; weight += 2)
            for (size_t unit = 0; unit < network.tensors[weight]->shape[0]; unit++)
                assert_true(row_norm(&network, weight, unit) <= 0.5 * (1 + 1e-6));
    }
    for (size_t unit = 0; unit < 3; unit++)
        assert_true(row_norm(&network, 4, unit) > 1);
    free(gradient);
    pst_optimiser_free(&optimiser);
    pst_network_free(&network);
}

static void a_row_within_the_limit_is_left_alone(void **state)
{
    (void)state;
    struct pst_optimiser_settings settings = pst_optimiser_defaults();
    settings.max_norm = 1e6;
    struct pst_network network;
    struct pst_optimiser optimiser;
    make_network(&network, ARCHITECTURE, 4);
    assert_int_equal(pst_optimiser_new(&optimiser, &network, &settings, NULL), PST_OK);
    size_t bytes = network.parameter_count * sizeof(float);
    float *before = needed(1, bytes), *gradient = needed(1, bytes);
    memcpy(before, network.parameters, bytes);
    pst_optimiser_begin(&optimiser, 0.1, settings.momentum);
    take_all(&optimiser, gradient);
    assert_memory_equal(before, network.parameters, bytes);
    free(before);
    free(gradient);
    pst_optimiser_free(&optimiser);
    pst_network_free(&network);
}

static void weight_decay_shrinks_weights_and_leaves_biases(void **state)
{
    (void)state;
    struct pst_optimiser_settings settings = pst_optimiser_defaults();
    settings.weight_decay = 0.5;
    for (settings.kind = PST_SGD; settings.kind <= PST_ADAM; settings.kind++) {
        struct pst_network network, before;
        struct pst_optimiser optimiser;
        make_network(&network, ARCHITECTURE, 4);
        make_network(&before, ARCHITECTURE, 4);
        assert_int_equal(pst_optimiser_new(&optimiser, &network, &settings, NULL), PST_OK);
        float *gradient = needed(network.parameter_count, sizeof *gradient);
        pst_optimiser_begin(&optimiser, 0.1, settings.momentum);
        take_all(&optimiser, gradient);
        for (size_t t = 0; t < network.tensor_count; t++) {
            const float *now = values_of(&network, t), *old = values_of(&before, t);
            for (size_t i = 0; network.tensors[t]->rank == 2 && i < network.tensors[t]->count; i++)
                assert_true(fabsf(now[i]) < fabsf(old[i]));
            if (network.tensors[t]->rank == 1)
                assert_memory_equal(now, old, network.tensors[t]->count * sizeof *now);
        }
        free(gradient);
        pst_optimiser_free(&optimiser);
        pst_network_free(&network);
        pst_network_free(&before);
    }
}

static void state_that_fades_away_becomes_zero_and_never_subnormal(void **state)
{
    (void)state;
    struct pst_optimiser_settings settings = pst_optimiser_defaults();
    settings.beta2 = 0.9;
    for (settings.kind = PST_SGD; settings.kind <= PST_ADAM; settings.kind++) {
        struct pst_network network;
        struct pst_optimiser optimiser;
        make_network(&network, ARCHITECTURE, 4);
        assert_int_equal(pst_optimiser_new(&optimiser, &network, &settings, NULL), PST_OK);
        size_t count = network.parameter_count;
        float *gradient = needed(count, sizeof *gradient);
        fill_random(gradient, count, 1, 1);
        for (int step = 0; step < 1000; step++) {
            pst_optimiser_begin(&optimiser, 1e-3, settings.momentum);
            take_all(&optimiser, gradient);
            memset(gradient, 0, count * sizeof *gradient);
            for (size_t i = 0; i < count; i++)
                assert_true(fpclassify(optimiser.first[i]) != FP_SUBNORMAL &&
                            (optimiser.second == NULL || fpclassify(optimiser.second[i]) != FP_SUBNORMAL));
        }
        for (size_t i = 0; i < count; i++)
            assert_true(optimiser.first[i] == 0 && (optimiser.second == NULL || optimiser.second[i] == 0));
        free(gradient);
        pst_optimiser_free(&optimiser);
        pst_network_free(&network);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sgd_takes_the_steps_of_its_formula),
        cmocka_unit_test(nesterov_takes_the_steps_of_its_formula),
        cmocka_unit_test(adam_takes_the_steps_of_its_formula),
        cmocka_unit_test(max_norm_holds_in_every_hidden_row_and_only_there),
        cmocka_unit_test(a_row_within_the_limit_is_left_alone),
        cmocka_unit_test(weight_decay_shrinks_weights_and_leaves_biases),
        cmocka_unit_test(state_that_fades_away_becomes_zero_and_never_subnormal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
