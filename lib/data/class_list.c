/* Lists of classes, as people write them: "7,8" or "0-4,9". */
#include "pipestill/view.h"

#include <string.h>

/* Takes a number off the front of the text. Returns what follows, or NULL if there is no number. */
static const char *take_number(const char *text, uint64_t *number)
{
    char digits[20];
    size_t length = strspn(text, "0123456789");
    if (length >= sizeof digits)
        return NULL;
    memcpy(digits, text, length);
    digits[length] = '\0';
    return pst_parse_u64(digits, 0, UINT64_MAX, number) ? text + length : NULL;
}

enum pst_status pst_mark_classes(const char *list, size_t classes, bool value, bool *mask,
                                 struct pst_error *error)
{
    const char *at = list;
    do {
        uint64_t first = 0;
        at = take_number(at, &first);
        uint64_t last = first;
        if (at != NULL && *at == '-')
            at = take_number(at + 1, &last);
        if (at == NULL || first > last || (*at != ',' && *at != '\0'))
            return pst_fail(error, PST_USAGE, "'%s' is not a list of classes such as 7,8 or 0-4", list);
        if (last >= classes)
            return pst_fail(error, PST_USAGE, "there is no class %llu; there are %zu, counted from 0",
                            (unsigned long long)last, classes);
        for (uint64_t class = first; class <= last; class ++)
            mask[class] = value;
    } while (*at++ == ',');
    return PST_OK;
}
