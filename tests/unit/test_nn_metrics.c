/* How good predicted classes are, worked out by hand. */
#include "pipestill/metrics.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_near(a, b) assert_true(fabs((a) - (b)) <= 1e-12)

/* Counts a prediction that gives class 0 the probability p and class 1 the rest. */
static void add(struct pst_metrics *metrics, double p, int32_t label)
{
    const double log_p[2] = { log(p), log1p(-p) };
    const struct pst_prediction prediction = { log_p, p >= 0.5 ? 0 : 1 };
    pst_metrics_add(metrics, &prediction, label);
}

static void sums_are_those_worked_out_by_hand(void **state)
{
    (void)state;
    struct pst_metrics metrics;
    struct pst_error error = { 0 };
    assert_int_equal(pst_metrics_new(&metrics, 2, &error), PST_OK);
    add(&metrics, 0.75, 0); /* right; squared distance 2/16 */
    add(&metrics, 0.75, 1); /* wrong; 18/16 */
    add(&metrics, 0.25, 1); /* right; 2/16 */
    assert_true(metrics.samples == 3 && metrics.errors == 1);
    assert_near(metrics.surprise, -log(0.75) - log(0.25) - log(0.75));
    assert_near(metrics.brier, 22.0 / 16);
    assert_near(pst_metrics_calibration_error(&metrics), 0.75 - 2.0 / 3);
    const uint64_t confusion[4] = { 1, 0, 1, 1 };
    assert_memory_equal(metrics.confusion, confusion, sizeof confusion);
    assert_true(metrics.class_samples[0] == 1 && metrics.class_errors[0] == 0);
    assert_true(metrics.class_samples[1] == 2 && metrics.class_errors[1] == 1);
    pst_metrics_free(&metrics);
    assert_null(metrics.confusion);
}

static void errors_of_calibration_do_not_cancel_between_bins(void **state)
{
    (void)state;
    struct pst_metrics metrics;
    struct pst_error error = { 0 };
    assert_int_equal(pst_metrics_new(&metrics, 2, &error), PST_OK);
    add(&metrics, 0.5, 0);   /* confidence is too low by 1/2 */
    add(&metrics, 0.875, 1); /* confidence is too high by 7/8 */
    assert_near(pst_metrics_calibration_error(&metrics), (0.5 + 0.875) / 2);
    add(&metrics, 0.876, 0); /* in the same bin as 0.875, so the two cancel */
    assert_near(pst_metrics_calibration_error(&metrics), (0.5 + (0.875 + 0.876 - 1)) / 3);
    pst_metrics_free(&metrics);
}

static void full_confidence_falls_into_the_last_bin(void **state)
{
    (void)state;
    struct pst_metrics metrics;
    struct pst_error error = { 0 };
    const double log_p[2] = { 0, -800 };
    const struct pst_prediction prediction = { log_p, 0 };
    assert_int_equal(pst_metrics_new(&metrics, 2, &error), PST_OK);
    pst_metrics_add(&metrics, &prediction, 1);
    assert_near(metrics.gaps[PST_CALIBRATION_BINS - 1], -1);
    assert_near(metrics.surprise, 800);
    pst_metrics_free(&metrics);
}

static void divergence_is_from_the_other_prediction_to_this_one(void **state)
{
    (void)state;
    struct pst_metrics metrics;
    struct pst_error error = { 0 };
    const double half[2] = { log(0.5), log(0.5) }, quarter[2] = { log(0.25), log(0.75) };
    const struct pst_prediction student = { half, 0 }, teacher = { quarter, 1 };
    assert_int_equal(pst_metrics_new(&metrics, 2, &error), PST_OK);
    pst_metrics_compare(&metrics, &student, &teacher);
    pst_metrics_compare(&metrics, &student, &student);
    assert_true(metrics.compared == 2 && metrics.agreed == 1);
    assert_near(metrics.divergence, 0.25 * log(0.25 / 0.5) + 0.75 * log(0.75 / 0.5));
    pst_metrics_free(&metrics);
}

static void figures_without_a_meaning_are_left_out_of_the_json(void **state)
{
    (void)state;
    struct pst_metrics metrics;
    struct pst_error error = { 0 };
    const double log_p[300] = { 0 };
    const struct pst_prediction prediction = { log_p, 0 };
    assert_int_equal(pst_metrics_new(&metrics, 300, &error), PST_OK); /* too many for a matrix */
    struct pst_report empty = { 0 }, report = { 0 };
    pst_metrics_report(&metrics, &empty);
    json_t *none = pst_report_to_json(&empty);
    assert_int_equal(json_object_size(none), 0);
    pst_metrics_add(&metrics, &prediction, 299);
    pst_metrics_report(&metrics, &report);
    json_t *labelled = pst_report_to_json(&report);
    assert_non_null(json_object_get(labelled, "accuracy"));
    assert_null(json_object_get(labelled, "confusion"));
    assert_null(json_object_get(labelled, "kl"));
    assert_int_equal(json_array_size(json_object_get(labelled, "per_class")), 300);
    char *text = pst_report_to_text(&report);
    assert_non_null(strstr(text, "  299          1          1    0.0000 %          -   0.000000\n"));
    free(text);
    json_decref(none);
    json_decref(labelled);
    pst_metrics_free(&metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_worked_out_by_hand),
        cmocka_unit_test(errors_of_calibration_do_not_cancel_between_bins),
        cmocka_unit_test(full_confidence_falls_into_the_last_bin),
        cmocka_unit_test(divergence_is_from_the_other_prediction_to_this_one),
        cmocka_unit_test(figures_without_a_meaning_are_left_out_of_the_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
