/* Numbers in text, parsed strictly, and the clock. */
#include "pipestill/base.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* strtod also takes white space, hexadecimal, "inf" and "nan"; none of them is meant here. */
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
    if (text == NULL || !is_decimal(text))
        return false;
    char *end;
    double number = strtod(text, &end);
    if (*end != '\0' || !isfinite(number) || !(number >= least && number <= most))
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

double pst_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
