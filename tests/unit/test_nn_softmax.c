/* Softmax at a temperature. */
#include "pipestill/nn.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

#define CLASSES 3

static void probabilities_are_those_worked_out_by_hand(void **state)
{
    (void)state;
    /* exp of the logits is 1, 2, 5 at T = 1, so the shares are eighths; at T = 2 they are 1, √2, √5. */
    float logits[CLASSES] = { 0, logf(2), logf(5) }, p[CLASSES];
    pst_softmax(logits, p, 1, CLASSES, 1);
    assert_near(p[0], 0.125, 1e-6);
    assert_near(p[1], 0.25, 1e-6);
    assert_near(p[2], 0.625, 1e-6);
    double sum = 1 + sqrt(2) + sqrt(5);
    pst_softmax(logits, p, 1, CLASSES, 2);
    assert_near(p[0], 1 / sum, 1e-6);
    assert_near(p[1], sqrt(2) / sum, 1e-6);
    assert_near(p[2], sqrt(5) / sum, 1e-6);
}

static void rows_are_independent_and_may_be_overwritten(void **state)
{
    (void)state;
    float logits[2 * CLASSES] = { 1, 2, 3, -4, 500, 6 }, apart[2 * CLASSES];
    pst_softmax(logits, apart, 1, CLASSES, 3);
    pst_softmax(logits + CLASSES, apart + CLASSES, 1, CLASSES, 3);
    pst_softmax(logits, logits, 2, CLASSES, 3);
    assert_memory_equal(logits, apart, sizeof logits);
}

static void every_row_sums_to_one_at_any_temperature_and_any_finite_logits(void **state)
{
    (void)state;
    const float rows[][CLASSES] = {
        { 0, 0, 0 },
        { FLT_MAX, -FLT_MAX, 0 },
        { FLT_MAX, FLT_MAX, FLT_MAX },
        { -FLT_MAX, -FLT_MAX, -FLT_MAX },
        { FLT_TRUE_MIN, 0, -FLT_TRUE_MIN },
        { 1000, 1001, 999 },
        { -INFINITY, 1, 2 }, /* a class that is ruled out */
    };
    const double temperatures[] = { 4.9e-324, 1e-300, 1e-9, 0.01, 1, 20, 1e9, 1e300, DBL_MAX };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t t = 0; t < sizeof temperatures / sizeof *temperatures; t++) {
            float p[CLASSES];
            pst_softmax(rows[i], p, 1, CLASSES, temperatures[t]);
            double sum = 0;
            for (size_t j = 0; j < CLASSES; j++) {
                assert_true(p[j] >= 0 && p[j] <= 1);
                sum += (double)p[j];
            }
            assert_near(sum, 1, 1e-6);
        }
    }
}

static void a_very_small_temperature_leaves_the_largest_logit_alone(void **state)
{
    (void)state;
    const float logits[CLASSES] = { 1, 1.0001F, -3 };
    float p[CLASSES];
    pst_softmax(logits, p, 1, CLASSES, 1e-300);
    assert_true(p[0] == 0 && p[1] == 1 && p[2] == 0);
}

static void a_very_large_temperature_makes_all_classes_equal(void **state)
{
    (void)state;
    const float logits[CLASSES] = { -FLT_MAX, 0, FLT_MAX };
    float p[CLASSES];
    pst_softmax(logits, p, 1, CLASSES, 1e300);
    for (size_t j = 0; j < CLASSES; j++)
        assert_near(p[j], 1.0 / CLASSES, 1e-7);
}

static void log_softmax_keeps_what_softmax_rounds_to_zero(void **state)
{
    (void)state;
    const float logits[CLASSES] = { 2000, 0, -1000 };
    double log_p[CLASSES];
    pst_log_softmax(logits, log_p, CLASSES, 1);
    assert_true(log_p[0] == 0 && log_p[1] == -2000 && log_p[2] == -3000);
    pst_log_softmax(logits, log_p, CLASSES, 1000);
    double sum = 0;
    for (size_t j = 0; j < CLASSES; j++)
        sum += exp(log_p[j]);
    assert_near(sum, 1, 1e-12);
    assert_near(log_p[0] - log_p[2], 3, 1e-12);
}

static void a_logit_that_is_not_a_number_shows_in_its_whole_row_only(void **state)
{
    (void)state;
    const float logits[3 * CLASSES] = { 0, NAN, 1, NAN, 0, 1, 0, 1, 2 };
    float p[3 * CLASSES];
    pst_softmax(logits, p, 3, CLASSES, 2);
    for (size_t j = 0; j < 2 * CLASSES; j++)
        assert_true(isnan(p[j]));
    for (size_t j = 2 * CLASSES; j < 3 * CLASSES; j++)
        assert_true(isfinite(p[j]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probabilities_are_those_worked_out_by_hand),
        cmocka_unit_test(rows_are_independent_and_may_be_overwritten),
        cmocka_unit_test(every_row_sums_to_one_at_any_temperature_and_any_finite_logits),
        cmocka_unit_test(a_very_small_temperature_leaves_the_largest_logit_alone),
        cmocka_unit_test(a_very_large_temperature_makes_all_classes_equal),
        cmocka_unit_test(log_softmax_keeps_what_softmax_rounds_to_zero),
        cmocka_unit_test(a_logit_that_is_not_a_number_shows_in_its_whole_row_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
