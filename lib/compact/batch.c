/* Tensors that pass as they are. */
#include "lib/compact/batch.h"

#include <string.h>

void pst_batch_pass(const struct pst_batch *from, struct pst_batch *to, const struct pst_passage *passages,
                    size_t count)
{
    to->seq = from->seq;
    to->epoch = from->epoch;
    for (size_t i = 0; i < count; i++) {
        const struct pst_tensor *old = &from->tensors[passages[i].from];
        struct pst_tensor *new = &to->tensors[passages[i].to];
        memcpy(new->data, old->data, old->bytes);
        new->crc = old->crc;
        new->crc_known = old->crc_known;
    }
}
