/* Making a stream smaller, batch by batch; and what that loses. */
#include "lib/compact/compactor.h"

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

static enum pst_status pack_targets(struct pst_compactor *compactor, const struct pst_batch *original,
                                    struct pst_batch *compact, struct pst_error *error)
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
        pst_fault fault =
            pst_row_pack(target, rows + i * target->classes, parts, &random, compactor->scratch.data);
        if (fault != NULL)
            return pst_fail(error, PST_BAD_DATA, "tensor '%s', sample %zu of the batch: %s",
                            target->dense.name, i, fault);
    }
    return PST_OK;
}

enum pst_status pst_compactor_pack(struct pst_compactor *compactor, const struct pst_batch *original,
                                   struct pst_batch *compact, struct pst_error *error)
{
    enum pst_status status = pst_batch_follow(compact, &compactor->compact, error);
    if (status == PST_OK)
        status = pst_batch_resize(compact, &compactor->compact, original->n, 0, error);
    if (status != PST_OK)
        return status;
    status = pst_buffer_reserve(&compactor->scratch,
                                compactor->description.targets[0].classes * sizeof(double), 0, error);
    if (status != PST_OK)
        return status;
    pst_batch_pass(original, compact, compactor->passages, compactor->passage_count);
    if (compactor->digest != PST_NONE)
        digest_inputs(compactor, original, compact);
    return pack_targets(compactor, original, compact, error);
}

enum pst_status pst_compactor_compare(struct pst_compactor *compactor, const struct pst_batch *original,
                                      const struct pst_batch *compact, struct pst_compact_loss *loss,
                                      struct pst_error *error)
{
    const struct pst_target *target = &compactor->description.targets[0];
    const float *rows = original->tensors[target->at].data;
    enum pst_status status = pst_buffer_reserve(&compactor->row, target->classes * sizeof(float), 0, error);
    float *row = compactor->row.data;
    for (size_t i = 0; i < original->n && status == PST_OK; i++) {
        void *parts[MOST_PARTS];
        pst_parts_of(target, compact, i, parts);
        pst_fault fault = pst_row_restore(target, (const void *const *)parts, row, compactor->scratch.data);
        if (fault != NULL)
            return pst_fail(error, PST_BAD_DATA, "tensor '%s', sample %zu of the batch: %s",
                            target->parts[0].name, i, fault);
        double divergence = pst_row_divergence(target, rows + i * target->classes, row);
        loss->sum += divergence;
        loss->largest = divergence > loss->largest ? divergence : loss->largest;
        loss->samples++;
    }
    return status;
}
