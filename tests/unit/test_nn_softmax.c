/* Softmax at a temperature. */
#include "lib/nn/kernels.h"
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
        { -INFINITY, 1, 2 }, /* a class of probability 0 */
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

/* Within 2 units in the last place of the C library's, in more digits. */
static void assert_within_2_ulp(const double *values, const float *of, size_t count,
                                long double (*truth)(long double))
{
    for (size_t i = 0; i < count; i++) {
        long double expected = truth((long double)of[i]);
        if (!(fabsl((long double)values[i] - expected) <= 4 * 0x1p-53L * fabsl(expected)))
            fail_msg("of %.9g: %.17g, expected %.17Lg", (double)of[i], values[i], expected);
    }
}

static void exponentials_and_logarithms_are_the_true_ones(void **state)
{
    (void)state;
    enum { COUNT = 20011 };
    static float of[COUNT];
    static double values[COUNT];
    for (size_t scale = 1; scale <= 700; scale *= 5) {
        for (size_t i = 0; i < COUNT; i++)
            of[i] = (float)((double)scale * (0.1 - 1.1 * (double)i / COUNT));
        pst_kernel_softmax(values, of, COUNT, 0, 1, 0);
        assert_within_2_ulp(values, of, COUNT, expl);
        for (size_t i = 0; i < COUNT; i++)
            of[i] = expf((float)((double)scale / 10 * (double)(i + 1) / -COUNT));
        pst_kernel_log(values, of, COUNT);
        assert_within_2_ulp(values, of, COUNT, logl);
    }
}

/* The last numbers of a row, which do not fill a vector, have the same bits as elsewhere. */
static void exponentials_and_logarithms_do_not_depend_on_the_row(void **state)
{
    (void)state;
    enum { COUNT = 70 };
    float of[COUNT];
    double powers[COUNT], logs[COUNT], found[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        of[i] = (float)(i + 1) / COUNT;
    pst_kernel_softmax(powers, of, COUNT, 2, 3, 0.5);
    pst_kernel_log(logs, of, COUNT);
    for (size_t first = 0; first < COUNT; first++)
        for (size_t count = 1; first + count <= COUNT; count++) {
            pst_kernel_softmax(found, of + first, count, 2, 3, 0.5);
            assert_memory_equal(found, powers + first, count * sizeof *found);
            pst_kernel_log(found, of + first, count);
            assert_memory_equal(found, logs + first, count * sizeof *found);
        }
}

static void exponentials_and_logarithms_have_their_limits(void **state)
{
    (void)state;
    const float of[] = { -INFINITY, -1e38F, -708.5F, 0, NAN };
    double powers[5], logs[3];
    pst_kernel_softmax(powers, of, 5, 0, 1, 0);
    for (size_t i = 0; i < 3; i++)
        assert_true(powers[i] == 0);
    assert_true(powers[3] == 1 && isnan(powers[4]));
    pst_kernel_log(logs, (const float[]){ 1, NAN, 0 }, 3);
    assert_true(logs[0] == 0 && isnan(logs[1]) && logs[2] == 0);
}

static void the_smallest_temperature_leaves_the_largest_logits_alone(void **state)
{
    (void)state;
    const float logits[] = { 2, 2 - 0x1p-20F, 2, -INFINITY };
    float p[4];
    pst_softmax(logits, p, 1, 4, DBL_TRUE_MIN);
    assert_true(p[0] == 0.5F && p[1] == 0 && p[2] == 0.5F && p[3] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probabilities_are_those_worked_out_by_hand),
        cmocka_unit_test(rows_are_independent_and_may_be_overwritten),
        cmocka_unit_test(every_row_sums_to_one_at_any_temperature_and_any_finite_logits),
        cmocka_unit_test(a_very_small_temperature_leaves_the_largest_logit_alone),
        cmocka_unit_test(the_smallest_temperature_leaves_the_largest_logits_alone),
        cmocka_unit_test(a_very_large_temperature_makes_all_classes_equal),
        cmocka_unit_test(log_softmax_keeps_what_softmax_rounds_to_zero),
        cmocka_unit_test(a_logit_that_is_not_a_number_shows_in_its_whole_row_only),
        cmocka_unit_test(exponentials_and_logarithms_are_the_true_ones),
        cmocka_unit_test(exponentials_and_logarithms_do_not_depend_on_the_row),
        cmocka_unit_test(exponentials_and_logarithms_have_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
