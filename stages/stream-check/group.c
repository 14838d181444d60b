/*
 * The samples chosen, collected into one matrix of the shape of the batches that they are from, each in the
 * very row that it had there. A BLAS rounds a row by its place in a matrix and by the matrix's shape (by
 * both, with the kernels for AVX2), so only thus do the teachers say what they said when the stream was made;
 * and a few samples of many batches cost little more than one batch.
 */
#include "stages/stream-check/check.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static struct pst_buffer inputs; /* [size, bytes of x]; rows that are not taken are of older groups, or 0 */
static struct pst_buffer places; /* [size] struct place */
static size_t size, count;       /* rows of the group, and those of them that are taken */
static const struct pst_tensor_spec *spec;

/* Begins a group for batches of n samples. */
static enum pst_status begin(size_t n, size_t x, struct pst_error *error)
{
    spec = &check.header.tensors[x];
    size_t had = size;
    enum pst_status status =
        pst_buffer_reserve(&inputs, n * spec->sample_bytes, had * spec->sample_bytes, error);
    if (status == PST_OK)
        status = pst_buffer_reserve(&places, n * sizeof(struct place), had * sizeof(struct place), error);
    for (size_t i = 0; i < check.comparison_count && status == PST_OK; i++)
        status =
            pst_buffer_reserve(&check.comparisons[i].recorded, n * check.classes * sizeof(float), 0, error);
    if (status != PST_OK)
        return status;
    if (n > had) {
        memset((char *)inputs.data + had * spec->sample_bytes, 0, (n - had) * spec->sample_bytes);
        memset((char *)places.data + had * sizeof(struct place), 0, (n - had) * sizeof(struct place));
    }
    size = n;
    return PST_OK;
}

static enum pst_status compare(struct comparison *comparison, struct pst_error *error)
{
    for (size_t i = 0; i < size; i++) {
        const struct place *place = (const struct place *)places.data + i;
        if (!place->taken)
            continue;
        const float *recorded = (const float *)comparison->recorded.data + i * check.classes;
        double apart = compare_row(comparison, recorded, i);
        if (!(apart <= check.tolerance))
            return pst_fail(error, PST_BAD_DATA,
                            "batch %" PRIu64 ", row %zu, sample %" PRIu64
                            ": '%s' is off by %.3g from what %s%s says; --tolerance allows %g",
                            place->batch, place->row, place->id, comparison->name, apart,
                            check.teachers[comparison->members[0]].path,
                            comparison->member_count > 1 ? " with the others" : "", check.tolerance);
    }
    return PST_OK;
}

enum pst_status compare_collected(struct pst_error *error)
{
    if (count == 0)
        return PST_OK;
    enum pst_status status = ask_teachers(spec, inputs.data, places.data, size, error);
    for (size_t i = 0; i < check.comparison_count && status == PST_OK; i++)
        status = compare(&check.comparisons[i], error);
    check.checked += count;
    count = 0;
    for (size_t i = 0; i < size; i++)
        ((struct place *)places.data)[i].taken = false;
    return status;
}

enum pst_status collect(const struct pst_batch *batch, size_t x, const uint64_t *ids, size_t row,
                        struct pst_error *error)
{
    enum pst_status status = PST_OK;
    if (batch->n != size || ((const struct place *)places.data)[row].taken) {
        status = compare_collected(error);
        if (status == PST_OK)
            status = begin(batch->n, x, error);
    }
    if (status != PST_OK)
        return status;
    memcpy((char *)inputs.data + row * spec->sample_bytes,
           (const char *)batch->tensors[x].data + row * spec->sample_bytes, spec->sample_bytes);
    ((struct place *)places.data)[row] =
        (struct place){ .batch = batch->seq, .id = ids[row], .row = row, .taken = true };
    for (size_t i = 0; i < check.comparison_count; i++) {
        const struct comparison *comparison = &check.comparisons[i];
        memcpy((float *)comparison->recorded.data + row * check.classes,
               (const float *)batch->tensors[comparison->tensor].data + row * check.classes,
               check.classes * sizeof(float));
    }
    count++;
    return PST_OK;
}

void free_group(void)
{
    pst_buffer_free(&inputs);
    pst_buffer_free(&places);
}
