/* Names of classes, outputs or labels, from the header. */
#include "stages/evaluator/evaluator.h"

#include <jansson.h>
#include <string.h>

/* Bytes of all texts with their ends; 0 if the list does not hold `count` texts. */
static size_t size_of(const json_t *list, size_t count)
{
    size_t size = 0;
    if (!json_is_array(list) || json_array_size(list) != count)
        return 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *name = json_array_get(list, i);
        if (!json_is_string(name))
            return 0;
        size += strlen(json_string_value(name)) + 1;
    }
    return size;
}

enum pst_status names_take(struct evaluator *evaluator, const struct pst_header *header, size_t count,
                           struct pst_error *error)
{
    const char *key = evaluator->type->names_key;
    const json_t *list = json_object_get(header->other, key);
    if (list == NULL)
        return PST_OK;
    size_t size = size_of(list, count);
    if (size == 0)
        return pst_fail(error, PST_BAD_DATA, "the header's %s are not %zu texts", key, count);
    const char **names = pst_allocate(count * sizeof *names + size, 1, error);
    if (names == NULL)
        return PST_TRY_AGAIN;
    char *text = (char *)(names + count);
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        names[i] = strcpy(text, name);
        pst_make_plain(text);
        text += strlen(name) + 1;
    }
    evaluator->names = names;
    return PST_OK;
}

uint64_t id_of(const struct evaluator *evaluator, const struct pst_batch *batch, size_t sample)
{
    return evaluator->id == PST_NONE ? 0 : ((const uint64_t *)batch->tensors[evaluator->id].data)[sample];
}
