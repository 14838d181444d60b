/* Halves against their definition in IEEE 754, computed with ldexp and rint in double precision. */
#include "pipestill/base.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What 16 bits stand for, by the definition. */
static double defined(uint16_t half)
{
    int exponent = half >> 10 & 31, fraction = half & 1023;
    double magnitude = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31)
        magnitude = fraction == 0 ? (double)INFINITY : (double)NAN;
    return half & 0x8000 ? -magnitude : magnitude;
}

/* The nearest half, by the definition; for numbers, not for NaN. */
static uint16_t nearest(float number)
{
    double magnitude = fabs((double)number);
    unsigned half = 0x7C00;
    if (magnitude < 65520) {
        int exponent = magnitude < 0x1p-14 ? -14 : ilogb(magnitude);
        double fraction = rint(ldexp(magnitude, 10 - exponent)); /* if two are equally near, the even one */
        half = (unsigned)fraction + (unsigned)(exponent + 14) * 1024;
    }
    return (uint16_t)(half | (signbit(number) ? 0x8000U : 0));
}

static void every_half_is_the_number_that_it_stands_for(void **state)
{
    (void)state;
    for (unsigned half = 0; half <= 0xFFFF; half++) {
        double number = (double)pst_half_to_f32((uint16_t)half), expected = defined((uint16_t)half);
        assert_true(isnan(expected) ? isnan(number) : number == expected);
        assert_int_equal(signbit(number) != 0, half >> 15);
    }
}

static void every_half_comes_back(void **state)
{
    (void)state;
    for (unsigned half = 0; half <= 0xFFFF; half++) {
        uint16_t again = pst_half_from_f32(pst_half_to_f32((uint16_t)half));
        if ((half & 0x7FFF) > 0x7C00)
            assert_true(isnan(pst_half_to_f32(again)));
        else
            assert_int_equal(again, half);
    }
}

/* Between any two neighbours: a little below the middle, the middle itself, and a little above it. */
static void numbers_between_two_halves_go_to_the_nearer(void **state)
{
    (void)state;
    for (unsigned half = 0; half < 0x7C00; half++) {
        double above = half == 0x7BFF ? 65536 : defined((uint16_t)(half + 1));
        float middle = (float)((defined((uint16_t)half) + above) / 2);
        float around[3] = { nextafterf(middle, 0), middle, nextafterf(middle, INFINITY) };
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(pst_half_from_f32(around[i]), nearest(around[i]));
            assert_int_equal(pst_half_from_f32(-around[i]), nearest(-around[i]));
        }
        assert_int_equal(pst_half_from_f32(around[0]), half);
        assert_int_equal(pst_half_from_f32(around[2]), half + 1);
    }
}

static void what_no_half_can_hold_becomes_infinite_or_zero(void **state)
{
    (void)state;
    assert_int_equal(pst_half_from_f32(1e30F), 0x7C00);
    assert_int_equal(pst_half_from_f32(-INFINITY), 0xFC00);
    assert_int_equal(pst_half_from_f32(0x1p-26F), 0);
    assert_int_equal(pst_half_from_f32(-0x1p-149F), 0x8000);
    assert_true(isnan(pst_half_to_f32(pst_half_from_f32(NAN))));
    assert_true(isnan(pst_half_to_f32(pst_half_from_f32(-NAN))));
}

static void many_are_converted_as_one(void **state)
{
    (void)state;
    enum { COUNT = 1003 }; /* no multiple of a vector */
    float numbers[COUNT], again[COUNT];
    uint16_t halves[COUNT];
    struct pst_random random;
    pst_random_start(&random, 1, 1000, 0, 0);
    for (size_t i = 0; i < COUNT; i++) {
        uint32_t bits = pst_random_u32(&random);
        memcpy(&numbers[i], &bits, sizeof bits);
        if (isnan(numbers[i]) || i % 2)
            numbers[i] = (float)pst_random_normal(&random);
    }
    for (size_t i = 0; i < COUNT; i++)
        halves[i] = pst_half_from_f32(numbers[i]);
    pst_halves_to_f32(halves, again, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(halves[i], nearest(numbers[i]));
        assert_true(again[i] == pst_half_to_f32(halves[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_is_the_number_that_it_stands_for),
        cmocka_unit_test(every_half_comes_back),
        cmocka_unit_test(numbers_between_two_halves_go_to_the_nearer),
        cmocka_unit_test(what_no_half_can_hold_becomes_infinite_or_zero),
        cmocka_unit_test(many_are_converted_as_one),
    };
    return cmocka_run_group_tests_name("numbers of 16 bits", tests, NULL, NULL);
}
