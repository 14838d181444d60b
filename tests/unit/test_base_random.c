/* Random numbers: the published answers of Philox, and the distributions of draws from it. */
#include "pipestill/base.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Philox4x32-10 in the known-answer tests that its authors publish with Random123. */
static void philox_gives_its_published_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
          { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t out[4];
        pst_philox(known[i].counter, known[i].key, out);
        assert_memory_equal(out, known[i].out, sizeof out);
    }
}

static void a_sequence_is_philox_of_its_place(void **state)
{
    (void)state;
    struct pst_random random;
    uint32_t key[2], out[4];
    pst_random_key(5, PST_RANDOM_SHIFT, key);
    pst_random_start(&random, 5, PST_RANDOM_SHIFT, 3, 0x0123456789abcdefU);
    for (uint32_t block = 0; block < 3; block++) {
        pst_philox((uint32_t[]){ block, 3, 0x89abcdef, 0x01234567 }, key, out);
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(pst_random_u32(&random), out[i]);
    }
}

static void many_words_are_those_that_come_one_by_one(void **state)
{
    (void)state;
    for (size_t before = 0; before < 6; before++)
        for (size_t count = 0; count < 200; count += count < 10 ? 1 : 19) {
            struct pst_random one, other;
            uint32_t words[200];
            pst_random_start(&one, 5, PST_RANDOM_ELASTIC, 3, 0x0123456789abcdefU);
            other = one;
            for (size_t i = 0; i < before; i++)
                assert_int_equal(pst_random_u32(&one), pst_random_u32(&other));
            pst_random_fill(&one, words, count);
            for (size_t i = 0; i < count; i++)
                assert_int_equal(words[i], pst_random_u32(&other));
            for (size_t i = 0; i < 6; i++) /* the numbers that follow are the same, too */
                assert_int_equal(pst_random_u32(&one), pst_random_u32(&other));
        }
}

static uint64_t first_of(uint64_t seed, uint32_t use, uint64_t epoch, uint64_t id)
{
    struct pst_random random;
    pst_random_start(&random, seed, use, epoch, id);
    uint64_t high = pst_random_u32(&random);
    return high << 32 | pst_random_u32(&random);
}

static void the_same_place_gives_the_same_numbers_and_any_other_place_others(void **state)
{
    (void)state;
    uint64_t here = first_of(1, PST_RANDOM_SHIFT, 2, 3);
    assert_true(here == first_of(1, PST_RANDOM_SHIFT, 2, 3));
    assert_true(here != first_of(2, PST_RANDOM_SHIFT, 2, 3));
    assert_true(here != first_of(1, PST_RANDOM_ELASTIC, 2, 3));
    assert_true(here != first_of(1, PST_RANDOM_SHIFT, 3, 3));
    assert_true(here != first_of(1, PST_RANDOM_SHIFT, 2, 4));
    assert_true(here != first_of(1, PST_RANDOM_SHIFT, 2, 3 + ((uint64_t)1 << 32)));
}

/* Pearson's chi-squared of counts that should all be `expected`. */
static double chi_squared(const unsigned *counts, size_t cells, double expected)
{
    double sum = 0;
    for (size_t i = 0; i < cells; i++)
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return sum;
}

/* 255 degrees of freedom: mean 255, standard deviation 22.6; the seed is fixed, so this cannot fail by
 * chance. */
static void numbers_are_spread_evenly(void **state)
{
    (void)state;
    unsigned high[256] = { 0 }, low[256] = { 0 }, pairs[256] = { 0 };
    struct pst_random random;
    pst_random_start(&random, 1, 1, 0, 0);
    uint32_t before = 0;
    for (int i = 0; i < 256 * 400; i++) {
        uint32_t number = pst_random_u32(&random);
        high[number >> 24]++;
        low[number & 255]++;
        pairs[(number >> 28 << 4) | before >> 28]++;
        before = number;
    }
    assert_true(fabs(chi_squared(high, 256, 400) - 255) < 5 * 22.6);
    assert_true(fabs(chi_squared(low, 256, 400) - 255) < 5 * 22.6);
    assert_true(fabs(chi_squared(pairs, 256, 400) - 255) < 5 * 22.6);
}

/* Sequences of neighbours must not resemble each other: first numbers of 65536 ids, and their correlation. */
static void sequences_of_neighbouring_ids_are_independent(void **state)
{
    (void)state;
    enum { IDS = 65536 };
    double sum = 0, product = 0, before = 0;
    unsigned counts[256] = { 0 };
    for (uint64_t id = 0; id < IDS; id++) {
        struct pst_random random;
        pst_random_start(&random, 9, PST_RANDOM_DIGIT, 0, id);
        double number = pst_random_uniform(&random);
        assert_true(number >= 0 && number < 1);
        counts[(size_t)(256 * number)]++;
        sum += number - 0.5;
        product += (number - 0.5) * (before - 0.5);
        before = number;
    }
    double deviation = sqrt(IDS / 12.0);
    assert_true(fabs(sum) < 5 * deviation);
    assert_true(fabs(product) < 5 * sqrt(IDS) / 12);
    assert_true(fabs(chi_squared(counts, 256, IDS / 256.0) - 255) < 5 * 22.6);
}

static void numbers_below_a_bound_are_unbiased(void **state)
{
    (void)state;
    struct pst_random random;
    pst_random_start(&random, 3, 1, 0, 0);
    unsigned counts[10] = { 0 };
    for (int i = 0; i < 100000; i++)
        counts[pst_random_below(&random, 10)]++;
    assert_true(chi_squared(counts, 10, 10000) < 9 + 5 * 4.24);
    /* With 2^64 numbers modulo 3·2^62, the lowest third would come twice as often as each of the others. */
    unsigned thirds[3] = { 0 };
    for (int i = 0; i < 30000; i++)
        thirds[pst_random_below(&random, (uint64_t)3 << 62) >> 62]++;
    assert_true(chi_squared(thirds, 3, 10000) < 2 + 5 * 2);
    for (int i = 0; i < 100; i++)
        assert_true(pst_random_below(&random, 1) == 0);
}

static void normal_numbers_have_the_moments_of_the_normal_distribution(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct pst_random random;
    pst_random_start(&random, 4, PST_RANDOM_INITIAL, 0, 0);
    double sum = 0, squares = 0, fourth = 0;
    for (int i = 0; i < COUNT; i++) {
        double number = pst_random_normal(&random);
        assert_true(isfinite(number));
        sum += number;
        squares += number * number;
        fourth += number * number * number * number;
    }
    assert_true(fabs(sum / COUNT) < 5 * sqrt(1.0 / COUNT));
    assert_true(fabs(squares / COUNT - 1) < 5 * sqrt(2.0 / COUNT));
    assert_true(fabs(fourth / COUNT - 3) < 5 * sqrt(96.0 / COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_its_published_answers),
        cmocka_unit_test(a_sequence_is_philox_of_its_place),
        cmocka_unit_test(many_words_are_those_that_come_one_by_one),
        cmocka_unit_test(the_same_place_gives_the_same_numbers_and_any_other_place_others),
        cmocka_unit_test(numbers_are_spread_evenly),
        cmocka_unit_test(sequences_of_neighbouring_ids_are_independent),
        cmocka_unit_test(numbers_below_a_bound_are_unbiased),
        cmocka_unit_test(normal_numbers_have_the_moments_of_the_normal_distribution),
    };
    return cmocka_run_group_tests_name("random numbers", tests, NULL, NULL);
}
