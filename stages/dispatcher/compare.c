/* Whether workers do the same: an answer's header tells what was done, by which program and which model. */
#include "stages/dispatcher/pool.h"

#include <stdio.h>
#include <string.h>

static bool same_specs(const struct pst_tensor_spec *first, const struct pst_tensor_spec *other)
{
    return strcmp(first->name, other->name) == 0 && first->dtype == other->dtype &&
           first->rank == other->rank &&
           memcmp(first->shape, other->shape, first->rank * sizeof *first->shape) == 0 &&
           first->scale == other->scale && first->offset == other->offset &&
           first->temperature == other->temperature;
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
    return true;
}

/* Whether a tensor of two answers is made from the same things; one without an origin is not known. */
static bool same_origin(const struct pst_header *first, const struct pst_header *other, size_t i, char *why,
                        size_t size)
{
    const char *ours = first->tensors[i].origin, *theirs = other->tensors[i].origin;
    char words[200];
    if (strcmp(ours, theirs) == 0)
        return true;
    pst_lineage_difference(first->lineage, ours, other->lineage, theirs, words, sizeof words);
    snprintf(why, size, "'%s': %s", first->tensors[i].name, words);
    return false;
}

bool same_work(const struct pst_header *first, const struct pst_header *other, char *why, size_t size)
{
    if (first->tensor_count != other->tensor_count) {
        snprintf(why, size, "the command adds %zu tensors, not %zu", other->tensor_count,
                 first->tensor_count);
        return false;
    }
    for (size_t i = 0; i < first->tensor_count; i++) {
        if (!same_specs(&first->tensors[i], &other->tensors[i])) {
            snprintf(why, size, "tensor '%s' is not what '%s' is", other->tensors[i].name,
                     first->tensors[i].name);
            return false;
        }
        if (!same_origin(first, other, i, why, size))
            return false;
    }
    return true;
}
