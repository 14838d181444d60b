/* The area under the ROC curve and the most frequent confusions, worked out by hand. */
#include "pipestill/metrics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define assert_near(a, b) assert_true(fabs((a) - (b)) <= 1e-12)

/* The AUC of one label; kept: how many scores may be kept. */
static double area(size_t kept, size_t count, const float *scores, const uint8_t *bits)
{
    struct pst_auc auc = { .labels = 1, .most = kept };
    double area = -1;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pst_auc_add(&auc, &scores[i], &bits[i], NULL), PST_OK);
    assert_int_equal(pst_auc_areas(&auc, &area, NULL), PST_OK);
    pst_auc_free(&auc);
    assert_null(auc.scores);
    return area;
}

static void ties_count_half(void **state)
{
    (void)state;
    const float scores[] = { -1, 2, 2, 0, -0.0F };
    assert_near(area(5, 5, scores, (uint8_t[]){ 0, 0, 1, 0, 1 }), (1 + 0.5 + 1 + 1 + 0 + 0.5) / 6);
    assert_near(area(5, 5, scores, (uint8_t[]){ 0, 1, 1, 0, 0 }), 1);
    assert_near(area(5, 5, scores, (uint8_t[]){ 1, 0, 0, 1, 1 }), 0);
}

static void an_area_without_both_kinds_of_samples_is_undefined(void **state)
{
    (void)state;
    const float scores[] = { 1, 2 };
    assert_true(isnan(area(9, 2, scores, (uint8_t[]){ 1, 1 })));
    assert_true(isnan(area(9, 2, scores, (uint8_t[]){ 0, 0 })));
    assert_true(isnan(area(9, 0, NULL, NULL)));
}

static void too_many_scores_leave_no_area(void **state)
{
    (void)state;
    const float scores[] = { 1, 2, 3 };
    const uint8_t bits[] = { 0, 1, 0 };
    assert_near(area(3, 3, scores, bits), 0.5);
    assert_true(isnan(area(2, 3, scores, bits)));
    assert_true(isnan(area(0, 3, scores, bits)));
}

/* More scores than are sorted without tables, with all values of each byte. Score i has the label if i is
 * odd. */
static void thousands_of_scores_are_sorted(void **state)
{
    (void)state;
    enum { COUNT = 70000 };
    struct pst_auc auc = { .labels = 2, .most = (size_t)2 * COUNT };
    double areas[2];
    for (int i = 0; i < COUNT; i++) {
        int mixed = (int)((int64_t)i * 30011 % COUNT); /* every number once */
        const float row[2] = { (float)(mixed - COUNT / 2), ldexpf((float)mixed, -140) };
        assert_int_equal(pst_auc_add(&auc, row, (uint8_t[]){ (mixed & 1) != 0, mixed >= COUNT / 4 }, NULL),
                         PST_OK);
    }
    assert_int_equal(pst_auc_areas(&auc, areas, NULL), PST_OK);
    assert_near(areas[0], 0.5 + 1.0 / COUNT); /* m (m + 1) / 2 of m m pairs, m = COUNT / 2 */
    assert_near(areas[1], 1);
    pst_auc_free(&auc);
}

static void the_most_frequent_confusions_come_first(void **state)
{
    (void)state;
    static uint64_t confusion[30 * 30];
    struct pst_confusion found[PST_MOST_CONFUSIONS];
    assert_int_equal(pst_find_confusions(confusion, 30, found), 0);
    for (size_t i = 0; i < 30; i++) {
        confusion[i * 30 + i] = 99;
        confusion[i * 30 + (i + 1) % 30] = i == 17 ? 5 : i == 20 ? 7 : 1;
    }
    assert_int_equal(pst_find_confusions(confusion, 30, found), PST_MOST_CONFUSIONS);
    assert_true(found[0].label == 20 && found[0].predicted == 21 && found[0].samples == 7);
    assert_true(found[1].label == 17 && found[1].samples == 5);
    assert_true(found[2].label == 0 && found[19].label == 18 && found[19].samples == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ties_count_half),
        cmocka_unit_test(an_area_without_both_kinds_of_samples_is_undefined),
        cmocka_unit_test(too_many_scores_leave_no_area),
        cmocka_unit_test(thousands_of_scores_are_sorted),
        cmocka_unit_test(the_most_frequent_confusions_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
