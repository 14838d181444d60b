/* Sums of rows and searches in them agree with plain loops, however long a row is. */
#include "pipestill/base.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MOST = 67 }; /* several times the lanes, and some more */

static void fill(float *row)
{
    for (size_t i = 0; i < MOST; i++)
        row[i] = (float)(i * 37 % 101) - 50.25F;
}

static void sums_and_bounds_of_rows_of_every_length_are_those_of_plain_loops(void **state)
{
    (void)state;
    float row[MOST];
    fill(row);
    for (size_t count = 1; count <= MOST; count++) {
        double sum = 0;
        float most = row[0], least = row[0];
        size_t place = 0;
        for (size_t i = 0; i < count; i++) {
            sum += (double)row[i];
            place = row[i] > most ? i : place;
            most = row[i] > most ? row[i] : most;
            least = row[i] < least ? row[i] : least;
        }
        assert_true(pst_sum(row, count) == sum); /* quarters, so no sum is rounded */
        assert_true(pst_largest_number(row, count) == most);
        assert_true(pst_smallest_number(row, count) == least);
        assert_int_equal(pst_largest(row, count), place);
    }
}

static void the_largest_and_the_smallest_number_are_found_at_every_place(void **state)
{
    (void)state;
    for (size_t place = 0; place < MOST; place++) {
        float row[MOST];
        fill(row);
        row[place] = 99;
        assert_int_equal(pst_largest(row, MOST), place);
        row[place] = -99;
        assert_true(pst_smallest_number(row, MOST) == -99);
    }
}

static void the_first_of_the_largest_numbers_is_found(void **state)
{
    (void)state;
    assert_int_equal(pst_largest((const float[]){ -3 }, 1), 0);
    assert_int_equal(pst_largest((const float[]){ -3, -1, -2, -1 }, 4), 1);
}

static void nan_makes_a_sum_nan_and_is_never_a_bound(void **state)
{
    (void)state;
    for (size_t place = 0; place < MOST; place++) {
        float row[MOST];
        fill(row);
        row[place] = NAN;
        assert_true(isnan(pst_sum(row, MOST)));
        assert_true(pst_smallest_number(row, MOST) >= -50.25F);
        if (place > 0)
            assert_true(pst_largest_number(row, MOST) <= 50.75F);
    }
    assert_true(pst_smallest_number((const float[]){ NAN }, 1) == FLT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_bounds_of_rows_of_every_length_are_those_of_plain_loops),
        cmocka_unit_test(the_largest_and_the_smallest_number_are_found_at_every_place),
        cmocka_unit_test(the_first_of_the_largest_numbers_is_found),
        cmocka_unit_test(nan_makes_a_sum_nan_and_is_never_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
