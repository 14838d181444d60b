/* Batches: memory that is reused, and tensors as numbers. */
#include "lib/stream/codec.h"

#include <float.h>
#include <math.h>
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

void pst_batch_sum(struct pst_batch *batch, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct pst_tensor *tensor = &batch->tensors[i];
        if (!tensor->crc_known)
            tensor->crc = pst_crc32c(0, tensor->data, tensor->bytes);
        tensor->crc_known = true;
    }
}

void pst_batch_free(struct pst_batch *batch)
{
    for (size_t i = 0; i < batch->tensor_count; i++)
        pst_buffer_free(&batch->tensors[i].memory);
    free(batch->tensors);
    *batch = (struct pst_batch){ 0 };
}

uint64_t pst_sample_hash(uint64_t epoch, uint64_t id)
{
    uint64_t value = id * 0x9E3779B97F4A7C15U + epoch;
    value = (value ^ value >> 32) * 0xD6E8FEB86659FD93U;
    value = (value ^ value >> 32) * 0xD6E8FEB86659FD93U;
    return value ^ value >> 32;
}

uint64_t pst_batch_sample_checksum(const struct pst_batch *batch, size_t id_index)
{
    if (id_index == PST_NONE)
        return 0;
    const uint64_t *ids = batch->tensors[id_index].data;
    uint64_t sum = 0;
    for (size_t i = 0; i < batch->n; i++)
        sum += pst_sample_hash(batch->epoch, ids[i]);
    return sum;
}

static void u8_to_f32(const uint8_t *elements, size_t count, float scale, float offset, float *numbers)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] = scale * (float)elements[i] + offset;
}

/* The place of the first number that is not finite, or count. Sums of differences from itself stay 0 without
 * one. */
static size_t first_not_finite(const float *numbers, size_t count)
{
    float trouble = 0;
    for (size_t i = 0; i < count; i++)
        trouble += numbers[i] - numbers[i];
    if (trouble == 0)
        return count;
    size_t at = 0;
    while (at < count && isfinite(numbers[at]))
        at++;
    return at;
}

enum pst_status pst_tensor_to_f32(const struct pst_tensor_spec *spec, const struct pst_tensor *tensor,
                                  size_t n, float *numbers, struct pst_error *error)
{
    size_t elements = pst_spec_elements(spec);
    size_t count = n * elements;
    if (spec->dtype == PST_DTYPE_U8) {
        if (!(255 * fabs(spec->scale) + fabs(spec->offset) <= (double)FLT_MAX))
            return pst_fail(error, PST_BAD_DATA, "tensor '%s': scale %g and offset %g lead beyond f32",
                            spec->name, spec->scale, spec->offset);
        u8_to_f32(tensor->data, count, spec->scale == 0 ? 1 : (float)spec->scale, (float)spec->offset,
                  numbers);
        return PST_OK;
    }
    if (spec->dtype == PST_DTYPE_F16)
        pst_halves_to_f32(tensor->data, numbers, count);
    else if (spec->dtype == PST_DTYPE_F32)
        memcpy(numbers, tensor->data, count * sizeof *numbers);
    else
        return pst_fail(error, PST_BAD_DATA, "tensor '%s' is %s, where u8, f16 or f32 is needed", spec->name,
                        pst_dtype_name(spec->dtype));
    size_t bad = first_not_finite(numbers, count);
    if (bad < count)
        return pst_fail(error, PST_BAD_DATA,
                        "tensor '%s', sample %zu of the batch: a number is NaN or infinite", spec->name,
                        bad / elements);
    return PST_OK;
}
