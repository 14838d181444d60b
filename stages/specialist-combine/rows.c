/* Batches: which specialists are used for each sample, their probabilities, and the result. */
#include "stages/specialist-combine/combine.h"

#include <stdlib.h>
#include <string.h>

/* ---- what specialists say ------------------------------------------------------------------------------ */

/* For a row whose last number is its own dustbin. probabilities: receives those of the classes that the
 * specialist knows. Returns that of the dustbin. */
static double own_dustbin(const struct combine *self, const struct specialist *specialist, const float *row,
                          float *probabilities)
{
    if (self->logits) {
        pst_softmax(row, self->mixed, 1, specialist->width, 1);
        row = self->mixed;
    }
    for (size_t i = 0; i < specialist->count; i++)
        probabilities[i] = row[specialist->columns[i]];
    return specialist->count < self->classes ? (double)row[specialist->width - 1] : 0;
}

/* For a row of logits without a dustbin: takes the specialist's logits for the classes that it knows and the
 * generalist's for all others. With one softmax over both, an untrained specialist gives the generalist's
 * probabilities, to the bit. */
static double shared_dustbin(const struct combine *self, const struct specialist *specialist,
                             const float *row, const float *generalist, float *probabilities)
{
    float *logits = self->mixed, *mixed = self->mixed + self->classes;
    memcpy(logits, generalist, self->classes * sizeof *logits);
    for (size_t i = 0; i < specialist->count; i++)
        logits[specialist->classes[i]] = row[specialist->columns[i]];
    pst_softmax(logits, mixed, 1, self->classes, 1);
    double others = 0;
    size_t next = 0;
    for (size_t i = 0; i < self->classes; i++) {
        if (specialist->inside[i])
            probabilities[next++] = mixed[i];
        else
            others += (double)mixed[i];
    }
    return others;
}

/* ---- samples ------------------------------------------------------------------------------------------- */

/* Whether a specialist knows one of the generalist's likeliest classes. */
static bool fits(const struct combine *self, const struct specialist *specialist)
{
    for (size_t k = 0; k < self->most; k++)
        if (specialist->inside[self->likeliest[k]])
            return true;
    return false;
}

/* Collects the specialists' opinions on a sample. Returns how many there are. */
static size_t collect_opinions(struct combine *self, const struct pst_batch *in, size_t sample)
{
    const float *generalist = (const float *)in->tensors[self->generalist].data + sample * self->classes;
    size_t used = 0;
    pst_class_likeliest(generalist, self->classes, self->most, self->likeliest);
    for (size_t m = 0; m < self->count; m++) {
        const struct specialist *specialist = &self->specialists[m];
        const unsigned char *asked =
            specialist->asked == PST_NONE ? NULL : in->tensors[specialist->asked].data;
        if (!fits(self, specialist))
            continue;
        if (asked != NULL && asked[sample] == 0) {
            self->own.missed++;
            continue;
        }
        const float *row = (const float *)in->tensors[specialist->at].data + sample * specialist->width;
        float *opinion = self->rows + used * self->classes;
        double dustbin = specialist->dustbin == DUSTBIN_OWN
                             ? own_dustbin(self, specialist, row, opinion)
                             : shared_dustbin(self, specialist, row, generalist, opinion);
        self->opinions[used++] =
            (struct pst_opinion){ specialist->classes, specialist->count, opinion, dustbin };
    }
    return used;
}

static enum pst_status make_room(struct combine *self, size_t bytes, struct pst_error *error)
{
    if (self->opinions == NULL) {
        if (pst_combination_start(&self->work, self->classes, self->count, error) != PST_OK)
            return PST_TRY_AGAIN;
        self->rows = pst_allocate(self->count, self->classes * sizeof *self->rows, error);
        self->mixed = pst_allocate(self->classes + 1, 2 * sizeof *self->mixed, error);
        self->likeliest = pst_allocate(self->most, sizeof *self->likeliest, error);
        self->opinions = pst_allocate(self->count, sizeof *self->opinions, error);
    }
    if (self->rows == NULL || self->mixed == NULL || self->likeliest == NULL || self->opinions == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for specialists");
    return self->logits ? pst_buffer_reserve(&self->softened, bytes, 0, error) : PST_OK;
}

static enum pst_status check_rows(const struct combine *self, const struct pst_header *header,
                                  const struct pst_batch *in, struct pst_error *error)
{
    enum pst_row_kind kind = self->logits ? PST_ROW_LOGITS : PST_ROW_DISTRIBUTION;
    enum pst_status status = pst_rows_check(&header->tensors[self->generalist],
                                            in->tensors[self->generalist].data, in->n, kind, error);
    for (size_t m = 0; m < self->count && status == PST_OK; m++) {
        const struct specialist *specialist = &self->specialists[m];
        status = pst_rows_check_asked(
            &header->tensors[specialist->at], in->tensors[specialist->at].data,
            specialist->asked == PST_NONE ? NULL : in->tensors[specialist->asked].data, in->n, kind, error);
    }
    return status;
}

enum pst_status combine_batch(struct pst_run *run, const struct pst_batch *in, struct pst_batch *out,
                              struct pst_error *error)
{
    struct combine *self = run->self;
    const struct pst_tensor *generalist = &in->tensors[self->generalist];
    const float *rows = generalist->data;
    float *to = out->tensors[self->target].data;
    enum pst_status status = check_rows(self, pst_input_header(run), in, error);
    if (status == PST_OK)
        status = make_room(self, generalist->bytes, error);
    if (status != PST_OK)
        return status;
    if (self->logits) {
        pst_softmax(rows, self->softened.data, in->n, self->classes, 1);
        rows = self->softened.data;
    }
    for (size_t i = 0; i < in->n; i++) {
        size_t used = collect_opinions(self, in, i);
        size_t steps = pst_combine(&self->work, rows + i * self->classes, self->opinions, used,
                                   self->tolerance, to + i * self->classes);
        self->own.samples++;
        self->own.alone += used == 0;
        self->own.used += used;
        self->own.steps += steps;
        self->own.unfinished += steps > PST_COMBINATION_MOST_STEPS;
    }
    return PST_OK;
}

void leave(struct pst_run *run)
{
    struct combine *self = run->self;
    if (self->of_all != NULL) {
        self->of_all->samples += self->own.samples;
        self->of_all->alone += self->own.alone;
        self->of_all->used += self->own.used;
        self->of_all->missed += self->own.missed;
        self->of_all->steps += self->own.steps;
        self->of_all->unfinished += self->own.unfinished;
    }
    pst_combination_free(&self->work);
    free(self->opinions);
    free(self->rows);
    free(self->mixed);
    free(self->likeliest);
    pst_buffer_free(&self->softened);
}
