/* Making a stream smaller, batch by batch; and what that loses. */
#include "lib/compact/compactor.h"

#include <math.h>

static void digest_inputs(const struct pst_compactor *compactor, const struct pst_batch *original,
                          struct pst_batch *compact)
{
    const unsigned char *x = original->tensors[compactor->x].data;
    const int32_t *y = compactor->y == PST_NONE ? NULL : original->tensors[compactor->y].data;
    const uint64_t *id = original->tensors[compactor->id].data;
    uint8_t *digests = compact->tensors[compactor->digest].data;
    size_t bytes = compactor->original.tensors[compactor->x].sample_bytes;
    for (size_t i = 0; i < original->n; i++)
        pst_compact_digest(x + i * bytes, bytes, y == NULL ? NULL : y + i, id[i],
                           digests + i * PST_COMPACT_DIGEST_SIZE);
}

static enum pst_status pack_targets(const struct pst_compactor *compactor, const struct pst_batch *original,
                                    struct pst_batch *compact, double *scratch, struct pst_error *error)
{
    const struct pst_target *target = &compactor->description.targets[0];
    const float *rows = original->tensors[target->at].data;
    bool draws = target->form == PST_COMPACT_SAMPLED;
    const uint64_t *ids = draws ? original->tensors[compactor->id].data : NULL;
    enum pst_status status = pst_rows_check(&target->dense, rows, original->n,
                                            target->logits ? PST_ROW_LOGITS : PST_ROW_DISTRIBUTION, error);
    if (status != PST_OK)
        return status;
    for (size_t i = 0; i < original->n; i++) {
        struct pst_random random = { 0 };
        void *parts[MOST_PARTS];
        pst_parts_of(target, compact, i, parts);
        if (draws)
            pst_random_start(&random, target->seed, PST_RANDOM_DRAWS, original->epoch, ids[i]);
        pst_fault fault = pst_row_pack(target, rows + i * target->classes, parts, &random, scratch);
        if (fault != NULL)
            return pst_fail(error, PST_BAD_DATA, "tensor '%s', sample %zu of the batch: %s",
                            target->dense.name, i, fault);
    }
    return PST_OK;
}

static enum pst_status halve(const struct pst_tensor_spec *spec, const float *numbers, uint16_t *halves,
                             size_t n, struct pst_error *error)
{
    size_t elements = pst_spec_elements(spec);
    for (size_t i = 0; i < n * elements; i++) {
        halves[i] = pst_half_from_f32(numbers[i]);
        if (!isfinite(pst_half_to_f32(halves[i])))
            return pst_fail(error, PST_BAD_DATA,
                            "tensor '%s', sample %zu of the batch: f16 cannot hold %g; leave --hints f16 out",
                            spec->name, i / elements, (double)numbers[i]);
    }
    return PST_OK;
}

/* Converts the hints to f16 that do not pass as they are. */
static enum pst_status halve_hints(const struct pst_compactor *compactor, const struct pst_batch *original,
                                   struct pst_batch *compact, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t i = 0; compactor->half && i < compactor->compact.tensor_count && status == PST_OK; i++) {
        const struct pst_tensor_spec *spec = &compactor->compact.tensors[i];
        if (!pst_target_is_hint(spec->name) || spec->passed_from != PST_NONE)
            continue;
        size_t from = pst_header_find(&compactor->original, spec->name);
        status = halve(spec, original->tensors[from].data, compact->tensors[i].data, original->n, error);
    }
    return status;
}

/* Reserves memory for a row's scratch and for a restored row. */
static enum pst_status make_room(const struct pst_compactor *compactor, struct pst_buffer *scratch,
                                 struct pst_error *error)
{
    size_t bytes = sizeof(double) + sizeof(float);
    return pst_buffer_reserve(scratch, compactor->description.targets[0].classes * bytes, 0, error);
}

enum pst_status pst_compactor_pack(const struct pst_compactor *compactor, const struct pst_batch *original,
                                   struct pst_batch *compact, struct pst_buffer *scratch,
                                   struct pst_error *error)
{
    enum pst_status status = pst_batch_derive(compact, &compactor->compact, original, error);
    if (status == PST_OK)
        status = make_room(compactor, scratch, error);
    if (status != PST_OK)
        return status;
    if (compactor->digest != PST_NONE)
        digest_inputs(compactor, original, compact);
    status = halve_hints(compactor, original, compact, error);
    return status == PST_OK ? pack_targets(compactor, original, compact, scratch->data, error) : status;
}

enum pst_status pst_compactor_compare(const struct pst_compactor *compactor, const struct pst_batch *original,
                                      const struct pst_batch *compact, struct pst_compact_loss *loss,
                                      struct pst_buffer *scratch, struct pst_error *error)
{
    const struct pst_target *target = &compactor->description.targets[0];
    const float *rows = original->tensors[target->at].data;
    enum pst_status status = make_room(compactor, scratch, error);
    if (status != PST_OK)
        return status;
    double *work = scratch->data;
    float *row = (void *)(work + target->classes);
    for (size_t i = 0; i < original->n; i++) {
        void *parts[MOST_PARTS];
        pst_parts_of(target, compact, i, parts);
        pst_fault fault = pst_row_restore(target, (const void *const *)parts, row, work);
        if (fault != NULL)
            return pst_fail(error, PST_BAD_DATA, "tensor '%s', sample %zu of the batch: %s",
                            target->parts[0].name, i, fault);
        double divergence = pst_row_divergence(target, rows + i * target->classes, row);
        loss->sum += divergence;
        loss->largest = divergence > loss->largest ? divergence : loss->largest;
        loss->samples++;
    }
    return PST_OK;
}
