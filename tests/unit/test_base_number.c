/* Numbers in text are taken whole or not at all. */
#include "pipestill/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void whole_numbers_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t number;
    } good[] = { { "0", 0 }, { "7", 7 }, { "007", 7 }, { "18446744073709551615", UINT64_MAX } };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t number = 99;
        assert_true(pst_parse_u64(good[i].text, 0, UINT64_MAX, &number));
        assert_true(number == good[i].number);
    }
}

static void a_text_that_is_not_a_whole_number_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        NULL, "", " 1", "1 ", "+1", "-1", "1x", "0x1", "1.0", "1e3", "18446744073709551616", "ten"
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t number = 99;
        assert_false(pst_parse_u64(bad[i], 0, UINT64_MAX, &number));
        assert_int_equal(number, 99);
    }
}

static void bounds_of_whole_numbers_are_inclusive(void **state)
{
    (void)state;
    uint64_t number;
    assert_true(pst_parse_u64("3", 3, 5, &number));
    assert_true(pst_parse_u64("5", 3, 5, &number));
    assert_false(pst_parse_u64("2", 3, 5, &number));
    assert_false(pst_parse_u64("6", 3, 5, &number));
}

static void decimal_numbers_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double number;
    } good[] = { { "0", 0 }, { "-2.5", -2.5 }, { "+3", 3 }, { ".5", 0.5 }, { "5.", 5 }, { "1e-3", 0.001 } };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double number = 99;
        assert_true(pst_parse_double(good[i].text, -10, 10, &number));
        assert_true(number == good[i].number);
    }
}

static void a_text_that_is_not_a_decimal_number_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { NULL, "",     " 1",  "1 ", "1,5", "0x10",  "inf", "-inf", "nan",
                                       "1e", "1e5x", "--1", "e5", ".",   "1e999", "1-2", "1\n" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double number = 99;
        assert_false(pst_parse_double(bad[i], -1e308, 1e308, &number));
        assert_true(number == 99);
    }
}

static void bounds_of_decimal_numbers_are_inclusive(void **state)
{
    (void)state;
    double number;
    assert_true(pst_parse_double("0.25", 0.25, 0.5, &number));
    assert_true(pst_parse_double("0.5", 0.25, 0.5, &number));
    assert_false(pst_parse_double("0.24999", 0.25, 0.5, &number));
    assert_false(pst_parse_double("0.50001", 0.25, 0.5, &number));
}

static void the_clock_goes_forward(void **state)
{
    (void)state;
    double before = pst_seconds();
    for (int i = 0; i < 1000; i++) {
        double now = pst_seconds();
        assert_true(now >= before);
        before = now;
    }
}

static void this_machine_is_little_endian(void **state)
{
    (void)state;
    struct pst_error error;
    assert_int_equal(pst_check_machine(&error), PST_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_are_read),
        cmocka_unit_test(a_text_that_is_not_a_whole_number_is_refused),
        cmocka_unit_test(bounds_of_whole_numbers_are_inclusive),
        cmocka_unit_test(decimal_numbers_are_read),
        cmocka_unit_test(a_text_that_is_not_a_decimal_number_is_refused),
        cmocka_unit_test(bounds_of_decimal_numbers_are_inclusive),
        cmocka_unit_test(this_machine_is_little_endian),
        cmocka_unit_test(the_clock_goes_forward),
    };
    return cmocka_run_group_tests_name("numbers in text", tests, NULL, NULL);
}
