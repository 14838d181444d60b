/* How good predicted numbers are, worked out by hand; and sums that stay exact far from 0. */
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

static void add(struct pst_regression *regression, float p0, float p1, float y0, float y1)
{
    pst_regression_add(regression, (float[]){ p0, p1 }, (float[]){ y0, y1 });
}

static void scores_are_those_worked_out_by_hand(void **state)
{
    (void)state;
    struct pst_regression regression;
    assert_int_equal(pst_regression_new(&regression, 2, NULL), PST_OK);
    add(&regression, 1, 0, 2, 10);  /* errors -1, -10 */
    add(&regression, 4, 20, 4, 20); /* 0, 0 */
    add(&regression, 8, 25, 6, 30); /* 2, -5 */
    struct pst_regression_scores first = pst_regression_score(&regression, 0, 1);
    assert_near(first.rmse, sqrt(5.0 / 3));
    assert_near(first.mae, 1);
    assert_near(first.r2, 1 - 5.0 / 8); /* the targets are 2, 0, 2 away from their mean */
    struct pst_regression_scores second = pst_regression_score(&regression, 1, 1);
    assert_near(second.r2, 1 - 125.0 / 200);
    struct pst_regression_scores all = pst_regression_score(&regression, 0, 2);
    assert_near(all.rmse, sqrt(130.0 / 6));
    assert_near(all.mae, 3);
    assert_near(all.r2, 1 - 130.0 / 208);
    pst_regression_free(&regression);
    assert_null(regression.each);
}

static void r2_of_constant_targets_is_undefined(void **state)
{
    (void)state;
    struct pst_regression regression;
    assert_int_equal(pst_regression_new(&regression, 2, NULL), PST_OK);
    for (int i = 0; i < 1000; i++)
        add(&regression, 0, 0, 0.1F, (float)(i % 2));
    assert_true(isnan(pst_regression_score(&regression, 0, 1).r2));
    assert_near(pst_regression_score(&regression, 1, 1).r2, 1 - 500.0 / 250);
    assert_true(pst_regression_score(&regression, 0, 2).r2 < 0);
    struct pst_report report = { 0 };
    pst_regression_report(&regression, &report);
    json_t *object = pst_report_to_json(&report), *rows = json_object_get(object, "per_output");
    assert_int_equal(json_array_size(rows), 2);
    assert_true(json_is_null(json_object_get(json_array_get(rows, 0), "r2")));
    assert_near(json_real_value(json_object_get(json_array_get(rows, 1), "r2")), -1);
    json_decref(object);
    pst_regression_free(&regression);
}

static void a_report_says_undefined(void **state)
{
    (void)state;
    struct pst_regression regression;
    struct pst_report report = { 0 };
    assert_int_equal(pst_regression_new(&regression, 1, NULL), PST_OK);
    pst_regression_add(&regression, (float[]){ 3 }, (float[]){ 1234567 });
    pst_regression_report(&regression, &report);
    char *text = pst_report_to_text(&report);
    assert_string_equal(text, "samples                              1\n"
                              "RMSE                        1.23456e+06\n"
                              "MAE                         1.23456e+06\n"
                              "R squared                    undefined\n"
                              "\n"
                              "output        RMSE         MAE  R squared\n"
                              "     0 1.23456e+06 1.23456e+06          -\n");
    free(text);
    pst_regression_free(&regression);
}

/* The textbook's Σ y² - n · mean² would have no digit left. */
static void the_spread_is_exact_far_from_0(void **state)
{
    (void)state;
    struct pst_regression regression;
    assert_int_equal(pst_regression_new(&regression, 1, NULL), PST_OK);
    for (int i = 0; i < 300000; i++) {
        float target = 16000000.0F + (float)(i % 3);
        pst_regression_add(&regression, (float[]){ target + 1 }, (float[]){ target });
    }
    assert_true(fabs(regression.each->spread - 200000) < 1e-3);
    assert_true(fabs(pst_regression_score(&regression, 0, 1).r2 + 0.5) < 1e-8);
    pst_regression_free(&regression);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_worked_out_by_hand),
        cmocka_unit_test(r2_of_constant_targets_is_undefined),
        cmocka_unit_test(a_report_says_undefined),
        cmocka_unit_test(the_spread_is_exact_far_from_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
