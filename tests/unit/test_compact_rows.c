/* The forms of soft targets, row by row: how near restored rows are, and what is refused. */
#include "tests/unit/compact_fixture.h"

#define CLASSES 10
#define MANY 1000

static double scratch[MANY];

/* Packs a row and restores it, with parts of its own. */
static void there_and_back(const struct pst_target *target, const float *row, float *again)
{
    uint16_t memory[MOST_PARTS][MANY];
    void *parts[MOST_PARTS] = { memory[0], memory[1], memory[2] };
    struct pst_random random;
    pst_random_start(&random, 1, PST_RANDOM_DRAWS, 0, 0);
    assert_null(pst_row_pack(target, row, parts, &random, scratch));
    assert_null(pst_row_restore(target, (const void *const *)parts, again, scratch));
}

static void levels_are_no_further_than_half_a_step(void **state)
{
    (void)state;
    struct pst_target target = make_target("soft", PST_COMPACT_U8, CLASSES, 0);
    for (uint64_t id = 0; id < 200; id++) {
        float row[CLASSES], again[CLASSES];
        uint8_t levels[CLASSES];
        uint16_t step;
        make_row(row, CLASSES, id % 4 ? 1.5 : 0.001, id);
        assert_null(pst_u8_pack(&target, row, levels, &step, NULL, scratch));
        assert_null(pst_u8_restore(&target, levels, step, 0, again, scratch));
        assert_true(fabs(sum_of(again, CLASSES) - 1) < 1e-6);
        double half = (double)pst_half_to_f32(step) / 2 + 1e-5;
        size_t best = 0;
        for (size_t c = 1; c < CLASSES; c++)
            best = row[c] > row[best] ? c : best;
        assert_int_equal(levels[best], 0);
        for (size_t c = 0; c < CLASSES; c++) {
            double full = log((double)row[c] / (double)row[best]);
            assert_true(fabs(full - log((double)again[c] / (double)again[best])) <= half);
        }
    }
}

static void a_hopeless_class_does_not_waste_levels(void **state)
{
    (void)state;
    struct pst_target target = make_target("soft", PST_COMPACT_U8, CLASSES, 0);
    float row[CLASSES] = { 0.41F, 0.26F, 0.17F, 0.09F, 0.07F, 1e-38F }, again[CLASSES];
    there_and_back(&target, row, again);
    for (size_t c = 0; c < 5; c++) /* half a step of (12 + ln 10) / 255 */
        assert_true(fabs(log((double)again[c] / (double)row[c])) < 0.029);
    for (size_t c = 5; c < CLASSES; c++)
        assert_true(again[c] > 0 && again[c] < 1e-6F);
    assert_true(pst_row_divergence(&target, row, again) < 3e-4);
}

static void logits_in_levels_keep_their_height(void **state)
{
    (void)state;
    struct pst_target target = make_target("logits/t", PST_COMPACT_U8, CLASSES, 0);
    float row[CLASSES] = { -30, 17.3F, 0, 1, 2, 3, 4, 5, 60.01F, -2 }, again[CLASSES];
    there_and_back(&target, row, again);
    for (size_t c = 0; c < CLASSES; c++)
        assert_true(fabs((double)(row[c] - again[c])) <= 90.1 / 255 / 2 + 1e-4);
    for (size_t c = 0; c < CLASSES; c++)
        row[c] -= 100; /* the largest one is below 0 */
    there_and_back(&target, row, again);
    for (size_t c = 0; c < CLASSES; c++)
        assert_true(fabs((double)(row[c] - again[c])) <= 90.1 / 255 / 2 + 1e-4);
    float equal[CLASSES] = { 0 };
    there_and_back(&target, equal, again);
    assert_memory_equal(equal, again, sizeof equal);
}

static void many_powers_by_table_are_the_plain_ones(void **state)
{
    (void)state;
    uint8_t levels[MANY];
    double plain[MANY], fast[MANY];
    for (size_t c = 0; c < MANY; c++)
        levels[c] = (uint8_t)(c * 37);
    pst_u8_powers(levels, 0.0371, MANY, fast);
    pst_u8_powers_plain(levels, 0.0371, MANY, plain);
    assert_memory_equal(plain, fast, sizeof plain);
}

/* The oracle: classes sorted by insertion. */
static double choose_plainly(const float *row, size_t classes, size_t k, uint16_t *chosen)
{
    uint16_t order[MANY];
    for (size_t c = 0; c < classes; c++) {
        size_t at = c;
        for (; at > 0 && row[order[at - 1]] < row[c]; at--)
            order[at] = order[at - 1];
        order[at] = (uint16_t)c;
    }
    memcpy(chosen, order, k * sizeof *chosen);
    double others = 0;
    for (size_t i = k; i < classes; i++)
        others += (double)row[order[i]];
    return others;
}

static void the_top_is_that_of_a_sorted_row(void **state)
{
    (void)state;
    for (uint64_t id = 0; id < 60; id++) {
        float row[MANY];
        uint16_t chosen[MANY], expected[MANY];
        size_t k = 1 + (size_t)(id * 17) % (MANY - 1);
        make_row(row, MANY, 2, id);
        for (size_t c = 0; id % 3 == 0 && c < MANY; c++)
            row[c] = (float)((c * 7 + (size_t)id) % 5); /* many equal numbers */
        double others = pst_top_choose(row, MANY, k, chosen), sum = choose_plainly(row, MANY, k, expected);
        assert_memory_equal(chosen, expected, k * sizeof *chosen);
        assert_true(fabs(others - sum) <= 1e-12 * fmax(sum, 1e-300));
    }
}

/* 1 - Σp would lose this tail: the sum of the top is 1 in f32, and within 1e-8 of it in f64. */
static void a_tail_far_below_rounding_keeps_its_mass(void **state)
{
    (void)state;
    struct pst_target target = make_target("soft", PST_COMPACT_TOP_K, CLASSES, 2);
    float row[CLASSES] = { 1e-30F, 0.75F, 0.25F, 3e-30F }, again[CLASSES];
    there_and_back(&target, row, again);
    assert_true(fabsf(again[1] - 0.75F) < 1e-4F && fabsf(again[2] - 0.25F) < 1e-4F);
    for (size_t c = 0; c < CLASSES; c++) { /* an f16 of ln 4e-30 = -67.7 is up to 1/32 off */
        if (c != 1 && c != 2)
            assert_true(fabs(log((double)again[c] / 0.5e-30)) < 1.0 / 31);
    }
}

static void the_tail_is_shared_evenly_and_all_sums_to_1(void **state)
{
    (void)state;
    struct pst_target target = make_target("soft", PST_COMPACT_TOP_K, MANY, 20);
    float row[MANY], again[MANY];
    uint16_t chosen[MANY];
    make_row(row, MANY, 2, 3);
    there_and_back(&target, row, again);
    double others = pst_top_choose(row, MANY, 20, chosen);
    assert_true(fabs(sum_of(again, MANY) - 1) < 1e-6);
    for (size_t i = 0; i < 20; i++)
        assert_true(fabs(log((double)again[chosen[i]] / (double)row[chosen[i]])) < 0.005);
    size_t shared = 0;
    for (size_t c = 0; c < MANY; c++)
        shared += fabs(log((double)again[c] / (others / (MANY - 20)))) < 0.005;
    assert_true(shared >= MANY - 20);
    float certain[MANY] = { [7] = 1 };
    there_and_back(&target, certain, again);
    assert_memory_equal(certain, again, sizeof certain);
}

static void no_class_is_drawn_a_whole_time_too_often_or_too_rarely(void **state)
{
    (void)state;
    for (uint64_t id = 0; id < 300; id++) {
        float row[MANY];
        uint16_t drawn[64];
        size_t counts[MANY] = { 0 }, draws = 1 + (size_t)id % 64;
        struct pst_random random;
        make_row(row, MANY, 3, id);
        row[5] = row[MANY - 1] = 0;
        pst_random_start(&random, 1, PST_RANDOM_DRAWS, 0, id);
        double sum = sum_of(row, MANY), offset = pst_random_uniform(&random);
        if (id % 10 == 0)
            offset = id % 20 ? 0 : 1 - 0x1p-53;
        pst_draw_systematically(row, MANY, offset, draws, drawn);
        for (size_t i = 0; i < draws; i++) {
            counts[drawn[i]]++;
            assert_true(i == 0 || drawn[i - 1] <= drawn[i]);
        }
        for (size_t c = 0; c < MANY; c++)
            assert_true(fabs((double)counts[c] - (double)draws * (double)row[c] / sum) < 1 + 1e-9);
        assert_int_equal(counts[5] + counts[MANY - 1], 0);
    }
}

static void draws_are_restored_as_shares(void **state)
{
    (void)state;
    struct pst_target target = make_target("soft", PST_COMPACT_SAMPLED, 4, 3);
    float row[4];
    assert_null(pst_draws_restore(&target, (uint16_t[]){ 2, 2, 2 }, row));
    assert_memory_equal(row, ((float[]){ 0, 0, 1, 0 }), sizeof row);
    assert_null(pst_draws_restore(&target, (uint16_t[]){ 3, 0, 3 }, row));
    assert_memory_equal(row, ((float[]){ 1.0F / 3, 0, 0, 2.0F / 3 }), sizeof row);
}

static void divergences_are_those_worked_out_by_hand(void **state)
{
    (void)state;
    struct pst_target soft = make_target("soft", PST_COMPACT_F32, 2, 0);
    struct pst_target logits = make_target("logits", PST_COMPACT_F32, 2, 0);
    float full[2] = { 0.75F, 0.25F }, half[2] = { 0.5F, 0.5F }, certain[2] = { 1, 0 };
    double expected = 0.75 * log(1.5) + 0.25 * log(0.5);
    assert_true(fabs(pst_row_divergence(&soft, full, half) - expected) < 1e-12);
    assert_true(pst_row_divergence(&soft, full, full) == 0);
    expected = 0.75 * log(0.75) + 0.25 * (log(0.25) + 126 * log(2));
    assert_true(fabs(pst_row_divergence(&soft, full, certain) - expected) < 1e-9);
    float high[2] = { 1000 + logf(3), 1000 }, flat[2] = { -5, -5 };
    expected = 0.75 * log(1.5) + 0.25 * log(0.5);
    assert_true(fabs(pst_row_divergence(&logits, high, flat) - expected) < 1e-4);
}

static void logits_beyond_the_steps_are_refused(void **state)
{
    (void)state;
    struct pst_target levels = make_target("logits/t", PST_COMPACT_U8, 2, 0);
    uint16_t memory[MOST_PARTS][2];
    void *parts[MOST_PARTS] = { memory[0], memory[1], memory[2] };
    assert_non_null(pst_row_pack(&levels, (float[]){ 0, 70000 }, parts, NULL, scratch));
    assert_non_null(pst_row_pack(&levels, (float[]){ -1e8F, 0 }, parts, NULL, scratch));
    assert_null(pst_row_pack(&levels, (float[]){ -1e6F, 60000 }, parts, NULL, scratch));
}

static void compact_rows_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    float row[3];
    const uint16_t nan = 0x7E00, minus = 0xBC00, plus = 0x3C00, minus_infinity = 0xFC00;
    struct pst_target levels = make_target("soft", PST_COMPACT_U8, 3, 0);
    uint8_t zero[3] = { 0 }, high[3] = { 200, 200, 200 };
    assert_null(pst_u8_restore(&levels, zero, plus, 0, row, scratch));
    assert_non_null(strstr(pst_u8_restore(&levels, zero, nan, 0, row, scratch), "step"));
    assert_non_null(strstr(pst_u8_restore(&levels, zero, minus, 0, row, scratch), "step"));
    assert_non_null(strstr(pst_u8_restore(&levels, high, plus, 0, row, scratch), "level 0"));
    assert_non_null(strstr(pst_u8_restore(&levels, zero, plus, nan, row, scratch), "largest"));
    struct pst_target top = make_target("soft", PST_COMPACT_TOP_K, 3, 2);
    uint16_t chosen[2] = { 2, 0 },
             halves[2] = { pst_half_from_f32(logf(0.5F)), pst_half_from_f32(logf(0.4F)) };
    uint16_t tail = pst_half_from_f32(logf(0.1F)), some[2] = { halves[0], nan };
    assert_null(pst_top_restore(&top, chosen, halves, tail, row, scratch));
    assert_true(fabsf(row[1] - 0.1F) < 1e-3F && fabsf(row[2] - 0.5F) < 1e-3F);
    assert_non_null(
        strstr(pst_top_restore(&top, (uint16_t[]){ 0, 3 }, halves, tail, row, scratch), "not one"));
    assert_non_null(strstr(pst_top_restore(&top, (uint16_t[]){ 1, 1 }, halves, tail, row, scratch), "twice"));
    assert_non_null(pst_top_restore(&top, chosen, some, tail, row, scratch));
    assert_non_null(pst_top_restore(&top, chosen, halves, plus, row, scratch));
    assert_non_null(pst_top_restore(&top, chosen, halves, minus_infinity, row, scratch));
    struct pst_target sampled = make_target("soft", PST_COMPACT_SAMPLED, 3, 2);
    assert_non_null(pst_draws_restore(&sampled, (uint16_t[]){ 0, 3 }, row));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_no_further_than_half_a_step),
        cmocka_unit_test(a_hopeless_class_does_not_waste_levels),
        cmocka_unit_test(logits_in_levels_keep_their_height),
        cmocka_unit_test(many_powers_by_table_are_the_plain_ones),
        cmocka_unit_test(the_top_is_that_of_a_sorted_row),
        cmocka_unit_test(a_tail_far_below_rounding_keeps_its_mass),
        cmocka_unit_test(the_tail_is_shared_evenly_and_all_sums_to_1),
        cmocka_unit_test(no_class_is_drawn_a_whole_time_too_often_or_too_rarely),
        cmocka_unit_test(draws_are_restored_as_shares),
        cmocka_unit_test(divergences_are_those_worked_out_by_hand),
        cmocka_unit_test(logits_beyond_the_steps_are_refused),
        cmocka_unit_test(compact_rows_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests_name("forms of soft targets", tests, NULL, NULL);
}
