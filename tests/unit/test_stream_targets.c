/* Tensors of targets: which one is meant, and which rows are refused, with the reason. */
#include "tests/unit/stream_fixture.h"

#include <math.h>

static const char *const logits_first[] = { "logits", "soft", NULL };
static const char *const soft_first[] = { "soft", "logits", NULL };

static void names_tell_logits_from_soft_targets(void **state)
{
    (void)state;
    bool logits;
    assert_true(pst_target_kind("logits", &logits) && logits);
    assert_true(pst_target_kind("logits/t", &logits) && logits);
    assert_true(pst_target_kind("soft", &logits) && !logits);
    assert_true(pst_target_kind("soft/t", &logits) && !logits);
    assert_false(pst_target_kind("logitsx", &logits));
    assert_false(pst_target_kind("softer/t", &logits));
    assert_false(pst_target_kind("y", &logits));
}

/* The name of the tensor that is found in a stream of these tensors; "" if there is none. */
static void find(const char *const *names, const char *named, const char *const *kinds, const char *expected)
{
    struct pst_header header = { 0 };
    size_t index;
    for (; *names != NULL; names++)
        add_tensor(&header, *names, PST_DTYPE_F32, 3);
    assert_int_equal(pst_target_find(&header, named, "--of", kinds, &index, NULL), PST_OK);
    assert_string_equal(index == PST_NONE ? "" : header.tensors[index].name, expected);
    pst_header_free(&header);
}

static void the_tensor_that_is_named_is_found(void **state)
{
    (void)state;
    const char *const names[] = { "y", "logits/a", "logits/b", "soft", NULL };
    find(names, "logits/b", logits_first, "logits/b");
    find(names, "y", logits_first, "y");
}

static void a_mean_goes_before_a_single_one_and_kinds_keep_their_order(void **state)
{
    (void)state;
    const char *const means[] = { "logits/a", "logits", "soft/a", "soft", NULL };
    find(means, NULL, logits_first, "logits");
    find(means, NULL, soft_first, "soft");
    const char *const one[] = { "logits/a", "soft/a", "soft", NULL };
    find(one, NULL, logits_first, "soft");
    const char *const none[] = { "logits/a", "soft/a", NULL };
    find(none, NULL, logits_first, "logits/a");
    find(none, NULL, soft_first, "soft/a");
    const char *const several[] = { "logits/a", "logits/b", "soft/a", NULL };
    find(several, NULL, soft_first, "soft/a");
}

static void a_stream_without_targets_has_none(void **state)
{
    (void)state;
    const char *const names[] = { "x", "softer", NULL };
    find(names, NULL, logits_first, "");
}

static void refuse_to_find(size_t tensors, const char *named, const char *words)
{
    struct pst_header header = { 0 };
    struct pst_error error;
    size_t index = 0;
    add_tensor(&header, "x", PST_DTYPE_U8, 4);
    for (size_t i = 0; i < tensors; i++) {
        char name[40];
        snprintf(name, sizeof name, "logits/teacher-%zu", i);
        add_tensor(&header, name, PST_DTYPE_F32, 3);
    }
    assert_int_equal(pst_target_find(&header, named, "--of", logits_first, &index, &error), PST_BAD_DATA);
    assert_true(index == PST_NONE);
    if (strstr(error.message, words) == NULL)
        fail_msg("'%s' lacks '%s'", error.message, words);
    pst_header_free(&header);
}

static void one_of_several_must_be_chosen(void **state)
{
    (void)state;
    refuse_to_find(2, NULL, "several logits/NAME; average them first, or choose with --of");
}

static void a_missing_one_is_refused_with_a_list_of_what_there_is(void **state)
{
    (void)state;
    refuse_to_find(2, "soft/b", "no tensor 'soft/b'; it has: x, logits/teacher-0, logits/teacher-1");
    refuse_to_find(50, "soft/b", "logits/teacher-9, logits/teacher-10, ");
    refuse_to_find(50, "soft/b", ", …");
}

static void accept_row(enum pst_row_kind kind, const float row[3])
{
    struct pst_tensor_spec spec = { .name = "soft/t", .rank = 1, .shape = { 3 } };
    assert_int_equal(pst_rows_check(&spec, row, 1, kind, NULL), PST_OK);
}

/* The bad row is the last of two; the first is a good one of either kind. */
static void refuse_row(enum pst_row_kind kind, const float row[3], const char *words)
{
    struct pst_tensor_spec spec = { .name = "soft/t", .rank = 1, .shape = { 3 } };
    struct pst_error error;
    float rows[6] = { 0, 1, 0, row[0], row[1], row[2] };
    assert_int_equal(pst_rows_check(&spec, rows, 2, kind, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "tensor 'soft/t', sample 1 of the batch: "));
    if (strstr(error.message, words) == NULL)
        fail_msg("'%s' lacks '%s'", error.message, words);
}

static void a_distribution_is_not_negative_and_sums_to_1(void **state)
{
    (void)state;
    accept_row(PST_ROW_DISTRIBUTION, (float[]){ 0.5F, 0.5F, 0 });
    accept_row(PST_ROW_DISTRIBUTION, (float[]){ 0.5F, 0.4991F, 0 });
    accept_row(PST_ROW_DISTRIBUTION, (float[]){ 1, -0.0F, 0 });
    refuse_row(PST_ROW_DISTRIBUTION, (float[]){ 0.5F, 0.5F, NAN }, "number 2 is nan, not a probability");
    refuse_row(PST_ROW_DISTRIBUTION, (float[]){ INFINITY, 0, 0 }, "number 0 is inf, not a probability");
    refuse_row(PST_ROW_DISTRIBUTION, (float[]){ 1, -0.5F, 0.5F }, "number 1 is -0.5, not a probability");
    refuse_row(PST_ROW_DISTRIBUTION, (float[]){ 0.5F, 0.4989F, 0 }, "add up to 0.9989, not to 1");
    refuse_row(PST_ROW_DISTRIBUTION, (float[]){ 0.5F, 0.5F, 0.0011F }, "add up to 1.0011, not to 1");
}

static void logits_are_any_finite_numbers(void **state)
{
    (void)state;
    accept_row(PST_ROW_LOGITS, (float[]){ -5, 4, 3e38F });
    refuse_row(PST_ROW_LOGITS, (float[]){ -5, NAN, 0 }, "number 1 is nan, not a finite number");
    refuse_row(PST_ROW_LOGITS, (float[]){ -5, 4, -INFINITY }, "number 2 is -inf, not a finite number");
}

static void a_tensor_of_one_number_a_sample_is_checked(void **state)
{
    (void)state;
    struct pst_tensor_spec spec = { .name = "y" };
    struct pst_error error;
    assert_int_equal(pst_rows_check(&spec, (float[]){ 1, 2, NAN }, 2, PST_ROW_LOGITS, &error), PST_OK);
    assert_int_equal(pst_rows_check(&spec, (float[]){ 1, 2, NAN }, 3, PST_ROW_LOGITS, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "tensor 'y', sample 2 of the batch"));
}

/* The rows are so many that each of four threads checks some, and the bad one is any of them. */
static void many_rows_are_checked_by_a_team(void **state)
{
    (void)state;
    enum { ROWS = 70, CLASSES = 1000 };
    static float rows[ROWS * CLASSES];
    struct pst_tensor_spec spec = { .name = "soft/t", .rank = 1, .shape = { CLASSES } };
    struct pst_error error;
    struct pst_team *team = pst_team_new(4, NULL);
    assert_non_null(team);
    pst_team_use(team, 4);
    assert_true(pst_team_rounds(team, ROWS, sizeof rows / sizeof *rows) == 4);
    for (size_t row = 0; row < ROWS; row++)
        rows[row * CLASSES + row] = 1;
    assert_int_equal(pst_rows_check_by(team, &spec, rows, ROWS, PST_ROW_DISTRIBUTION, &error), PST_OK);
    for (size_t row = 0; row < ROWS; row++) {
        char words[64];
        snprintf(words, sizeof words, "sample %zu of the batch: number 999 is nan", row);
        rows[row * CLASSES + CLASSES - 1] = NAN;
        assert_int_equal(pst_rows_check_by(team, &spec, rows, ROWS, PST_ROW_LOGITS, &error), PST_BAD_DATA);
        assert_non_null(strstr(error.message, words));
        rows[row * CLASSES + CLASSES - 1] = 0;
    }
    pst_team_free(team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_tell_logits_from_soft_targets),
        cmocka_unit_test(the_tensor_that_is_named_is_found),
        cmocka_unit_test(a_mean_goes_before_a_single_one_and_kinds_keep_their_order),
        cmocka_unit_test(a_stream_without_targets_has_none),
        cmocka_unit_test(one_of_several_must_be_chosen),
        cmocka_unit_test(a_missing_one_is_refused_with_a_list_of_what_there_is),
        cmocka_unit_test(a_distribution_is_not_negative_and_sums_to_1),
        cmocka_unit_test(logits_are_any_finite_numbers),
        cmocka_unit_test(a_tensor_of_one_number_a_sample_is_checked),
        cmocka_unit_test(many_rows_are_checked_by_a_team),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
