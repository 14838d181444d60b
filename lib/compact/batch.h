/* batch.h: what compactor and restorer share: tensors that pass as they are, and samples' places in parts. */
#ifndef PIPESTILL_LIB_COMPACT_BATCH_H
#define PIPESTILL_LIB_COMPACT_BATCH_H

#include "lib/compact/codec.h"

/* A tensor that stays as it is: its places on both sides. */
struct pst_passage {
    size_t from, to;
};

/* Gives `to` the numbers of `from`, and the tensors that pass with their checksums. Everything has room. */
void pst_batch_pass(const struct pst_batch *from, struct pst_batch *to, const struct pst_passage *passages,
                    size_t count);

/* Where a sample's elements are in the parts of a target. */
static inline void pst_parts_of(const struct pst_target *target, const struct pst_batch *compact,
                                size_t sample, void *parts[MOST_PARTS])
{
    for (size_t i = 0; i < MOST_PARTS; i++)
        parts[i] = i >= target->part_count ? NULL
                                           : (char *)compact->tensors[target->part_at[i]].data +
                                                 sample * target->parts[i].sample_bytes;
}

#endif
