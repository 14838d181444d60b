/* Maps of classes: the meaning of a text, and what rows become. */
#include "pipestill/class_map.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[] = { "cat", "dog", "crane", "crane", "7", "a, \"b\"", "x-ray", "last" };
static const struct pst_classes named = { 8, names }, bare = { 8, NULL };

static struct pst_class_map parsed(const struct pst_classes *old, const char *text, const char *dustbin)
{
    struct pst_class_map map;
    struct pst_error error = { 0 };
    enum pst_status status = pst_class_map_parse(&map, old, text, strlen(text), "map", true, dustbin, &error);
    if (status != PST_OK)
        fail_msg("%s: %s", text, error.message);
    return map;
}

static void assert_means(const struct pst_classes *old, const char *text, const char *dustbin,
                         const char *meaning)
{
    struct pst_class_map map = parsed(old, text, dustbin);
    char *found = pst_class_map_text(&map, true);
    assert_string_equal(found, meaning);
    free(found);
    pst_class_map_free(&map);
}

static void a_text_means_what_its_page_says(void **state)
{
    (void)state;
    assert_means(&bare, "7,0", NULL, "7;0 of 8");
    assert_means(&bare, "0-2", NULL, "0;1;2 of 8");
    assert_means(&bare, "a=2,0,1\n3", NULL, "0-2;3 of 8");
    assert_means(&bare, "\n\n  a = 5 , 1-2 # 4\r\n\t\r\n;;b=4;", NULL, "1-2,5;4 of 8");
    assert_means(&bare, "a = *\n3", NULL, "0-2,4-7;3 of 8");
    assert_means(&bare, "3", "rest", "3;0-2,4-7 of 8");
    assert_means(&bare, "a = *\n3", "rest", "0-2,4-7;3 of 8");
    assert_means(&bare, "a = 0:3, 1-2:0.5\n3", NULL, "0:0.75,1-2:0.125;3 of 8");
    assert_means(&bare, "a = 0:5, 1-2:5", NULL, "0-2 of 8");
    assert_means(&named, "dog, cat, 7, \"7\", x-ray", NULL, "1;0;7;4;6 of 8");
    assert_means(&named, "a = \"a, \\\"b\\\"\", last", NULL, "5,7 of 8");
    assert_means(&named, "\"*\" = dog", NULL, "1 of 8");
}

static void a_row_is_likely_in_a_set_if_few_classes_are_ahead(void **state)
{
    (void)state;
    const float row[] = { 1, 5, 3, 5, -2 };
    const bool third[] = { false, false, true, false, false }, none[5] = { false },
               fourth[] = { false, false, false, true, true },
               second[] = { false, true, false, false, false };
    assert_true(pst_class_is_likely(row, second, 5, 1));
    assert_false(pst_class_is_likely(row, fourth, 5, 1)); /* of equal ones, the first is the likeliest */
    assert_true(pst_class_is_likely(row, fourth, 5, 2));
    assert_false(pst_class_is_likely(row, third, 5, 2));
    assert_true(pst_class_is_likely(row, third, 5, 3));
    assert_false(pst_class_is_likely(row, none, 5, 5));
}

static void new_classes_have_the_names_that_are_said_or_those_of_old_ones(void **state)
{
    (void)state;
    struct pst_class_map map = parsed(&named, "dog\nbird = 2,3\n2 = cat", "other");
    assert_int_equal(map.to, 4);
    assert_string_equal(map.names[0], "dog");
    assert_string_equal(map.names[1], "bird");
    assert_string_equal(map.names[2], "2");
    assert_string_equal(map.names[3], "other");
    pst_class_map_free(&map);
    map = parsed(&bare, "3\na = 4", NULL);
    assert_null(map.names[0]);
    assert_int_equal(map.dropped, 6);
    assert_true(map.plain);
    pst_class_map_free(&map);
}

static void assert_refused(const char *text, const char *words)
{
    struct pst_class_map map;
    struct pst_error error = { 0 };
    assert_int_equal(pst_class_map_parse(&map, &named, text, strlen(text), "map", true, NULL, &error),
                     PST_BAD_DATA);
    if (strstr(error.message, words) == NULL)
        fail_msg("%s: %s", text, error.message);
    assert_null(map.names);
}

static void a_text_that_is_no_map_is_refused_with_line_and_word(void **state)
{
    (void)state;
    assert_refused("cat\n\ncrane", "map, line 3: classes 2 and 3 are both called 'crane'");
    assert_refused("cat\na = dog, 0", "map, line 2: class 0 ('cat') is in two new classes, first in line 1");
    assert_refused("cat; 8", "line 1: '8': there are 8 classes");
    assert_refused("cat\ncat = dog", "line 2: two new classes are called 'cat'");
    assert_refused("a = \"dog\ncat", "line 1: a name has no closing quote");
    assert_refused("a = 0:-1", "a weight is a number from 0.000001 to 1000000");
    assert_refused("a = 0:nan", "a weight is a number from 0.000001 to 1000000");
    assert_refused("a = 0-99999999999999999999999", "there are 8 classes");
    assert_refused("# cat", "map: it names no class");
}

static void names_of_another_model_are_found(void **state)
{
    (void)state;
    static const char *const wanted[] = { "last", "other", "cat" }, *const missing[] = { "cat", "cow" };
    struct pst_classes like = { 3, wanted }, without = { 2, missing };
    struct pst_class_map map;
    struct pst_error error = { 0 };
    assert_int_equal(pst_class_map_like(&map, &named, &like, "model", "other", &error), PST_OK);
    char *text = pst_class_map_text(&map, false);
    assert_string_equal(text, "7;1-6;0 of 8");
    free(text);
    pst_class_map_free(&map);
    assert_int_equal(pst_class_map_like(&map, &named, &without, "model", NULL, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "no class is called 'cow'"));
}

static void rows_keep_their_bits_there_and_back_if_only_the_order_changes(void **state)
{
    (void)state;
    static const float row[8] = { -0.0F, 1e-42F, 3e38F, -3e38F, 0.1F, 1.0F / 3, -7, 0 };
    float there[8], back[8];
    struct pst_class_map map = parsed(&bare, "3,7,0,1,6,2,5,4", NULL);
    pst_class_map_logits(&map, row, there, 1, NULL);
    assert_memory_equal(&there[0], &row[3], sizeof *row);
    pst_class_unmap_logits(&map, there, back, 1);
    assert_memory_equal(back, row, sizeof row);
    pst_class_map_probabilities(&map, row, there, 1, NULL);
    pst_class_unmap_probabilities(&map, there, back, 1);
    assert_memory_equal(back, row, sizeof row);
    pst_class_map_free(&map);
}

static void merged_logits_do_not_overflow(void **state)
{
    (void)state;
    static const float row[8] = { 1e4F, 1e4F, -1e4F, 0, -3e38F, 3e38F, 88, 89 };
    float there[3];
    double dropped;
    struct pst_class_map map = parsed(&bare, "a = 0-1; b = 2, 3; c = 6-7", NULL);
    pst_class_map_logits(&map, row, there, 1, &dropped);
    assert_true(fabs((double)there[0] - 1e4 - log(2)) < 1e-3);
    assert_true(there[1] == 0);
    assert_true(fabs((double)there[2] - 89 - log1p(exp(-1))) < 1e-5);
    assert_true(dropped == 1);
    pst_class_map_free(&map);
}

static void a_row_of_which_nothing_is_left_is_all_zeros(void **state)
{
    (void)state;
    static const float rows[16] = { 0.5F, 0, 0.25F, 0.25F, [8] = 0, [9] = 0.5F, [15] = 0.5F };
    float there[4];
    double dropped[2];
    struct pst_class_map map = parsed(&bare, "a = 0, 3; b = 2", NULL);
    pst_class_map_probabilities(&map, rows, there, 2, dropped);
    assert_true(there[0] == 0.75F && there[1] == 0.25F && there[2] == 0 && there[3] == 0);
    assert_true(dropped[0] == 0 && dropped[1] == 1);
    pst_class_map_free(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_means_what_its_page_says),
        cmocka_unit_test(a_row_is_likely_in_a_set_if_few_classes_are_ahead),
        cmocka_unit_test(new_classes_have_the_names_that_are_said_or_those_of_old_ones),
        cmocka_unit_test(a_text_that_is_no_map_is_refused_with_line_and_word),
        cmocka_unit_test(names_of_another_model_are_found),
        cmocka_unit_test(rows_keep_their_bits_there_and_back_if_only_the_order_changes),
        cmocka_unit_test(merged_logits_do_not_overflow),
        cmocka_unit_test(a_row_of_which_nothing_is_left_is_all_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
