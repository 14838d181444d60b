/* Special classes: which sample comes at a position, as a function of (seed, epoch, position). */
#include "pipestill/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#define MOST 512

/* Counts how often each sample of both parts comes in an epoch. Returns how many special ones there are. */
static uint64_t count_epoch(const struct pst_special *special, uint64_t epoch, unsigned of_special[MOST],
                            unsigned of_rest[MOST])
{
    uint64_t found = 0;
    for (uint64_t i = 0; i < special->count; i++) {
        bool is_special;
        uint64_t number = pst_special_at(special, epoch, i, &is_special);
        assert_true(number < (is_special ? special->samples : special->rest));
        (is_special ? of_special : of_rest)[number]++;
        found += is_special;
    }
    return found;
}

static void an_epoch_has_each_special_sample_once(void **state)
{
    (void)state;
    static const double shares[] = { 0.01, 0.1, 0.3, 0.5, 0.7, 0.99 };
    static const uint64_t sizes[][2] = { { 1, 1 }, { 7, 100 }, { 100, 7 }, { 50, 50 }, { 129, 300 } };
    for (size_t s = 0; s < sizeof shares / sizeof *shares; s++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            struct pst_special special;
            assert_int_equal(pst_special_start(&special, sizes[k][0], sizes[k][1], shares[s], 3, NULL),
                             PST_OK);
            assert_true(fabs((double)special.count - (double)sizes[k][0] / shares[s]) <= 1 / shares[s]);
            for (uint64_t epoch = 0; epoch < 3; epoch++) {
                unsigned of_special[MOST] = { 0 }, of_rest[MOST] = { 0 };
                assert_int_equal(count_epoch(&special, epoch, of_special, of_rest), sizes[k][0]);
                for (uint64_t i = 0; i < sizes[k][0]; i++)
                    assert_int_equal(of_special[i], 1);
            }
        }
}

static void the_rest_is_gone_through_from_epoch_to_epoch(void **state)
{
    (void)state;
    struct pst_special special;
    assert_int_equal(pst_special_start(&special, 20, 100, 0.5, 1, NULL), PST_OK);
    assert_int_equal(special.count, 40);
    unsigned of_special[MOST] = { 0 }, of_rest[MOST] = { 0 };
    for (uint64_t epoch = 5; epoch < 10; epoch++)
        count_epoch(&special, epoch, of_special, of_rest);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(of_rest[i], 1);
}

static void every_batch_has_its_share(void **state)
{
    (void)state;
    struct pst_special special;
    assert_int_equal(pst_special_start(&special, 300, 1000, 0.25, 1, NULL), PST_OK);
    for (uint64_t first = 0; first + 16 <= special.count; first += 16) {
        unsigned found = 0;
        for (uint64_t i = 0; i < 16; i++) {
            bool is_special;
            (void)pst_special_at(&special, 2, first + i, &is_special);
            found += is_special;
        }
        assert_int_equal(found, 4);
    }
}

/* With one permutation for both parts, the same pairs of samples would come together in every epoch. */
static void parts_of_one_size_are_shuffled_apart(void **state)
{
    (void)state;
    struct pst_special special;
    uint64_t met = 0, partner[2][MOST];
    assert_int_equal(pst_special_start(&special, 256, 256, 0.5, 1, NULL), PST_OK);
    for (uint64_t epoch = 0; epoch < 2; epoch++)
        for (uint64_t i = 0; i < special.count; i += 2) {
            bool first, second;
            uint64_t rest = pst_special_at(&special, epoch, i, &first);
            uint64_t number = pst_special_at(&special, epoch, i + 1, &second);
            assert_true(second && !first);
            partner[epoch][number] = rest;
        }
    for (size_t i = 0; i < 256; i++)
        met += partner[0][i] == partner[1][i];
    assert_true(met < 16);
}

static void factors_tell_how_much_more_often_a_class_comes(void **state)
{
    (void)state;
    struct pst_special special;
    assert_int_equal(pst_special_start(&special, 15, 85, 0.5, 1, NULL), PST_OK);
    assert_true(fabs(pst_special_factor(&special, true) - 0.5 / 0.15) < 1e-12);
    assert_true(fabs(pst_special_factor(&special, false) - 0.5 / 0.85) < 1e-12);
}

static void an_empty_part_is_refused(void **state)
{
    (void)state;
    struct pst_special special;
    struct pst_error error = { 0 };
    assert_int_equal(pst_special_start(&special, 0, 5, 0.5, 1, &error), PST_USAGE);
    assert_int_equal(pst_special_start(&special, 5, 0, 0.5, 1, &error), PST_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_epoch_has_each_special_sample_once),
        cmocka_unit_test(the_rest_is_gone_through_from_epoch_to_epoch),
        cmocka_unit_test(every_batch_has_its_share),
        cmocka_unit_test(parts_of_one_size_are_shuffled_apart),
        cmocka_unit_test(factors_tell_how_much_more_often_a_class_comes),
        cmocka_unit_test(an_empty_part_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
