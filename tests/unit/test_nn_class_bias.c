/* Biases of classes, found from predictions. */
#include "pipestill/nn.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { SAMPLES = 500, CLASSES = 5 };

static float scores[SAMPLES * CLASSES];
static int32_t labels[SAMPLES];

/* Noisy predictions that favour the label; those of class 3 are much too low. */
static int make_predictions(void **state)
{
    (void)state;
    struct pst_random random;
    pst_random_start(&random, 7, PST_RANDOM_DROPOUT, 0, 0);
    for (size_t i = 0; i < SAMPLES; i++) {
        labels[i] = (int32_t)pst_random_below(&random, CLASSES);
        for (int32_t j = 0; j < CLASSES; j++)
            scores[i * CLASSES + (size_t)j] =
                (float)(2 * pst_random_normal(&random) + (j == labels[i] ? 3 : 0) - (j == 3 ? 4 : 0));
    }
    return 0;
}

static size_t count_errors(const bool *free_classes, double shift)
{
    size_t errors = 0;
    for (size_t i = 0; i < SAMPLES; i++) {
        size_t best = 0;
        double most = -INFINITY;
        for (size_t j = 0; j < CLASSES; j++) {
            double score = (double)scores[i * CLASSES + j] + (free_classes[j] ? shift : 0);
            if (score > most) {
                most = score;
                best = j;
            }
        }
        errors += best != (size_t)labels[i];
    }
    return errors;
}

static void no_other_shift_gives_fewer_errors(void **state)
{
    (void)state;
    const bool chosen[][CLASSES] = { { 0, 0, 0, 1, 0 }, { 1, 0, 0, 1, 0 }, { 1, 1, 1, 0, 1 } };
    for (size_t k = 0; k < 3; k++) {
        struct pst_class_bias_problem problem = { scores, SAMPLES, CLASSES, chosen[k] };
        double shift;
        assert_int_equal(pst_class_bias_fewest_errors(&problem, labels, &shift, NULL), PST_OK);
        size_t errors = count_errors(chosen[k], shift);
        assert_true(errors < count_errors(chosen[k], 0));
        for (double other = -20; other < 20; other += 0.01)
            assert_true(errors <= count_errors(chosen[k], other));
    }
}

static void a_shift_that_may_be_as_large_as_one_likes_stays_near(void **state)
{
    (void)state;
    const float two[] = { 3, 1, 5, 2 };
    const bool second[] = { false, true };
    struct pst_class_bias_problem problem = { two, 2, 2, second };
    double shift;
    assert_int_equal(pst_class_bias_fewest_errors(&problem, (const int32_t[]){ 1, 1 }, &shift, NULL), PST_OK);
    assert_true(shift == 4);
    assert_int_equal(pst_class_bias_fewest_errors(&problem, (const int32_t[]){ 0, 0 }, &shift, NULL), PST_OK);
    assert_true(shift == 1);
    assert_int_equal(pst_class_bias_fewest_errors(&problem, (const int32_t[]){ 1, 0 }, &shift, NULL), PST_OK);
    assert_true(shift == 2.5);
}

static void a_shift_of_all_classes_is_none(void **state)
{
    (void)state;
    const bool all[CLASSES] = { 1, 1, 1, 1, 1 };
    struct pst_class_bias_problem problem = { scores, SAMPLES, CLASSES, all };
    double shift = 9;
    assert_int_equal(pst_class_bias_fewest_errors(&problem, labels, &shift, NULL), PST_OK);
    assert_true(shift == 0);
}

static double share_of(size_t class, const double *bias)
{
    double share = 0;
    for (size_t i = 0; i < SAMPLES; i++) {
        double sum = 0;
        for (size_t j = 0; j < CLASSES; j++)
            sum += exp((double)scores[i * CLASSES + j] + bias[j]);
        share += exp((double)scores[i * CLASSES + class] + bias[class]) / sum;
    }
    return share / SAMPLES;
}

static void classes_get_the_mass_asked_for(void **state)
{
    (void)state;
    const double mass[CLASSES] = { 0.1, 0.2, 0.15, 0.25, 0.3 };
    const bool chosen[][CLASSES] = { { 0, 0, 0, 1, 0 }, { 1, 0, 0, 1, 0 }, { 1, 1, 1, 1, 1 } };
    for (size_t k = 0; k < 3; k++) {
        struct pst_class_bias_problem problem = { scores, SAMPLES, CLASSES, chosen[k] };
        double bias[CLASSES];
        assert_int_equal(pst_class_bias_match_mass(&problem, mass, bias, NULL), PST_OK);
        for (size_t j = 0; j < CLASSES; j++) {
            if (chosen[k][j])
                assert_true(fabs(share_of(j, bias) - mass[j]) < 1e-6);
            else
                assert_true(bias[j] == 0);
        }
    }
}

static void a_bias_is_the_one_worked_out_by_hand(void **state)
{
    (void)state;
    const float even[] = { 0, 0 };
    const bool first[] = { true, false };
    struct pst_class_bias_problem problem = { even, 1, 2, first };
    double bias[2];
    assert_int_equal(pst_class_bias_match_mass(&problem, (const double[]){ 0.8, 0 }, bias, NULL), PST_OK);
    assert_true(fabs(bias[0] - log(4)) < 1e-5);
}

static void a_mass_that_no_bias_can_give_is_refused(void **state)
{
    (void)state;
    const double masses[][CLASSES] = { { 0, 0, 0, 0, 1 }, { 0.5, 0, 0, 0.5, 0 }, { 0.9, 0, 0, 0.9, 0 } };
    const bool chosen[CLASSES] = { 1, 0, 0, 1, 0 };
    struct pst_class_bias_problem problem = { scores, SAMPLES, CLASSES, chosen };
    for (size_t k = 0; k < 3; k++) {
        double bias[CLASSES];
        struct pst_error error = { 0 };
        assert_int_equal(pst_class_bias_match_mass(&problem, masses[k], bias, &error), PST_BAD_DATA);
        assert_non_null(strstr(error.message, "which no bias can do"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_other_shift_gives_fewer_errors),
        cmocka_unit_test(a_shift_that_may_be_as_large_as_one_likes_stays_near),
        cmocka_unit_test(a_shift_of_all_classes_is_none),
        cmocka_unit_test(classes_get_the_mass_asked_for),
        cmocka_unit_test(a_bias_is_the_one_worked_out_by_hand),
        cmocka_unit_test(a_mass_that_no_bias_can_give_is_refused),
    };
    return cmocka_run_group_tests_name("class biases", tests, make_predictions, NULL);
}
