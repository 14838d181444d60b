/* Numbers as text, against strtof and printf of the C library. */
#include "pipestill/base.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *text_of(float number)
{
    static char text[PST_NUMBER_TEXT + 1];
    text[pst_put_f32(text, number)] = '\0';
    return text;
}

static float of_bits(uint32_t bits)
{
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* Digits of a number, without its exponent and the zeros around them. */
static size_t count_digits(const char *text)
{
    size_t count = 0, zeros = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text == '0')
            zeros++;
        if (*text >= '1' && *text <= '9') {
            count += (count > 0 ? zeros : 0) + 1;
            zeros = 0;
        }
    }
    return count;
}

/* The fewest digits with which printf writes a number that is read back the same. */
static size_t fewest_digits(float number)
{
    char text[32];
    int digits = 0;
    do
        snprintf(text, sizeof text, "%.*e", digits, (double)number);
    while (strtof(text, NULL) != number && ++digits < 9);
    return count_digits(text);
}

static void assert_read_back(uint32_t bits)
{
    float number = of_bits(bits);
    if (!isfinite(number))
        return;
    const char *text = text_of(number);
    float back = strtof(text, NULL);
    if (memcmp(&back, &number, sizeof back) != 0 || count_digits(text) > 9 || strlen(text) > PST_NUMBER_TEXT)
        fail_msg("%08" PRIx32 ", %.9g, became %s", bits, (double)number, text);
}

static void numbers_look_as_people_write_them(void **state)
{
    (void)state;
    assert_string_equal(text_of(0), "0");
    assert_string_equal(text_of(-0.0F), "-0");
    assert_string_equal(text_of(1), "1");
    assert_string_equal(text_of(-12.5F), "-12.5");
    assert_string_equal(text_of(0.1F), "0.1");
    assert_string_equal(text_of(10), "10");
    assert_string_equal(text_of(0.00125F), "0.00125");
    assert_string_equal(text_of(1e-5F), "0.00001");
    assert_string_equal(text_of(1.5e-7F), "1.5e-07");
    assert_string_equal(text_of(1e8F), "100000000");
    assert_string_equal(text_of(1e9F), "1e+09");
    assert_string_equal(text_of(16777216), "16777216");
    assert_string_equal(text_of(9.9999999F), "10");
    assert_string_equal(text_of(HUGE_VALF), "inf");
    assert_string_equal(text_of(-HUGE_VALF), "-inf");
    assert_string_equal(text_of(nanf("")), "nan");
    assert_string_equal(text_of(0x1.fffffep127F), "3.4028235e+38");
    assert_string_equal(text_of(-0x1p-149F), "-1.4013e-45");
}

static void every_f32_is_read_back(void **state)
{
    (void)state;
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += 9973)
        assert_read_back((uint32_t)bits);
}

static void numbers_beside_powers_are_read_back(void **state)
{
    (void)state;
    for (uint32_t exponent = 0; exponent < 255; exponent++)
        for (uint32_t fraction = 0; fraction < 16; fraction++) {
            assert_read_back((exponent << 23) + fraction);
            assert_read_back((exponent << 23) - fraction);
        }
    for (int power = -45; power <= 38; power++) {
        uint32_t bits;
        float ten = (float)pow(10, power);
        memcpy(&bits, &ten, sizeof bits);
        for (uint32_t i = 0; i < 64; i++)
            assert_read_back(bits + i - 32);
    }
}

/* More digits are allowed beside a power of two, because the gap above is wider, and if a text in the middle
 * of two whole numbers would be read back only by luck. */
static void no_digit_is_too_many(void **state)
{
    (void)state;
    struct pst_random random;
    pst_random_start(&random, 1, 1000, 0, 0);
    for (int i = 0; i < 20000; i++) {
        float number = of_bits(pst_random_u32(&random) & 0x7FFFFFFF);
        int exponent;
        if (!isfinite(number) || number < 0x1p-126F || frexpf(number, &exponent) == 0.5F ||
            (number > 0x1p24F && number < 0x1p60F))
            continue;
        if (count_digits(text_of(number)) != fewest_digits(number))
            fail_msg("%.9g became %s", (double)number, text_of(number));
    }
}

static void whole_numbers_are_those_of_printf(void **state)
{
    (void)state;
    const int64_t numbers[] = { 0, 1, -1, 9, 10, 99, 100, -100, INT32_MIN, INT64_MIN, INT64_MAX };
    char text[PST_NUMBER_TEXT + 1], expected[PST_NUMBER_TEXT + 1];
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        text[pst_put_i64(text, numbers[i])] = '\0';
        snprintf(expected, sizeof expected, "%" PRId64, numbers[i]);
        assert_string_equal(text, expected);
    }
    text[pst_put_u64(text, UINT64_MAX)] = '\0';
    assert_string_equal(text, "18446744073709551615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_look_as_people_write_them),   cmocka_unit_test(every_f32_is_read_back),
        cmocka_unit_test(numbers_beside_powers_are_read_back), cmocka_unit_test(no_digit_is_too_many),
        cmocka_unit_test(whole_numbers_are_those_of_printf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
