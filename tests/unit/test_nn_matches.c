/* Terms of a loss that compare layers with hints: the gradients of network and projections against finite
 * differences of a loss that is computed plainly; clipping, weights of 0, checkpoints. */
#include "lib/nn/plain.h"
#include "tests/unit/nn_fixture.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { N = 6, CLASSES = 4, TERMS = 4 };

#define STUDENT "2x6x4-conv3x3:3-bn-tanh-res(conv3x3:4-tanh-conv3x3:3)-maxpool2-flatten-5-tanh-4"

/* Each term, and the shape of its hint. */
static const struct {
    const char *text, *hint;
} terms[TERMS] = { { "labels::0.7", "4" },
                   { "features:hint/a:0.3,layer=2", "5x6x4" },
                   { "attention:hint/b:2,layer=3.1", "2x6x4" },
                   { "features:hint/c:0.5,layer=6", "7" } };

/* A training with one batch. */
struct fixture {
    struct pst_training training;
    float hints[TERMS][N * 5 * 24], weight[N];
    int32_t labels[N];
    struct pst_loss_targets targets;
    uint64_t ids[N];
};

static void begin(struct fixture *f, double clip, double rate, const char *zero)
{
    struct pst_error error;
    struct pst_training *training = &f->training;
    *f = (struct fixture){ .training = { .optimiser_settings = pst_optimiser_defaults(),
                                         .schedule = { .rate = rate },
                                         .clip = clip } };
    training->optimiser_settings.momentum = 0;
    make_network(&training->network, STUDENT, 5);
    assert_int_equal(pst_training_begin(training, &error), PST_OK);
    for (size_t k = 0; k < TERMS; k++) {
        struct pst_shape hint;
        assert_int_equal(pst_loss_parse(&training->loss, terms[k].text, &error), PST_OK);
        if (zero != NULL && strstr(terms[k].text, zero) != NULL)
            training->loss.terms[k].weight = 0;
        assert_true(pst_shape_parse(terms[k].hint, &hint));
        if (k > 0 && pst_training_match(training, k, &hint, 9, &error) != PST_OK)
            fail_msg("%s", error.message);
        fill_random(f->hints[k], N * pst_shape_elements(&hint), 1, 40 + k);
        f->targets.terms[k] = k == 0 ? (void *)f->labels : f->hints[k];
    }
    for (size_t i = 0; i < N; i++) {
        f->labels[i] = (int32_t)(i % CLASSES);
        f->weight[i] = 0.5F + 0.25F * (float)i;
        f->ids[i] = i;
    }
    f->targets.labels = f->labels;
    f->targets.weight = f->weight;
}

static struct pst_loss_sums step(struct fixture *f)
{
    struct pst_loss_sums sums;
    float *input = pst_training_input(&f->training, N, NULL);
    assert_non_null(input);
    fill_random(input, N * 48, 1, 3);
    pst_training_step(&f->training, N, &f->targets, f->ids, 0, 0, &sums);
    return sums;
}

/* ---- the loss, plainly ---- */

static double label_row(const double *logits, int32_t label)
{
    double sum = 0;
    for (size_t j = 0; j < CLASSES; j++)
        sum += exp(logits[j]);
    return log(sum) - logits[label];
}

static double features_row(const double *projected, const float *hint, size_t count)
{
    double sum = 0;
    for (size_t j = 0; j < count; j++)
        sum += pow(projected[j] - (double)hint[j], 2) / (double)count;
    return sum;
}

/* The map of a sample, of length 1. */
static void attention_map(const double *values, size_t channels, size_t area, double *map)
{
    double square = 0;
    for (size_t p = 0; p < area; p++) {
        map[p] = 0;
        for (size_t c = 0; c < channels; c++)
            map[p] += pow(values[c * area + p], 2);
        square += map[p] * map[p];
    }
    for (size_t p = 0; p < area; p++)
        map[p] /= sqrt(square);
}

static double attention_row(const double *values, const float *hint)
{
    double plain[2 * 24], map[24], other[24], sum = 0;
    copy_to_double(plain, hint, 2 * 24);
    attention_map(values, 4, 24, map);
    attention_map(plain, 2, 24, other);
    for (size_t p = 0; p < 24; p++)
        sum += pow(map[p] - other[p], 2);
    return sum;
}

static void project(const struct pst_match *match, const double *parameters, const double *inputs,
                    double *outputs)
{
    struct pst_plain_pass pass = { .n = N, .parameters = parameters };
    assert_true(pst_plain_chain_forward(&match->projection.chain, &pass, inputs, outputs));
}

/* The mean loss for some parameters: of the network and of the two projections. */
static double plain_loss(const struct fixture *f, double *const parameters[3])
{
    const struct pst_match *matches = f->training.matches;
    double maps[N * 3 * 24], inner[N * 4 * 24], row[N * 5], first[N * 5 * 24], second[N * 7],
        logits[N * CLASSES];
    double inputs[N * 48], loss = 0;
    float input[N * 48];
    const struct pst_plain_tap taps[] = { { matches[0].layer, maps, NULL },
                                          { matches[1].layer, inner, NULL },
                                          { matches[2].layer, row, NULL } };
    struct pst_plain_pass pass = { .n = N, .parameters = parameters[0], .taps = taps, .tap_count = 3 };
    fill_random(input, N * 48, 1, 3);
    copy_to_double(inputs, input, N * 48);
    assert_true(pst_plain_chain_forward(&f->training.network.chain, &pass, inputs, logits));
    project(&matches[0], parameters[1], maps, first);
    project(&matches[2], parameters[2], row, second);
    for (size_t i = 0; i < N; i++)
        loss += (double)f->weight[i] / N *
                (0.7 * label_row(logits + i * CLASSES, f->labels[i]) +
                 0.3 * features_row(first + i * 120, f->hints[1] + i * 120, 120) +
                 2 * attention_row(inner + i * 96, f->hints[2] + i * 48) +
                 0.5 * features_row(second + i * 7, f->hints[3] + i * 7, 7));
    return loss;
}

/* ---- tests ---- */

/* The slope of every learned element is its gradient. which: of the three vectors. */
static void check_slopes(const struct fixture *f, double *const parameters[3], size_t which,
                         const struct pst_network *network, const float *gradient)
{
    double largest = 0;
    for (size_t i = 0; i < network->parameter_count; i++)
        largest = fmax(largest, fabs((double)gradient[i]));
    for (size_t t = 0; t < network->tensor_count; t++)
        for (size_t i = network->tensors[t]->at;
             network->tensors[t]->follows == 0 && i < network->tensors[t]->at + network->tensors[t]->count;
             i++) {
            double middle = parameters[which][i];
            parameters[which][i] = middle + 1e-5;
            double above = plain_loss(f, parameters);
            parameters[which][i] = middle - 1e-5;
            double slope = (above - plain_loss(f, parameters)) / 2e-5;
            parameters[which][i] = middle;
            if (!(fabs((double)gradient[i] - slope) <= 1e-5 * fmax(largest, 0.01)))
                fail_msg("vector %zu, %s: gradient %.9g, slope %.9g", which, network->tensors[t]->name,
                         (double)gradient[i], slope);
        }
}

static void gradients_of_network_and_projections_are_finite_differences(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 1e30, 1e-3, NULL); /* a limit that is never reached keeps all gradients */
    const struct pst_network *networks[] = { &f.training.network, &f.training.matches[0].projection,
                                             &f.training.matches[2].projection };
    double *parameters[3];
    for (size_t i = 0; i < 3; i++) {
        parameters[i] = needed(networks[i]->parameter_count, sizeof(double));
        copy_to_double(parameters[i], networks[i]->parameters, networks[i]->parameter_count);
    }
    struct pst_loss_sums sums = step(&f);
    assert_true(fabs(sums.total / N - plain_loss(&f, parameters)) <= 1e-5);
    check_slopes(&f, parameters, 0, networks[0], f.training.gradient);
    check_slopes(&f, parameters, 1, networks[1], f.training.matches[0].kept);
    check_slopes(&f, parameters, 2, networks[2], f.training.matches[2].kept);
    for (size_t i = 0; i < 3; i++)
        free(parameters[i]);
    pst_training_free(&f.training);
}

static void assert_same_vectors(const struct fixture *a, const struct fixture *b)
{
    const struct pst_training *one = &a->training, *other = &b->training;
    assert_memory_equal(one->network.parameters, other->network.parameters,
                        one->network.parameter_count * sizeof(float));
    for (size_t m = 0; m < one->match_count; m++)
        if (one->matches[m].projection.parameter_count > 0)
            assert_memory_equal(one->matches[m].projection.parameters,
                                other->matches[m].projection.parameters,
                                one->matches[m].projection.parameter_count * sizeof(float));
}

static void a_limit_that_is_not_reached_changes_no_bit(void **state)
{
    (void)state;
    struct fixture free_run, clipped;
    begin(&free_run, 0, 0.01, NULL);
    begin(&clipped, 1e30, 0.01, NULL);
    for (int i = 0; i < 3; i++) {
        step(&free_run);
        step(&clipped);
    }
    assert_same_vectors(&free_run, &clipped);
    pst_training_free(&free_run.training);
    pst_training_free(&clipped.training);
}

/* The sum of the squares of the changes by a step of rate 1, of learned elements. */
static double moved(const struct pst_network *network, const float *before)
{
    double square = 0;
    for (size_t t = 0; t < network->tensor_count; t++)
        for (size_t i = network->tensors[t]->at; i < network->tensors[t]->at + network->tensors[t]->count;
             i++)
            if (network->tensors[t]->follows == 0)
                square += pow((double)network->parameters[i] - (double)before[i], 2);
    return square;
}

static void the_limit_is_of_all_gradients_those_of_projections_included(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 0.01, 1, NULL);
    const struct pst_network *networks[] = { &f.training.network, &f.training.matches[0].projection,
                                             &f.training.matches[2].projection };
    float *before[3];
    double square = 0;
    for (size_t i = 0; i < 3; i++) {
        before[i] = needed(networks[i]->parameter_count, sizeof(float));
        memcpy(before[i], networks[i]->parameters, networks[i]->parameter_count * sizeof(float));
    }
    step(&f);
    for (size_t i = 0; i < 3; i++) {
        assert_true(moved(networks[i], before[i]) > 1e-10);
        square += moved(networks[i], before[i]);
        free(before[i]);
    }
    assert_true(fabs(sqrt(square) - 0.01) < 1e-5);
    pst_training_free(&f.training);
}

static void of_a_weight_of_0_nothing_is_learned(void **state)
{
    (void)state;
    for (int clips = 0; clips < 2; clips++) {
        struct fixture f;
        begin(&f, clips * 1e30, 0.01, "hint/a");
        const struct pst_network *projection = &f.training.matches[0].projection;
        float *before = needed(projection->parameter_count, sizeof *before);
        memcpy(before, projection->parameters, projection->parameter_count * sizeof *before);
        struct pst_loss_sums sums = step(&f);
        assert_true(sums.terms[1] > 0);
        assert_memory_equal(before, projection->parameters, projection->parameter_count * sizeof *before);
        free(before);
        pst_training_free(&f.training);
    }
}

static void a_checkpoint_continues_to_the_same_bits_with_its_projections(void **state)
{
    (void)state;
    struct fixture whole, resumed;
    struct pst_error error;
    char path[64];
    json_t *said = json_pack("{s:s}", "settings", "none"), *read;
    snprintf(path, sizeof path, "/tmp/test_nn_matches.%d", (int)getpid());
    begin(&whole, 0, 0.05, NULL);
    begin(&resumed, 0, 0.05, NULL);
    step(&whole);
    assert_int_equal(pst_checkpoint_write(path, &whole.training, NULL, said, &error), PST_OK);
    assert_int_equal(pst_checkpoint_read(path, &resumed.training, NULL, &read, &error), PST_OK);
    assert_same_vectors(&whole, &resumed);
    assert_int_equal(resumed.training.matches[0].optimiser.step, 1);
    step(&whole);
    step(&resumed);
    assert_same_vectors(&whole, &resumed);
    assert_int_equal(remove(path), 0);
    json_decref(said);
    json_decref(read);
    pst_training_free(&whole.training);
    pst_training_free(&resumed.training);
}

/* A larger batch allocates all memory again, and a smaller one uses a part of it. */
static void batches_of_other_sizes_give_the_same_bits(void **state)
{
    (void)state;
    struct fixture fresh, grown;
    begin(&fresh, 0, 0.05, NULL);
    begin(&grown, 0, 0.05, NULL);
    assert_non_null(pst_training_input(&grown.training, N - 2, NULL));
    assert_non_null(pst_training_input(&grown.training, 3 * N + 1, NULL));
    step(&fresh);
    step(&grown);
    assert_same_vectors(&fresh, &grown);
    assert_true(pst_training_memory(&grown.training, 2 * N) > pst_training_memory(&grown.training, N));
    pst_training_free(&fresh.training);
    pst_training_free(&grown.training);
}

/* ---- attention by itself ---- */

/* A map of zeros has no direction: the loss is that of the other map, and nothing is learned. */
static void a_layer_that_gives_nothing_but_zeros_has_a_finite_loss(void **state)
{
    (void)state;
    struct pst_loss loss = { 0 };
    struct pst_loss_term *term = pst_loss_add(&loss, "attention");
    term->maps[0] = term->maps[1] = 2;
    const float zeros[200] = { 0 };
    float hint[200], gradient[200];
    struct pst_loss_sums sums;
    fill_random(hint, 200, 1, 1);
    pst_loss_compute(&loss, &(struct pst_loss_targets){ .terms = { hint } }, zeros, 1, 200, gradient, &sums);
    assert_true(fabs(sums.total - 1) < 1e-6);
    for (size_t i = 0; i < 200; i++)
        assert_true(gradient[i] == 0);
    pst_loss_compute(&loss, &(struct pst_loss_targets){ .terms = { hint } }, hint, 1, 200, gradient, &sums);
    assert_true(fabs(sums.total) < 1e-12);
    hint[150] = NAN;
    pst_loss_compute(&loss, &(struct pst_loss_targets){ .terms = { hint } }, zeros, 1, 200, gradient, &sums);
    assert_true(isnan(sums.total));
    pst_loss_compute(&loss, &(struct pst_loss_targets){ .terms = { zeros } }, hint, 1, 200, gradient, &sums);
    assert_true(isnan(sums.total));
}

/* ---- what cannot be compared ---- */

static void assert_refused(const char *term, const char *hint, enum pst_status status, const char *words)
{
    struct pst_training training = { .optimiser_settings = pst_optimiser_defaults() };
    struct pst_error error;
    struct pst_shape shape;
    make_network(&training.network, "2x6x4-avgpool2-conv3x3:3-flatten-5-4", 5);
    assert_int_equal(pst_training_begin(&training, &error), PST_OK);
    assert_int_equal(pst_loss_parse(&training.loss, term, &error), PST_OK);
    strcpy(training.loss.terms[0].tensor, "hint/t");
    assert_true(pst_shape_parse(hint, &shape));
    assert_int_equal(pst_training_match(&training, 0, &shape, 1, &error), status);
    if (strstr(error.message, words) == NULL)
        fail_msg("%s", error.message);
    pst_training_free(&training);
}

static void shapes_that_cannot_be_compared_are_refused_with_both(void **state)
{
    (void)state;
    assert_refused("features,layer=2", "7x4x4", PST_BAD_DATA,
                   "layer 2 gives 3x3x2, and the hint 'hint/t' is 7x4x4: heights and widths differ");
    assert_refused("attention,layer=2", "7x3x3", PST_BAD_DATA,
                   "layer 2 gives 3x3x2, and the hint 'hint/t' is 7x3x3");
    assert_refused("features,layer=4", "7x3x2", PST_BAD_DATA,
                   "layer 4 gives 5, and the hint 'hint/t' is 7x3x2: only");
    assert_refused("features,layer=2", "18", PST_BAD_DATA,
                   "layer 2 gives 3x3x2, and the hint 'hint/t' is 18: only");
    assert_refused("attention,layer=4", "5", PST_BAD_DATA,
                   "layer 4 gives 5, and the hint 'hint/t' is 5: attention");
    assert_refused("features,layer=1", "2x3x2", PST_USAGE, "nothing up to layer 1 learns");
    assert_refused("features,layer=6", "4", PST_USAGE, "there is no layer 6: the network has 5");
    assert_refused("features,layer=2.1", "4", PST_USAGE, "layer 2, conv, holds no others");
    assert_refused("features,layer=two", "4", PST_USAGE, "'two' is not the number of a layer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_network_and_projections_are_finite_differences),
        cmocka_unit_test(a_limit_that_is_not_reached_changes_no_bit),
        cmocka_unit_test(the_limit_is_of_all_gradients_those_of_projections_included),
        cmocka_unit_test(of_a_weight_of_0_nothing_is_learned),
        cmocka_unit_test(a_checkpoint_continues_to_the_same_bits_with_its_projections),
        cmocka_unit_test(batches_of_other_sizes_give_the_same_bits),
        cmocka_unit_test(a_layer_that_gives_nothing_but_zeros_has_a_finite_loss),
        cmocka_unit_test(shapes_that_cannot_be_compared_are_refused_with_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
