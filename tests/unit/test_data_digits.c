/* The synthetic digits: each is a function of (seed, id), none is blank, and all classes are equally
 * frequent. */
#include "data_fixture.h"

#include <stdio.h>

#define ELEMENTS ((size_t)28 * 28)

static void a_digit_depends_on_seed_and_id_only(void **state)
{
    (void)state;
    uint8_t first[ELEMENTS], other[ELEMENTS], again[ELEMENTS];
    int class = pst_digit_draw(1, 42, first);
    pst_digit_draw(1, 43, other);
    assert_memory_not_equal(first, other, ELEMENTS);
    pst_digit_draw(2, 42, other);
    assert_memory_not_equal(first, other, ELEMENTS);
    assert_int_equal(pst_digit_draw(1, 42, again), class);
    assert_memory_equal(first, again, ELEMENTS);
}

/* The digest of this recipe's first images. It may change only with the recipe's number in digits.c. */
static void digits_are_the_same_on_every_machine(void **state)
{
    (void)state;
    static uint8_t images[1000][28 * 28];
    for (uint64_t id = 0; id < 1000; id++)
        pst_digit_draw(1, id, images[id]);
    char digest[PST_DIGEST_TEXT];
    pst_digest(images, sizeof images, digest);
    assert_string_equal(digest, "15ff3258baca588db8b9fc479b85588d74b5c36ff4130f609cd279c2c027ba88");
}

static void no_digit_is_blank_or_all_ink(void **state)
{
    (void)state;
    uint8_t image[ELEMENTS];
    for (uint64_t id = 0; id < 5000; id++) {
        pst_digit_draw(3, id, image);
        size_t bright = 0;
        for (size_t i = 0; i < ELEMENTS; i++)
            bright += image[i] > 100;
        if (bright < 10 || bright > ELEMENTS / 2)
            fail_msg("digit %llu has %zu bright pixels", (unsigned long long)id, bright);
    }
}

static struct pst_dataset open_digits(unsigned seed, size_t samples, bool test)
{
    char of[2][32];
    snprintf(of[0], sizeof of[0], "%u", seed);
    snprintf(of[1], sizeof of[1], "%zu", samples);
    struct pst_dataset set = open_good("digits", test, OPTIONS("data-seed", of[0], "samples", of[1]));
    assert_int_equal(set.samples, samples);
    assert_int_equal(set.classes, 10);
    assert_int_equal(set.element, PST_ELEMENT_U8);
    assert_int_equal(pst_dataset_elements(&set), ELEMENTS);
    return set;
}

static void classes_are_equally_likely_and_known_without_drawing(void **state)
{
    (void)state;
    struct pst_dataset set = open_digits(5, 20000, false);
    unsigned counts[10] = { 0 };
    for (size_t i = 0; i < set.samples; i++)
        counts[class_of(&set, i)]++;
    for (size_t class = 0; class < 10; class ++) /* 2000 expected, with a standard deviation of 42 */
        assert_in_range(counts[class], 1800, 2200);
    uint8_t image[ELEMENTS];
    for (size_t i = 0; i < 500; i++)
        assert_int_equal(pst_digit_draw(5, set.first_id + i, image), class_of(&set, i));
    pst_dataset_close(&set);
}

/* A small set keeps its images, a large one draws them anew each time: a reader sees no difference. */
static void a_set_gives_the_digits_of_its_ids_however_large_it_is(void **state)
{
    (void)state;
    static const size_t sizes[] = { 100, 30000 };
    for (size_t k = 0; k < 2; k++) {
        struct pst_dataset set = open_digits(5, sizes[k], false);
        uint8_t given[ELEMENTS], drawn[ELEMENTS];
        for (size_t i = 0; i < 300; i++) {
            size_t index = i * 37 % 100;
            memset(given, 0, sizeof given);
            get_good(&set, index, given);
            pst_digit_draw(5, set.first_id + index, drawn);
            assert_memory_equal(given, drawn, ELEMENTS);
        }
        pst_dataset_close(&set);
    }
}

static void a_test_set_shares_no_id_with_a_training_set(void **state)
{
    (void)state;
    struct pst_dataset train = open_digits(5, 1000, false), test = open_digits(5, 1000, true);
    assert_true(test.first_id > train.first_id + UINT64_C(1000000000000));
    uint8_t one[ELEMENTS], other[ELEMENTS];
    get_good(&train, 0, one);
    get_good(&test, 0, other);
    assert_memory_not_equal(one, other, ELEMENTS);
    pst_dataset_close(&train);
    pst_dataset_close(&test);
}

static void the_digest_tells_digits_apart_and_not_how_many_there_are(void **state)
{
    (void)state;
    struct pst_dataset sets[] = { open_digits(5, 100, false), open_digits(5, 100, true),
                                  open_digits(6, 100, false) };
    struct pst_dataset more = open_digits(5, 101, false);
    assert_string_equal(sets[0].digest, more.digest);
    pst_dataset_close(&more);
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(sets[i].digest, sets[j].digest);
    for (size_t i = 0; i < 3; i++)
        pst_dataset_close(&sets[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_digit_depends_on_seed_and_id_only),
        cmocka_unit_test(digits_are_the_same_on_every_machine),
        cmocka_unit_test(no_digit_is_blank_or_all_ink),
        cmocka_unit_test(classes_are_equally_likely_and_known_without_drawing),
        cmocka_unit_test(a_set_gives_the_digits_of_its_ids_however_large_it_is),
        cmocka_unit_test(a_test_set_shares_no_id_with_a_training_set),
        cmocka_unit_test(the_digest_tells_digits_apart_and_not_how_many_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
