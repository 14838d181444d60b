/* Names of classes and outputs, as a stream's header has them. */
#include "stages/stream-export/export.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const char *names_at(const struct names *names, size_t index)
{
    return json_string_value(json_array_get(names->list, index));
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum pst_status find_repeated(struct names *names, struct pst_error *error)
{
    const char **sorted = pst_allocate(names->count, sizeof *sorted, error);
    if (sorted == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < names->count; i++)
        sorted[i] = names_at(names, i);
    qsort(sorted, names->count, sizeof *sorted, compare_texts);
    names->unique = true;
    for (size_t i = 1; i < names->count; i++)
        names->unique = names->unique && strcmp(sorted[i - 1], sorted[i]) != 0;
    free(sorted);
    return PST_OK;
}

enum pst_status names_read(struct names *names, const struct pst_header *header, const char *key,
                           struct pst_error *error)
{
    *names = (struct names){ .list = json_object_get(header->other, key) };
    if (names->list == NULL)
        return PST_OK;
    if (!json_is_array(names->list))
        return pst_fail(error, PST_BAD_DATA, "the header's key '%s' is not a list of texts", key);
    names->count = json_array_size(names->list);
    for (size_t i = 0; i < names->count; i++) {
        const char *text = names_at(names, i);
        if (text == NULL || strlen(text) != json_string_length(json_array_get(names->list, i)))
            return pst_fail(error, PST_BAD_DATA, "the header's key '%s': entry %zu is not a text without NUL",
                            key, i);
    }
    return find_repeated(names, error);
}
