/* Batches: memory that is reused from one to the next. */
#include "pipestill/stream.h"

#include <stdlib.h>
#include <string.h>

enum pst_status pst_batch_follow(struct pst_batch *batch, const struct pst_header *header,
                                 struct pst_error *error)
{
    if (batch->tensor_count >= header->tensor_count)
        return PST_OK;
    struct pst_tensor *grown = realloc(batch->tensors, header->tensor_count * sizeof *grown);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for %zu tensors", header->tensor_count);
    memset(grown + batch->tensor_count, 0, (header->tensor_count - batch->tensor_count) * sizeof *grown);
    batch->tensors = grown;
    batch->tensor_count = header->tensor_count;
    return PST_OK;
}

static enum pst_status make_room(struct pst_tensor *tensor, const struct pst_tensor_spec *spec, size_t n,
                                 struct pst_error *error)
{
    size_t bytes;
    if (!pst_multiply(n, spec->sample_bytes, &bytes))
        return pst_fail(error, PST_BAD_DATA, "tensor '%s': %zu samples are too large", spec->name, n);
    enum pst_status status = pst_buffer_reserve(&tensor->memory, bytes, 0, error);
    if (status != PST_OK)
        return status;
    tensor->data = tensor->memory.data;
    tensor->bytes = bytes;
    tensor->crc_known = false;
    return PST_OK;
}

enum pst_status pst_batch_resize(struct pst_batch *batch, const struct pst_header *header, size_t n,
                                 size_t from, struct pst_error *error)
{
    if (n == 0)
        return pst_fail(error, PST_BAD_DATA, "a batch without samples");
    enum pst_status status = PST_OK;
    for (size_t i = from; i < batch->tensor_count && status == PST_OK; i++)
        status = make_room(&batch->tensors[i], &header->tensors[i], n, error);
    batch->n = n;
    return status;
}

enum pst_status pst_batch_derive(struct pst_batch *out, const struct pst_header *header,
                                 const struct pst_batch *in, struct pst_error *error)
{
    enum pst_status status = pst_batch_follow(out, header, error);
    out->seq = in->seq;
    out->epoch = in->epoch;
    out->n = in->n;
    for (size_t i = 0; i < header->tensor_count && status == PST_OK; i++) {
        struct pst_tensor *tensor = &out->tensors[i];
        size_t from = header->tensors[i].passed_from;
        if (from == PST_NONE) {
            status = make_room(tensor, &header->tensors[i], in->n, error);
            continue;
        }
        struct pst_buffer own = tensor->memory;
        *tensor = in->tensors[from];
        tensor->memory = own;
    }
    return status;
}

void pst_batch_keep(struct pst_batch *batch, const struct pst_header *header, const size_t *rows,
                    size_t count)
{
    for (size_t i = 0; i < header->tensor_count; i++) {
        struct pst_tensor *tensor = &batch->tensors[i];
        size_t size = header->tensors[i].sample_bytes;
        char *data = tensor->data;
        for (size_t row = 0; row < count; row++)
            memmove(data + row * size, data + rows[row] * size, size);
        tensor->bytes = count * size;
        tensor->crc_known = false;
    }
    batch->n = count;
}

void pst_batch_sum(struct pst_batch *batch, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct pst_tensor *tensor = &batch->tensors[i];
        if (!tensor->crc_known)
            tensor->crc = pst_crc32c(0, tensor->data, tensor->bytes);
        tensor->crc_known = true;
    }
}

uint64_t pst_batch_check(const struct pst_batch *batch, size_t tensors)
{
    uint32_t crc = 0;
    for (size_t i = 0; i < tensors; i++)
        crc = pst_crc32c(crc, &batch->tensors[i].crc, sizeof batch->tensors[i].crc);
    return crc;
}

void pst_batch_free(struct pst_batch *batch)
{
    for (size_t i = 0; i < batch->tensor_count; i++)
        pst_buffer_free(&batch->tensors[i].memory);
    free(batch->tensors);
    *batch = (struct pst_batch){ 0 };
}
