/* The value of --splice, of a data set or a recording. It has its own file because replay has no view. */
#include "pipestill/view.h"

#include <string.h>

bool pst_parse_splice(const char *text, size_t *before, size_t *after)
{
    char first[16];
    uint64_t numbers[2];
    size_t length = strcspn(text, ",");
    if (text[length] != ',' || length >= sizeof first)
        return false;
    memcpy(first, text, length);
    first[length] = '\0';
    if (!pst_parse_u64(first, 0, PST_MAX_SPLICE, &numbers[0]) ||
        !pst_parse_u64(text + length + 1, 0, PST_MAX_SPLICE, &numbers[1]))
        return false;
    *before = (size_t)numbers[0];
    *after = (size_t)numbers[1];
    return true;
}
