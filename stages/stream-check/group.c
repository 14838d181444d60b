/*
 * The samples chosen, collected until there are as many as in a batch of the stream. The teachers are then
 * asked about matrices of the very shape that they were asked about when the stream was made, so what they
 * say is rounded alike, and a few samples of many batches cost no more than one batch.
 */
#include "stages/stream-check/check.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static struct pst_buffer inputs; /* [size, bytes of x] */
static struct pst_buffer places; /* [size] struct place */
static size_t size, count;       /* samples of a whole group, and collected */
static const struct pst_tensor_spec *spec;

/* The first batch has the size that all but an epoch's last one have. */
static enum pst_status begin(size_t n, size_t x, struct pst_error *error)
{
    size = n;
    spec = &check.header.tensors[x];
    enum pst_status status = pst_buffer_reserve(&inputs, n * spec->sample_bytes, 0, error);
    if (status == PST_OK)
        status = pst_buffer_reserve(&places, n * sizeof(struct place), 0, error);
    if (status != PST_OK)
        return status;
    memset(inputs.data, 0, n * spec->sample_bytes);
    memset(places.data, 0, n * sizeof(struct place));
    for (size_t i = 0; i < check.comparison_count && status == PST_OK; i++)
        status =
            pst_buffer_reserve(&check.comparisons[i].recorded, n * check.classes * sizeof(float), 0, error);
    return status;
}

static enum pst_status compare(struct comparison *comparison, struct pst_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const struct place *place = (const struct place *)places.data + i;
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
    /* Behind those collected stand older ones: they fill the matrix, and are not looked at. */
    enum pst_status status = ask_teachers(spec, inputs.data, places.data, size, error);
    for (size_t i = 0; i < check.comparison_count && status == PST_OK; i++)
        status = compare(&check.comparisons[i], error);
    check.checked += count;
    count = 0;
    return status;
}

enum pst_status collect(const struct pst_batch *batch, size_t x, const uint64_t *ids, size_t row,
                        struct pst_error *error)
{
    enum pst_status status = size == 0 ? begin(batch->n, x, error) : PST_OK;
    if (status != PST_OK)
        return status;
    memcpy((char *)inputs.data + count * spec->sample_bytes,
           (const char *)batch->tensors[x].data + row * spec->sample_bytes, spec->sample_bytes);
    ((struct place *)places.data)[count] = (struct place){ .batch = batch->seq, .id = ids[row], .row = row };
    for (size_t i = 0; i < check.comparison_count; i++) {
        const struct comparison *comparison = &check.comparisons[i];
        memcpy((float *)comparison->recorded.data + count * check.classes,
               (const float *)batch->tensors[comparison->tensor].data + row * check.classes,
               check.classes * sizeof(float));
    }
    count++;
    return count == size ? compare_collected(error) : PST_OK;
}

void free_group(void)
{
    pst_buffer_free(&inputs);
    pst_buffer_free(&places);
}
