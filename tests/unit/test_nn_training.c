/* Training steps: what the schedule gives them, and the exponential moving average of the parameters. */
#include "tests/unit/nn_fixture.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

#define ARCHITECTURE "6-8-none-bn-relu-4-none-3"
#define SAMPLES 5

static void begin(struct pst_training *training, double ema)
{
    *training = (struct pst_training){ .optimiser_settings = pst_optimiser_defaults(),
                                       .schedule = { .rate = 0.1 },
                                       .ema = ema };
    make_network(&training->network, ARCHITECTURE, 3);
    pst_loss_add(&training->loss, "labels");
    assert_int_equal(pst_training_begin(training, NULL), PST_OK);
}

static void make_step_at(struct pst_training *training, uint64_t number, double position)
{
    static const int32_t labels[SAMPLES] = { 0, 1, 2, 1, 0 };
    static const uint64_t ids[SAMPLES] = { 0, 1, 2, 3, 4 };
    const struct pst_loss_targets targets = { .terms = { labels }, .labels = labels };
    struct pst_loss_sums sums;
    float *input = pst_training_input(training, SAMPLES, NULL);
    assert_non_null(input);
    fill_random(input, SAMPLES * pst_network_inputs(&training->network), 1, number);
    pst_training_step(training, SAMPLES, &targets, ids, 0, position, &sums);
}

static void make_step(struct pst_training *training, uint64_t number)
{
    make_step_at(training, number, 0);
}

static void a_step_has_the_rate_and_the_momentum_of_its_time(void **state)
{
    (void)state;
    struct pst_training training;
    begin(&training, 0);
    training.schedule.final_momentum = 0.5;
    training.schedule.momentum_epochs = 4;
    for (int by_momentum = 0; by_momentum < 2; by_momentum++) {
        training.schedule.by_momentum = by_momentum;
        make_step_at(&training, 1, 1);
        assert_true(fabs(training.optimiser.momentum - 0.8) <= 1e-12);
        assert_true(fabs(training.optimiser.rate - (by_momentum ? 0.02 : 0.1)) <= 1e-12);
    }
    pst_training_free(&training);
}

/* Σ (1 - d) d^(k - i) / (1 - d^k) · what the parameters were after step i, statistics among them. */
static void the_average_is_that_of_its_formula(void **state)
{
    (void)state;
    static const double decays[] = { 0.1, 0.9, 0.999 };
    for (size_t d = 0; d < sizeof decays / sizeof *decays; d++) {
        struct pst_training training;
        begin(&training, decays[d]);
        size_t count = training.network.parameter_count;
        double *sum = needed(count, sizeof *sum), *expected = needed(count, sizeof *expected), weight = 0;
        for (uint64_t k = 1; k <= 30; k++) {
            make_step(&training, k);
            weight = decays[d] * weight + 1;
            for (size_t i = 0; i < count; i++) {
                sum[i] = decays[d] * sum[i] + (double)training.network.parameters[i];
                expected[i] = sum[i] / weight;
            }
            assert_close(pst_training_result(&training), expected, count, 1e-6);
        }
        free(sum);
        free(expected);
        pst_training_free(&training);
    }
}

static void the_average_changes_no_bit_of_what_is_trained(void **state)
{
    (void)state;
    struct pst_training plain, averaged;
    begin(&plain, 0);
    begin(&averaged, 0.9);
    for (uint64_t k = 0; k < 5; k++) {
        make_step(&plain, k);
        make_step(&averaged, k);
    }
    size_t bytes = plain.network.parameter_count * sizeof(float);
    assert_memory_equal(plain.network.parameters, averaged.network.parameters, bytes);
    assert_ptr_equal(pst_training_result(&plain), plain.network.parameters);
    assert_int_equal(pst_training_memory(&averaged, 1) - pst_training_memory(&plain, 1), bytes);
    pst_training_free(&plain);
    pst_training_free(&averaged);
}

static void a_checkpoint_keeps_the_average(void **state)
{
    (void)state;
    char path[] = "/tmp/pipestill-test-XXXXXX";
    close(mkstemp(path));
    struct pst_training training, resumed, without;
    json_t *object = json_object(), *read;
    begin(&training, 0.9);
    for (uint64_t k = 0; k < 5; k++)
        make_step(&training, k);
    assert_int_equal(pst_checkpoint_write(path, &training, NULL, object, NULL), PST_OK);
    begin(&resumed, 0.9);
    assert_int_equal(pst_checkpoint_read(path, &resumed, NULL, &read, NULL), PST_OK);
    json_decref(read);
    make_step(&training, 9);
    make_step(&resumed, 9);
    size_t bytes = training.network.parameter_count * sizeof(float);
    assert_memory_equal(training.average, resumed.average, bytes);
    begin(&without, 0);
    assert_int_equal(pst_checkpoint_write(path, &without, NULL, object, NULL), PST_OK);
    assert_int_equal(pst_checkpoint_read(path, &resumed, NULL, &read, NULL), PST_BAD_DATA);
    json_decref(read);
    json_decref(object);
    unlink(path);
    pst_training_free(&training);
    pst_training_free(&resumed);
    pst_training_free(&without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_has_the_rate_and_the_momentum_of_its_time),
        cmocka_unit_test(the_average_is_that_of_its_formula),
        cmocka_unit_test(the_average_changes_no_bit_of_what_is_trained),
        cmocka_unit_test(a_checkpoint_keeps_the_average),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
