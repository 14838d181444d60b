/* Errors on their way up. */
#include "pipestill/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum pst_status pst_fail(struct pst_error *error, enum pst_status status, const char *format, ...)
{
    if (error == NULL)
        return status;
    error->status = status;
    va_list values;
    va_start(values, format);
    vsnprintf(error->message, sizeof error->message, format, values);
    va_end(values);
    pst_make_plain(error->message);
    return status;
}

enum pst_status pst_fail_at(struct pst_error *error, const char *format, ...)
{
    char place[sizeof error->message];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(place, sizeof place, format, values);
    va_end(values);
    if (length < 0 || (size_t)length + 3 > sizeof error->message)
        return error->status;
    size_t before = (size_t)length + 2;
    memmove(error->message + before, error->message, sizeof error->message - before);
    error->message[sizeof error->message - 1] = '\0';
    memcpy(error->message, place, (size_t)length);
    memcpy(error->message + length, ": ", 2);
    pst_make_plain(error->message);
    return error->status;
}
