/* The samples that are taken, and their order. */
#include "pipestill/view.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

#define SAMPLES 1000
#define CLASSES 4

static int32_t labels[SAMPLES];
static const struct pst_dataset set = { .name = "made up",
                                        .samples = SAMPLES,
                                        .label_kind = PST_LABELS_CLASS,
                                        .classes = CLASSES,
                                        .labels = labels };

/* Uneven classes: 100, 200, 300 and 400 samples, mixed. */
static int make_labels(void **state)
{
    (void)state;
    static const int32_t of_ten[10] = { 3, 2, 1, 3, 0, 2, 3, 1, 2, 3 };
    for (size_t i = 0; i < SAMPLES; i++)
        labels[i] = of_ten[i % 10];
    return 0;
}

static struct pst_selection select_good(const struct pst_selection_rules *rules)
{
    struct pst_selection selection;
    struct pst_error error = { 0 };
    if (pst_select(&set, rules, &selection, &error) != PST_OK)
        fail_msg("%s", error.message);
    for (size_t i = 1; i < selection.count; i++)
        assert_true(selection.indices[i - 1] < selection.indices[i]);
    return selection;
}

static void assert_counts(const struct pst_selection *selection, size_t a, size_t b, size_t c, size_t d)
{
    size_t counts[CLASSES] = { 0 };
    for (size_t i = 0; i < selection->count; i++)
        counts[labels[selection->indices[i]]]++;
    assert_int_equal(counts[0], a);
    assert_int_equal(counts[1], b);
    assert_int_equal(counts[2], c);
    assert_int_equal(counts[3], d);
}

static bool same(const struct pst_selection *a, const struct pst_selection *b)
{
    return a->count == b->count && memcmp(a->indices, b->indices, a->count * sizeof *a->indices) == 0;
}

static void no_rules_take_everything(void **state)
{
    (void)state;
    struct pst_selection all = select_good(&(struct pst_selection_rules){ 0 });
    assert_int_equal(all.count, SAMPLES);
    assert_int_equal(all.indices[SAMPLES - 1], SAMPLES - 1);
    pst_selection_free(&all);
    assert_null(all.indices);
}

static void held_out_and_rest_are_disjoint_complete_and_stratified(void **state)
{
    (void)state;
    struct pst_selection_rules rules = { .split = PST_SPLIT_TRAIN, .hold_out = 150, .hold_out_seed = 5 };
    struct pst_selection train = select_good(&rules);
    rules.split = PST_SPLIT_VALIDATION;
    struct pst_selection validation = select_good(&rules);
    assert_int_equal(validation.count, 150);
    assert_counts(&validation, 15, 30, 45, 60);
    bool seen[SAMPLES] = { false };
    for (size_t i = 0; i < train.count; i++)
        seen[train.indices[i]] = true;
    for (size_t i = 0; i < validation.count; i++) {
        assert_false(seen[validation.indices[i]]);
        seen[validation.indices[i]] = true;
    }
    for (size_t i = 0; i < SAMPLES; i++)
        assert_true(seen[i]);
    pst_selection_free(&train);
    pst_selection_free(&validation);
}

static void what_is_held_out_depends_on_its_own_seed_only(void **state)
{
    (void)state;
    struct pst_selection_rules rules = { .split = PST_SPLIT_VALIDATION, .hold_out = 100, .seed = 1 };
    struct pst_selection first = select_good(&rules);
    rules.seed = 2;
    struct pst_selection other_seed = select_good(&rules);
    rules.hold_out_seed = 3;
    struct pst_selection other_hold_out = select_good(&rules);
    assert_true(same(&first, &other_seed));
    assert_false(same(&first, &other_hold_out));
    pst_selection_free(&first);
    pst_selection_free(&other_seed);
    pst_selection_free(&other_hold_out);
}

static void a_count_that_does_not_divide_is_shared_by_largest_remainders(void **state)
{
    (void)state;
    /* The shares of 13 are 1.3, 2.6, 3.9 and 5.2, so 1, 2, 3 and 5; the two that remain go to 3.9 and 2.6. */
    struct pst_selection limited = select_good(&(struct pst_selection_rules){ .limit = 13 });
    assert_counts(&limited, 1, 3, 4, 5);
    pst_selection_free(&limited);
    struct pst_selection all = select_good(&(struct pst_selection_rules){ .limit = SAMPLES + 1 });
    assert_int_equal(all.count, SAMPLES);
    pst_selection_free(&all);
    struct pst_selection one = select_good(&(struct pst_selection_rules){ .limit = 1 });
    assert_counts(&one, 0, 0, 0, 1);
    pst_selection_free(&one);
}

static void a_fraction_takes_its_share_of_each_class_and_at_least_one(void **state)
{
    (void)state;
    struct pst_selection tenth = select_good(&(struct pst_selection_rules){ .fraction = 0.1 });
    assert_counts(&tenth, 10, 20, 30, 40);
    pst_selection_free(&tenth);
    struct pst_selection least = select_good(&(struct pst_selection_rules){ .fraction = 1e-6 });
    assert_counts(&least, 1, 1, 1, 1);
    pst_selection_free(&least);
    struct pst_selection all = select_good(&(struct pst_selection_rules){ .fraction = 1 });
    assert_int_equal(all.count, SAMPLES);
    pst_selection_free(&all);
}

static void a_selection_is_the_same_for_the_same_seed_and_another_for_another(void **state)
{
    (void)state;
    struct pst_selection_rules rules = { .fraction = 0.5, .limit = 300, .seed = 11 };
    struct pst_selection first = select_good(&rules), again = select_good(&rules);
    rules.seed = 12;
    struct pst_selection other = select_good(&rules);
    assert_int_equal(first.count, 300);
    assert_true(same(&first, &again));
    assert_int_equal(other.count, 300);
    assert_false(same(&first, &other));
    pst_selection_free(&first);
    pst_selection_free(&again);
    pst_selection_free(&other);
}

static void a_limit_draws_every_sample_equally_often(void **state)
{
    (void)state;
    unsigned taken[SAMPLES] = { 0 };
    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct pst_selection tenth = select_good(&(struct pst_selection_rules){ .limit = 100, .seed = seed });
        for (size_t i = 0; i < tenth.count; i++)
            taken[tenth.indices[i]]++;
        pst_selection_free(&tenth);
    }
    for (size_t i = 0; i < SAMPLES; i++) /* 100 expected, with a standard deviation of 9.5 */
        assert_in_range(taken[i], 50, 150);
}

static void only_the_classes_asked_for_are_taken(void **state)
{
    (void)state;
    struct pst_selection some = select_good(&(struct pst_selection_rules){ .only = "0,3", .limit = 50 });
    assert_counts(&some, 10, 0, 0, 40);
    pst_selection_free(&some);
    some = select_good(&(struct pst_selection_rules){ .omit = "1-2", .limit = 50 });
    assert_counts(&some, 10, 0, 0, 40);
    pst_selection_free(&some);
    some = select_good(&(struct pst_selection_rules){ .only = "1-3", .omit = "3" });
    assert_counts(&some, 0, 200, 300, 0);
    pst_selection_free(&some);
}

static void assert_refused(const struct pst_dataset *data, const struct pst_selection_rules *rules)
{
    struct pst_selection selection;
    struct pst_error error = { 0 };
    assert_int_equal(pst_select(data, rules, &selection, &error), PST_USAGE);
    assert_true(error.message[0] != '\0');
    assert_null(selection.indices);
}

static void rules_that_leave_nothing_are_refused(void **state)
{
    (void)state;
    assert_refused(&set, &(struct pst_selection_rules){ .omit = "0-3" });
    assert_refused(&set, &(struct pst_selection_rules){ .only = "4" });
    assert_refused(&set, &(struct pst_selection_rules){ .omit = "x" });
    assert_refused(&set, &(struct pst_selection_rules){ .hold_out = SAMPLES });
    assert_refused(&set, &(struct pst_selection_rules){ .split = PST_SPLIT_VALIDATION });
}

static void without_labels_a_set_is_one_class(void **state)
{
    (void)state;
    const struct pst_dataset bare = { .name = "bare", .samples = 10 };
    struct pst_selection half;
    assert_int_equal(pst_select(&bare, &(struct pst_selection_rules){ .fraction = 0.5 }, &half, NULL),
                     PST_OK);
    assert_int_equal(half.count, 5);
    pst_selection_free(&half);
    assert_refused(&bare, &(struct pst_selection_rules){ .only = "0" });
}

/* 70,000 classes of three samples, as many as words of a language: it must not take minutes. */
static void many_classes_are_shared_out_as_few_are(void **state)
{
    (void)state;
    enum { MANY = 70000 };
    static int32_t many[3 * MANY];
    static unsigned counts[MANY];
    for (int i = 0; i < 3 * MANY; i++)
        many[i] = i % MANY;
    const struct pst_dataset words = {
        .name = "words", .samples = 3 * MANY, .label_kind = PST_LABELS_CLASS, .classes = MANY, .labels = many
    };
    struct pst_selection selection;
    const struct pst_selection_rules rules = { .hold_out = 10, .limit = MANY + 5, .omit = "69999" };
    assert_int_equal(pst_select(&words, &rules, &selection, NULL), PST_OK);
    assert_int_equal(selection.count, MANY + 5);
    for (size_t i = 0; i < selection.count; i++)
        counts[many[selection.indices[i]]]++;
    for (int class = 0; class < MANY - 1; class ++)
        assert_in_range(counts[class], 1, 2);
    assert_int_equal(counts[MANY - 1], 0);
    pst_selection_free(&selection);
}

static void lists_of_classes_are_read_strictly(void **state)
{
    (void)state;
    bool mask[10] = { false };
    assert_int_equal(pst_mark_classes("7,0-2", 10, true, mask, NULL), PST_OK);
    const bool wanted[10] = { true, true, true, false, false, false, false, true, false, false };
    assert_memory_equal(mask, wanted, sizeof mask);
    assert_int_equal(pst_mark_classes("0-9", 10, false, mask, NULL), PST_OK);
    for (size_t i = 0; i < 10; i++)
        assert_false(mask[i]);
    static const char *const wrong[] = { "",
                                         ",",
                                         "1,",
                                         ",1",
                                         "a",
                                         "1-",
                                         "-1",
                                         "3-2",
                                         "1 2",
                                         "1;2",
                                         "10",
                                         "0-10",
                                         "99999999999999999999999",
                                         "1-2-3" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(pst_mark_classes(wrong[i], 10, true, mask, NULL), PST_USAGE);
}

static void every_epoch_is_another_permutation_and_the_same_for_everyone(void **state)
{
    (void)state;
    struct pst_selection all = select_good(&(struct pst_selection_rules){ .limit = 500 });
    size_t first[500], again[500], next[500], other[500];
    pst_shuffle(&all, 1, 0, first);
    pst_shuffle(&all, 1, 0, again);
    pst_shuffle(&all, 1, 1, next);
    pst_shuffle(&all, 2, 0, other);
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, next, sizeof first);
    assert_memory_not_equal(first, other, sizeof first);
    bool seen[SAMPLES] = { false };
    for (size_t i = 0; i < 500; i++) {
        assert_false(seen[next[i]]);
        seen[next[i]] = true;
    }
    for (size_t i = 0; i < 500; i++)
        assert_true(seen[all.indices[i]]);
    pst_selection_free(&all);
}

static void all_orders_are_equally_likely(void **state)
{
    (void)state;
    size_t indices[3] = { 0, 1, 2 }, order[3];
    const struct pst_selection three = { .count = 3, .indices = indices };
    unsigned seen[27] = { 0 };
    for (uint64_t epoch = 0; epoch < 6000; epoch++) {
        pst_shuffle(&three, 9, epoch, order);
        seen[9 * order[0] + 3 * order[1] + order[2]]++;
    }
    static const int orders[6] = { 5, 7, 11, 15, 19, 21 };
    for (size_t i = 0; i < 6; i++) /* 1000 expected, with a standard deviation of 29 */
        assert_in_range(seen[orders[i]], 850, 1150);
}

/* Against a plain list, at sizes around the words and groups of bits. */
static void the_kth_sample_taken_is_found_in_sets_of_any_size(void **state)
{
    (void)state;
    static const uint64_t sizes[] = { 1, 63, 64, 65, 511, 512, 513, 4096, 5000 };
    struct pst_random random;
    pst_random_start(&random, 3, 512, 0, 0);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (uint64_t of = 1; of <= 200; of = of * 3 + 1) {
            uint64_t list[5000], count = 0;
            struct pst_chosen chosen;
            assert_int_equal(pst_chosen_all(&chosen, sizes[s], NULL), PST_OK);
            for (uint64_t i = 0; i < sizes[s]; i++) {
                if (pst_random_below(&random, of) == 0)
                    list[count++] = i;
                else
                    pst_chosen_drop(&chosen, i);
            }
            pst_chosen_count(&chosen);
            assert_int_equal(chosen.count, count);
            uint64_t next = 0;
            for (uint64_t k = 0; k < count; k++) {
                assert_int_equal(pst_chosen_at(&chosen, k), list[k]);
                next = pst_chosen_next(&chosen, next);
                assert_int_equal(next++, list[k]);
            }
            assert_int_equal(pst_chosen_next(&chosen, next), sizes[s]);
            pst_chosen_free(&chosen);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_rules_take_everything),
        cmocka_unit_test(held_out_and_rest_are_disjoint_complete_and_stratified),
        cmocka_unit_test(what_is_held_out_depends_on_its_own_seed_only),
        cmocka_unit_test(a_count_that_does_not_divide_is_shared_by_largest_remainders),
        cmocka_unit_test(a_fraction_takes_its_share_of_each_class_and_at_least_one),
        cmocka_unit_test(a_selection_is_the_same_for_the_same_seed_and_another_for_another),
        cmocka_unit_test(a_limit_draws_every_sample_equally_often),
        cmocka_unit_test(only_the_classes_asked_for_are_taken),
        cmocka_unit_test(rules_that_leave_nothing_are_refused),
        cmocka_unit_test(without_labels_a_set_is_one_class),
        cmocka_unit_test(many_classes_are_shared_out_as_few_are),
        cmocka_unit_test(lists_of_classes_are_read_strictly),
        cmocka_unit_test(every_epoch_is_another_permutation_and_the_same_for_everyone),
        cmocka_unit_test(all_orders_are_equally_likely),
        cmocka_unit_test(the_kth_sample_taken_is_found_in_sets_of_any_size),
    };
    return cmocka_run_group_tests(tests, make_labels, NULL);
}
