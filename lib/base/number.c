/* Numbers in text, parsed strictly and written alike in every locale, and the clock. */
#include "pipestill/base.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Sets the C locale in this thread. Returns the locale before, to be given to uselocale afterwards. This
 * cannot fail, because the C locale is built into the C library. */
static locale_t use_plain_numbers(void)
{
    return uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
}

int pst_print_plain(char *text, size_t size, const char *format, ...)
{
    locale_t before = use_plain_numbers();
    va_list values;
    va_start(values, format);
    int length = vsnprintf(text, size, format, values);
    va_end(values);
    uselocale(before);
    return length;
}

bool pst_parse_u64(const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
    if (text == NULL || *text < '0' || *text > '9')
        return false;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || number < least || number > most)
        return false;
    *value = number;
    return true;
}

bool pst_parse_real(const char *text, double *value)
{
    if (text == NULL || *text == '\0')
        return false;
    char *end;
    locale_t before = use_plain_numbers();
    double number = strtod(text, &end);
    uselocale(before);
    if (*end != '\0')
        return false;
    *value = number;
    return true;
}

/* strtod also takes white space, hexadecimal, "inf" and "nan"; these are refused here. */
static bool is_decimal(const char *text)
{
    bool digit = false;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at >= '0' && *at <= '9')
            digit = true;
        else if (*at != '+' && *at != '-' && *at != '.' && *at != 'e' && *at != 'E')
            return false;
    }
    return digit;
}

bool pst_parse_double(const char *text, double least, double most, double *value)
{
    double number;
    if (text == NULL || !is_decimal(text) || !pst_parse_real(text, &number))
        return false;
    if (!isfinite(number) || !(number >= least && number <= most))
        return false;
    *value = number;
    return true;
}

size_t pst_parse_doubles(const char *text, double least, double most, double *values, size_t room)
{
    for (size_t count = 0; count < room; text++) {
        char number[64] = "";
        size_t length = strcspn(text, ",");
        if (length >= sizeof number)
            return 0;
        memcpy(number, text, length);
        if (!pst_parse_double(number, least, most, &values[count++]))
            return 0;
        text += length;
        if (*text == '\0')
            return count;
    }
    return 0;
}

enum pst_status pst_check_machine(struct pst_error *error)
{
    const uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, sizeof first);
    if (first == 1)
        return PST_OK;
    return pst_fail(
        error, PST_UNAVAILABLE,
        "this machine is big-endian, and pipestill works on the bytes of little-endian streams; run "
        "it on a little-endian one, such as x86-64");
}

double pst_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
