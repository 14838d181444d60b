/* Numbers as text: far faster than printf, and the same in every locale. */
#include "pipestill/base.h"
#include "pipestill/vectorised.h"

#include <math.h>
#include <string.h>

size_t pst_put_u64(char *text, uint64_t number)
{
    char digits[20];
    size_t length = 0;
    do
        digits[sizeof digits - ++length] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    memcpy(text, digits + sizeof digits - length, length);
    return length;
}

size_t pst_put_i64(char *text, int64_t number)
{
    if (number >= 0)
        return pst_put_u64(text, (uint64_t)number);
    text[0] = '-';
    return 1 + pst_put_u64(text + 1, -(uint64_t)number);
}

/* 10^power, power from -38 to 53, times a number. It is rounded twice at most, so its relative error is
 * below 2^-51. */
static double times_ten(double number, int power)
{
    static const double tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10,
                                   1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21,
                                   1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32,
                                   1e33, 1e34, 1e35, 1e36, 1e37, 1e38, 1e39, 1e40, 1e41, 1e42, 1e43,
                                   1e44, 1e45, 1e46, 1e47, 1e48, 1e49, 1e50, 1e51, 1e52, 1e53 };
    size_t at = (size_t)(power < 0 ? -power : power);
    if (at >= sizeof tens / sizeof *tens) /* no f32 needs it */
        return 0;
    return power >= 0 ? number * tens[at] : number / tens[at];
}

/* The power of ten of the first digit. */
static int first_power(double number)
{
    int binary;
    frexp(number, &binary);
    int power = (int)floor((binary - 1) * 0.30102999566398120);
    return times_ten(number, -power) >= 10 ? power + 1 : power;
}

/*
 * How far a decimal number may be from an f32 to be read back as it: a bit less than half the gap to the f32
 * below, because the gap above is never smaller. That bit is at least 2^-46 of the number, more than the
 * errors of times_ten.
 */
static double most_away(float number)
{
    float below = pst_float_of_bits(pst_bits_of_float(number) - 1);
    return ((double)number - (double)below) * (0.5 - 0x1p-21);
}

/*
 * The fewest digits, 6 or more, that are read back as the same f32. Nine are always enough. number: finite
 * and above 0. power: receives that of the first digit. Returns the digits as a whole number without zeros
 * at its end.
 */
static uint64_t shortest_digits(float number, int *power)
{
    double exact = (double)number, away = most_away(number);
    uint64_t digits = 0, limit = 1000000;
    *power = first_power(exact);
    for (int count = 6; count <= 9; count++, limit *= 10) {
        digits = (uint64_t)(times_ten(exact, count - 1 - *power) + 0.5);
        if (fabs(times_ten((double)digits, *power - count + 1) - exact) < away)
            break;
    }
    if (digits >= limit) /* 9.999999… was rounded up */
        ++*power;
    while (digits % 10 == 0)
        digits /= 10;
    return digits;
}

/* 1.25e-07 */
static size_t put_scientific(char *text, const char *digits, size_t count, int power)
{
    size_t length = 0;
    text[length++] = digits[0];
    if (count > 1) {
        text[length++] = '.';
        memcpy(text + length, digits + 1, count - 1);
        length += count - 1;
    }
    text[length++] = 'e';
    text[length++] = power < 0 ? '-' : '+';
    unsigned size = (unsigned)(power < 0 ? -power : power);
    text[length++] = (char)('0' + size / 10);
    text[length++] = (char)('0' + size % 10);
    return length;
}

/* 12500, 12.5, 0.00125 */
static size_t put_positional(char *text, const char *digits, size_t count, int power)
{
    size_t zeros = power < 0 ? (size_t)-power : 0, whole = power < 0 ? 0 : (size_t)power + 1, length = 0;
    if (zeros > 0) {
        memset(text, '0', zeros + 1);
        text[1] = '.';
        memcpy(text + zeros + 1, digits, count);
        return zeros + 1 + count;
    }
    memset(text, '0', whole);
    memcpy(text, digits, count < whole ? count : whole);
    length = whole;
    if (count > whole) {
        text[length++] = '.';
        memcpy(text + length, digits + whole, count - whole);
        length += count - whole;
    }
    return length;
}

/* Copies a word without its NUL. */
static size_t put_word(char *text, const char *word)
{
    size_t length = 0;
    for (; word[length] != '\0'; length++)
        text[length] = word[length];
    return length;
}

size_t pst_put_f32(char *text, float number)
{
    size_t sign = signbit(number) ? 1 : 0;
    char digits[20];
    int power;
    if (isnan(number))
        return put_word(text, "nan");
    text[0] = '-';
    text += sign;
    if (number == 0 || isinf(number))
        return sign + put_word(text, number == 0 ? "0" : "inf");
    size_t count = pst_put_u64(digits, shortest_digits(fabsf(number), &power));
    return sign + (power < -5 || power > 8 ? put_scientific(text, digits, count, power)
                                           : put_positional(text, digits, count, power));
}
