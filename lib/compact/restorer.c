/* Restoring a compact stream: the original's header, and then batch by batch. */
#include "lib/compact/description.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct pst_restorer {
    struct pst_description description;
    struct pst_header compact, restored;
    size_t max_message;
    size_t most_classes;
};

void pst_restorer_free(struct pst_restorer *restorer)
{
    if (restorer == NULL)
        return;
    pst_description_free(&restorer->description);
    pst_header_free(&restorer->compact);
    pst_header_free(&restorer->restored);
    free(restorer);
}

bool pst_restorer_lacks_inputs(const struct pst_restorer *restorer)
{
    return restorer->description.digest;
}

/* ---- the header ---- */

/* Finds the parts of all targets, and marks them. taken: [tensor_count], of the compact stream. */
static enum pst_status find_parts(struct pst_restorer *restorer, bool *taken, struct pst_error *error)
{
    const struct pst_header *compact = &restorer->compact;
    for (size_t t = 0; t < restorer->description.target_count; t++) {
        struct pst_target *target = &restorer->description.targets[t];
        for (size_t i = 0; i < target->part_count; i++) {
            struct pst_tensor_spec *part = &target->parts[i];
            enum pst_status status = pst_header_require(compact, part->name, part->dtype, part->rank,
                                                        part->shape, &target->part_at[i], error);
            if (status != PST_OK)
                return status;
            if (taken[target->part_at[i]])
                return pst_fail(error, PST_BAD_DATA, "header: its key 'compact' names '%s' twice",
                                target->dense.name);
            *part = compact->tensors[target->part_at[i]];
            taken[target->part_at[i]] = true;
        }
    }
    if (!restorer->description.digest)
        return PST_OK;
    size_t index;
    enum pst_status status = pst_header_require(compact, PST_COMPACT_DIGEST, PST_DTYPE_U8, 1,
                                                (size_t[]){ PST_COMPACT_DIGEST_SIZE }, &index, error);
    if (status == PST_OK)
        taken[index] = true;
    return status;
}

/* Whether a tensor may be missing from the compact stream: a target, or an input that is left out. */
static bool may_be_absent(const struct pst_description *description, const struct pst_tensor_spec *spec)
{
    for (size_t i = 0; i < description->target_count; i++) {
        const struct pst_tensor_spec *dense = &description->targets[i].dense;
        if (strcmp(spec->name, dense->name) == 0)
            return spec->dtype == dense->dtype && spec->rank == 1 && spec->shape[0] == dense->shape[0];
    }
    return description->digest && strcmp(spec->name, "x") == 0;
}

static const struct pst_absent *absent_at(const struct pst_description *description, size_t place)
{
    for (size_t i = 0; i < description->absent_count; i++) {
        if (description->absent[i].place == place)
            return &description->absent[i];
    }
    return NULL;
}

/* Declares the original's tensors in their order: at each place the one that was left out there, or the next
 * that passes. */
static enum pst_status declare_all(struct pst_restorer *restorer, const bool *taken, struct pst_error *error)
{
    const struct pst_header *compact = &restorer->compact;
    size_t next = 0, absent = 0;
    for (size_t place = 0;; place++) {
        const struct pst_absent *left_out = absent_at(&restorer->description, place);
        while (next < compact->tensor_count && taken[next])
            next++;
        if (left_out == NULL && next == compact->tensor_count)
            break;
        const struct pst_tensor_spec *spec = left_out != NULL ? &left_out->spec : &compact->tensors[next];
        if (left_out != NULL && !may_be_absent(&restorer->description, spec))
            return pst_fail(error, PST_BAD_DATA,
                            "header: its key 'compact' says that '%s' is left out, of which it says nothing "
                            "else",
                            spec->name);
        size_t from = left_out != NULL ? PST_NONE : next;
        enum pst_status status = pst_header_pass_tensor(&restorer->restored, spec, from, NULL, error);
        if (status != PST_OK)
            return status;
        *(left_out != NULL ? &absent : &next) += 1;
    }
    if (absent != restorer->description.absent_count)
        return pst_fail(error, PST_BAD_DATA,
                        "header: the places of tensors in its key 'compact' leave gaps, or come twice");
    return PST_OK;
}

/* Finds the targets' places among the restored tensors. */
static enum pst_status find_targets(struct pst_restorer *restorer, struct pst_error *error)
{
    for (size_t t = 0; t < restorer->description.target_count; t++) {
        struct pst_target *target = &restorer->description.targets[t];
        target->at = pst_header_find(&restorer->restored, target->dense.name);
        if (target->at == PST_NONE)
            return pst_fail(error, PST_BAD_DATA, "header: its key 'compact' does not place '%s'",
                            target->dense.name);
        if (target->classes > restorer->most_classes)
            restorer->most_classes = target->classes;
        /* The restored numbers are those of the form, not those that it was made from. */
        pst_header_set_origin(&restorer->restored, target->at,
                              restorer->compact.tensors[target->part_at[0]].origin);
    }
    return PST_OK;
}

/* Removes the key, because the restored stream is not compact. */
static void forget_key(struct pst_header *header)
{
    json_object_del(header->other, PST_COMPACT_KEY);
    if (json_object_size(header->other) > 0)
        return;
    json_decref(header->other);
    header->other = NULL;
}

static enum pst_status make_header(struct pst_restorer *restorer, struct pst_error *error)
{
    size_t count = restorer->compact.tensor_count;
    enum pst_status status = pst_header_copy(&restorer->restored, &restorer->compact, error);
    if (status != PST_OK)
        return status;
    restorer->restored.tensor_count = 0;
    forget_key(&restorer->restored);
    bool *taken = pst_allocate(count + 1, sizeof *taken, error);
    status = taken == NULL ? PST_TRY_AGAIN : find_parts(restorer, taken, error);
    if (status == PST_OK)
        status = declare_all(restorer, taken, error);
    free(taken);
    return status == PST_OK ? find_targets(restorer, error) : status;
}

enum pst_status pst_restorer_new(struct pst_restorer **made, const struct pst_header *compact,
                                 size_t max_message, struct pst_header *restored, struct pst_error *error)
{
    *made = NULL;
    *restored = (struct pst_header){ 0 };
    if (!pst_compact_is(compact))
        return pst_fail(error, PST_BAD_DATA, "the stream is not compact");
    struct pst_restorer *restorer = pst_allocate(1, sizeof *restorer, error);
    if (restorer == NULL)
        return PST_TRY_AGAIN;
    restorer->max_message = max_message;
    enum pst_status status = pst_header_copy(&restorer->compact, compact, error);
    if (status == PST_OK)
        status = pst_description_from_json(&restorer->description,
                                           json_object_get(compact->other, PST_COMPACT_KEY), error);
    if (status == PST_OK)
        status = make_header(restorer, error);
    if (status == PST_OK)
        status = pst_header_copy(restored, &restorer->restored, error);
    if (status != PST_OK) {
        pst_restorer_free(restorer);
        return status;
    }
    *made = restorer;
    return PST_OK;
}

/* ---- batches ---- */

/* Two bytes can stand for 65,536 classes, so a small message could need more memory than there is. */
static enum pst_status check_size(const struct pst_restorer *restorer, const struct pst_batch *compact,
                                  struct pst_error *error)
{
    size_t left = restorer->max_message, bytes;
    for (size_t i = 0; i < restorer->restored.tensor_count; i++) {
        if (!pst_multiply(compact->n, restorer->restored.tensors[i].sample_bytes, &bytes) || bytes > left)
            return pst_fail(error, PST_BAD_DATA,
                            "%zu samples, restored, exceed the limit of %zu bytes (--max-message)",
                            compact->n, restorer->max_message);
        left -= bytes;
    }
    return PST_OK;
}

static enum pst_status restore_target(const struct pst_target *target, const struct pst_batch *compact,
                                      struct pst_batch *restored, double *scratch, struct pst_error *error)
{
    float *rows = restored->tensors[target->at].data;
    for (size_t i = 0; i < compact->n; i++) {
        void *parts[MOST_PARTS];
        pst_parts_of(target, compact, i, parts);
        pst_fault fault =
            pst_row_restore(target, (const void *const *)parts, rows + i * target->classes, scratch);
        if (fault != NULL)
            return pst_fail(error, PST_BAD_DATA, "tensor '%s', sample %zu of the batch: %s",
                            target->parts[0].name, i, fault);
    }
    return target->form != PST_COMPACT_F32
               ? PST_OK
               : pst_rows_check(&target->dense, rows, compact->n,
                                target->logits ? PST_ROW_LOGITS : PST_ROW_DISTRIBUTION, error);
}

enum pst_status pst_restorer_batch(const struct pst_restorer *restorer, const struct pst_batch *compact,
                                   struct pst_batch *restored, struct pst_buffer *scratch,
                                   struct pst_error *error)
{
    enum pst_status status = check_size(restorer, compact, error);
    if (status == PST_OK)
        status = pst_batch_derive(restored, &restorer->restored, compact, error);
    if (status == PST_OK)
        status = pst_buffer_reserve(scratch, restorer->most_classes * sizeof(double), 0, error);
    for (size_t t = 0; t < restorer->description.target_count && status == PST_OK; t++)
        status = restore_target(&restorer->description.targets[t], compact, restored, scratch->data, error);
    return status;
}
