/* Whether workers do the same: an answer's header tells what was done, by which program and which model. */
#include "stages/dispatcher/pool.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names the first thing that two entries of a history differ in. */
static void describe_difference(const json_t *first, const json_t *other, char *why, size_t size)
{
    const char *stage = json_string_value(json_object_get(other, "stage"));
    void *at = json_object_iter((json_t *)(uintptr_t)other);
    for (; at != NULL; at = json_object_iter_next((json_t *)(uintptr_t)other, at)) {
        json_t *there = json_object_get(first, json_object_iter_key(at));
        if (there != NULL && json_equal(there, json_object_iter_value(at)))
            continue;
        char *mine = json_dumps(json_object_iter_value(at), JSON_ENCODE_ANY | JSON_COMPACT);
        char *theirs = there == NULL ? NULL : json_dumps(there, JSON_ENCODE_ANY | JSON_COMPACT);
        snprintf(why, size, "%s's %s is %.90s, not %.90s", stage == NULL ? "a stage" : stage,
                 json_object_iter_key(at), mine == NULL ? "?" : mine, theirs == NULL ? "none" : theirs);
        free(mine);
        free(theirs);
        return;
    }
    snprintf(why, size, "%s lacks something", stage == NULL ? "a stage" : stage);
}

static bool same_specs(const struct pst_tensor_spec *first, const struct pst_tensor_spec *other)
{
    return strcmp(first->name, other->name) == 0 && first->dtype == other->dtype &&
           first->rank == other->rank &&
           memcmp(first->shape, other->shape, first->rank * sizeof *first->shape) == 0 &&
           first->scale == other->scale && first->offset == other->offset &&
           first->temperature == other->temperature;
}

/* Compares the first `count` entries. */
static bool same_history(const json_t *first, const json_t *other, size_t count, char *why, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *a = json_array_get(first, i), *b = json_array_get(other, i);
        if (a != NULL && b != NULL && json_equal(a, b))
            continue;
        if (a == NULL || b == NULL)
            snprintf(why, size, "the command has %zu stages, not %zu", json_array_size(other),
                     json_array_size(first));
        else
            describe_difference(a, b, why, size);
        return false;
    }
    return true;
}

bool answer_follows_input(const struct pst_header *answer, const struct pst_header *input, char *why,
                          size_t size)
{
    for (size_t i = 0; i < answer->tensor_count; i++) {
        if (pst_header_find(input, answer->tensors[i].name) == PST_NONE)
            continue;
        snprintf(why, size, "the answer brings '%s', which the stream has already", answer->tensors[i].name);
        return false;
    }
    return same_history(input->history, answer->history, json_array_size(input->history), why, size);
}

bool same_work(const struct pst_header *first, const struct pst_header *other, char *why, size_t size)
{
    size_t a = json_array_size(first->history), b = json_array_size(other->history);
    if (!same_history(first->history, other->history, a > b ? a : b, why, size))
        return false;
    if (first->tensor_count != other->tensor_count) {
        snprintf(why, size, "the command adds %zu tensors, not %zu", other->tensor_count,
                 first->tensor_count);
        return false;
    }
    for (size_t i = 0; i < first->tensor_count; i++) {
        if (same_specs(&first->tensors[i], &other->tensors[i]))
            continue;
        snprintf(why, size, "tensor '%s' is not what '%s' is", other->tensors[i].name,
                 first->tensors[i].name);
        return false;
    }
    return true;
}
