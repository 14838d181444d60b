/* Batches: rows and labels mapped, and samples left out. */
#include "stages/class-map/class-map.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- labels -------------------------------------------------------------------------------------------- */

/* The new class of a label, or -1. Backwards, a class that was merged has no single old class. */
static int32_t new_label(const struct class_map *self, int32_t label)
{
    const struct pst_class_map *map = &self->map;
    if (!self->inverse)
        return map->new_of[label];
    size_t at = map->begin[label];
    return map->begin[label + 1] - at == 1 ? (int32_t)map->members[at] : -1;
}

static enum pst_status refuse_label(const struct class_map *self, size_t sample, int32_t label,
                                    struct pst_error *error)
{
    if (self->inverse)
        return pst_fail(error, PST_BAD_DATA,
                        "sample %zu of the batch: label %" PRId32 " stands for several old classes; "
                        "--drop-samples leaves such samples out, 'stream-select --drop y' all labels",
                        sample, label);
    return pst_fail(error, PST_BAD_DATA,
                    "sample %zu of the batch: label %" PRId32
                    " is a class that the map leaves out; --dustbin "
                    "NAME keeps such samples, --drop-samples leaves them out",
                    sample, label);
}

static enum pst_status map_labels(const struct class_map *self, const struct pst_batch *in,
                                  struct pst_batch *out, bool *gone, struct pst_error *error)
{
    const int32_t *labels = in->tensors[self->y].data;
    int32_t *to = out->tensors[self->y].data;
    for (size_t i = 0; i < in->n; i++) {
        if (labels[i] < 0 || (size_t)labels[i] >= self->in)
            return pst_fail(error, PST_BAD_DATA,
                            "sample %zu of the batch: label %" PRId32 " is not one of %zu classes", i,
                            labels[i], self->in);
        to[i] = new_label(self, labels[i]);
        if (to[i] < 0 && !self->drop_samples)
            return refuse_label(self, i, labels[i], error);
        if (to[i] < 0)
            gone[i] = true;
    }
    return PST_OK;
}

/* ---- rows ---------------------------------------------------------------------------------------------- */

/* Notes what a tensor's rows have lost. If nothing is left of a row, its sample is left out. */
static enum pst_status count_lost(struct class_map *self, const struct pst_tensor_spec *spec, size_t tensor,
                                  const unsigned char *asked, size_t n, bool *gone, struct pst_error *error)
{
    const double *shares = self->shares.data;
    struct lost *lost = &self->own[tensor];
    bool logits = self->tensors[tensor].logits;
    for (size_t i = 0; i < n; i++) {
        if (gone[i] || (asked != NULL && asked[i] == 0))
            continue;
        lost->rows++;
        lost->sum += (uint64_t)(shares[i] * 0x1p32);
        lost->largest = shares[i] > lost->largest ? shares[i] : lost->largest;
        if (shares[i] < 1 || logits) /* logits still have differences */
            continue;
        if (!self->drop_samples)
            return pst_fail(
                error, PST_BAD_DATA,
                "tensor '%s', sample %zu of the batch: all its probability is in classes that the map "
                "leaves out; --dustbin NAME keeps it, --drop-samples leaves the sample out",
                spec->name, i);
        gone[i] = true;
    }
    return PST_OK;
}

/* Rows that do not count stay zeros. asked: NULL if all do. */
static void clear_rows(float *rows, size_t classes, const unsigned char *asked, size_t n)
{
    for (size_t i = 0; asked != NULL && i < n; i++)
        if (asked[i] == 0)
            memset(rows + i * classes, 0, classes * sizeof *rows);
}

static enum pst_status map_rows(struct class_map *self, const struct pst_run *run, const struct pst_batch *in,
                                struct pst_batch *out, size_t tensor, bool *gone, struct pst_error *error)
{
    const struct mapped *mapped = &self->tensors[tensor];
    const struct pst_tensor_spec *spec = &pst_input_header(run)->tensors[mapped->at];
    const float *from = in->tensors[mapped->at].data;
    const unsigned char *asked = mapped->asked == PST_NONE ? NULL : in->tensors[mapped->asked].data;
    float *to = out->tensors[mapped->at].data;
    enum pst_status status = pst_rows_check_asked(
        spec, from, asked, in->n, mapped->logits ? PST_ROW_LOGITS : PST_ROW_DISTRIBUTION, error);
    if (status != PST_OK)
        return status;
    if (self->inverse) {
        (mapped->logits ? pst_class_unmap_logits : pst_class_unmap_probabilities)(&self->map, from, to,
                                                                                  in->n);
        clear_rows(to, self->out, asked, in->n);
        return PST_OK;
    }
    double *shares = self->map.dropped > 0 ? self->shares.data : NULL;
    (mapped->logits ? pst_class_map_logits : pst_class_map_probabilities)(&self->map, from, to, in->n,
                                                                          shares);
    clear_rows(to, self->out, asked, in->n);
    return shares == NULL ? PST_OK : count_lost(self, spec, tensor, asked, in->n, gone, error);
}

/* ---- samples ------------------------------------------------------------------------------------------- */

static enum pst_status make_room(struct class_map *self, size_t n, struct pst_error *error)
{
    if (self->own == NULL)
        self->own = pst_allocate(self->tensor_count + 1, sizeof *self->own, error);
    enum pst_status status = self->own == NULL ? PST_TRY_AGAIN : PST_OK;
    if (status == PST_OK)
        status = pst_buffer_reserve(&self->shares, n * sizeof(double), 0, error);
    if (status == PST_OK)
        status = pst_buffer_reserve(&self->rows, n * sizeof(size_t), 0, error);
    if (status == PST_OK)
        status = pst_buffer_reserve(&self->gone, n * sizeof(bool), 0, error);
    return status;
}

/* Removes the samples that are gone. Tensors that are not mapped have been replaced, too, so that they can
 * become shorter. */
static void keep_samples(struct class_map *self, const struct pst_run *run, const struct pst_batch *in,
                         struct pst_batch *out)
{
    const struct pst_header *header = pst_output_header(run);
    const bool *gone = self->gone.data;
    size_t *rows = self->rows.data, count = 0;
    for (size_t i = 0; i < header->tensor_count; i++) {
        bool mapped = i == self->y;
        for (size_t t = 0; t < self->tensor_count; t++)
            mapped = mapped || self->tensors[t].at == i;
        if (!mapped)
            memcpy(out->tensors[i].data, in->tensors[i].data, in->tensors[i].bytes);
    }
    for (size_t i = 0; i < in->n; i++)
        if (!gone[i])
            rows[count++] = i;
    self->own_left_out += in->n - count;
    pst_batch_keep(out, header, rows, count);
}

enum pst_status map_batch(struct pst_run *run, const struct pst_batch *in, struct pst_batch *out,
                          struct pst_error *error)
{
    struct class_map *self = run->self;
    enum pst_status status = make_room(self, in->n, error);
    if (status != PST_OK)
        return status;
    bool *gone = self->gone.data;
    memset(gone, 0, in->n * sizeof *gone);
    if (self->y != PST_NONE)
        status = map_labels(self, in, out, gone, error);
    for (size_t t = 0; t < self->tensor_count && status == PST_OK; t++)
        status = map_rows(self, run, in, out, t, gone, error);
    if (status == PST_OK && self->drop_samples)
        keep_samples(self, run, in, out);
    return status;
}

void leave(struct pst_run *run)
{
    struct class_map *self = run->self;
    for (size_t t = 0; self->own != NULL && t < self->tensor_count; t++) {
        self->lost[t].rows += self->own[t].rows;
        self->lost[t].sum += self->own[t].sum;
        if (self->own[t].largest > self->lost[t].largest)
            self->lost[t].largest = self->own[t].largest;
    }
    if (self->left_out != NULL)
        *self->left_out += self->own_left_out;
    free(self->own);
    pst_buffer_free(&self->shares);
    pst_buffer_free(&self->rows);
    pst_buffer_free(&self->gone);
}
