/* How good predicted bits are, worked out by hand. */
#include "pipestill/metrics.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct pst_label_scores count_four_samples(void)
{
    static const float logits[4][3] = { { 1, -1, -2 }, { 2, 1, -2 }, { -1, -1, -2 }, { 0, 3, -2 } };
    static const uint8_t bits[4][3] = { { 1, 0, 0 }, { 0, 1, 0 }, { 1, 0, 0 }, { 0, 0, 0 } };
    struct pst_label_scores scores;
    assert_int_equal(pst_label_scores_new(&scores, 3, NULL), PST_OK);
    for (size_t i = 0; i < 4; i++)
        pst_label_scores_add(&scores, logits[i], bits[i]);
    return scores;
}

static void counts_are_those_worked_out_by_hand(void **state)
{
    (void)state;
    struct pst_label_scores scores = count_four_samples();
    assert_true(scores.samples == 4 && scores.wrong_samples == 3);
    const struct pst_label_counts expected[3] = { { 1, 1, 1 }, { 1, 1, 0 }, { 0, 0, 0 } };
    assert_memory_equal(scores.each, expected, sizeof expected);
    pst_label_scores_free(&scores);
    assert_null(scores.each);
}

static void a_report_shows_all_bits_and_each_label(void **state)
{
    (void)state;
    struct pst_label_scores scores = count_four_samples();
    struct pst_report report = { 0 };
    pst_label_scores_report(&scores, &report);
    char *text = pst_report_to_text(&report);
    assert_string_equal(text, "samples                              4\n"
                              "samples with a wrong bit             3\n"
                              "wrong bits                           3\n"
                              "share of wrong bits            25.0000 %\n"
                              "precision                     0.500000\n"
                              "recall                        0.666667\n"
                              "F1                            0.571429\n"
                              "macro precision               0.333333\n"
                              "macro recall                  0.500000\n"
                              "macro F1                      0.388889\n"
                              "\n"
                              "label  positives     errors  precision     recall         F1\n"
                              "    0          2          2   0.500000   0.500000   0.500000\n"
                              "    1          1          1   0.500000   1.000000   0.666667\n"
                              "    2          0          0          -          -          -\n");
    free(text);
    json_t *object = pst_report_to_json(&report);
    json_t *last = json_array_get(json_object_get(object, "per_label"), 2);
    assert_int_equal(json_integer_value(json_object_get(last, "label")), 2);
    assert_true(json_is_null(json_object_get(last, "f1")));
    assert_true(json_real_value(json_object_get(object, "wrong_bit_share")) == 0.25);
    json_decref(object);
    pst_label_scores_free(&scores);
}

/* A logit of 0 is a probability of 1/2, so the label is not predicted. */
static void a_logit_of_0_predicts_no_label(void **state)
{
    (void)state;
    struct pst_label_scores scores;
    assert_int_equal(pst_label_scores_new(&scores, 1, NULL), PST_OK);
    pst_label_scores_add(&scores, (float[]){ 0 }, (uint8_t[]){ 0 });
    pst_label_scores_add(&scores, (float[]){ -0.0F }, (uint8_t[]){ 1 });
    assert_true(scores.wrong_samples == 1 && scores.each->false_negatives == 1);
    pst_label_scores_free(&scores);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_those_worked_out_by_hand),
        cmocka_unit_test(a_report_shows_all_bits_and_each_label),
        cmocka_unit_test(a_logit_of_0_predicts_no_label),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
