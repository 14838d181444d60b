/* A tensor of the stream as log p(state | x). */
#include "stages/decoder/decoder.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rounding makes small probabilities 0; they count as the smallest normal f32, as in evaluator. */
static float log_of(float p)
{
    return logf(p > FLT_MIN ? p : FLT_MIN);
}

static enum pst_status find(struct scores *scores, const char *named, const char *option,
                            const struct pst_header *header, struct pst_error *error)
{
    static const char *const kinds[] = { "logits", "soft", NULL };
    bool logits = false;
    enum pst_status status = pst_target_find(header, named, option, kinds, &scores->index, error);
    if (status != PST_OK)
        return status;
    if (scores->index == PST_NONE)
        return pst_fail(error, PST_BAD_DATA,
                        "the stream holds no scores of states: logits, logits/NAME, soft "
                        "or soft/NAME; is teacher-forward before this stage?");
    const char *name = header->tensors[scores->index].name;
    if (strcmp(name, "y") == 0) {
        scores->kind = SCORES_LABELS;
        return pst_header_require(header, name, PST_DTYPE_I32, 0, NULL, &scores->index, error);
    }
    if (!pst_target_kind(name, &logits))
        return pst_fail(error, PST_BAD_DATA,
                        "%s %s: scores are logits, logits/NAME, soft or soft/NAME, or labels, y", option,
                        name);
    scores->kind = logits ? SCORES_LOGITS : SCORES_SOFT;
    return pst_header_require(header, name, PST_DTYPE_F32, 1, NULL, &scores->index, error);
}

enum pst_status scores_open(struct scores *scores, const char *named, const char *option, size_t states,
                            const struct pst_header *header, struct pst_error *error)
{
    enum pst_status status = find(scores, named, option, header, error);
    if (status != PST_OK)
        return status;
    scores->spec = header->tensors[scores->index];
    scores->states = states;
    if (scores->kind != SCORES_LABELS && scores->spec.shape[0] != states)
        return pst_fail(error, PST_BAD_DATA,
                        "'%s' has %zu classes, but the corpus has %zu states (%d of each of %zu phones)",
                        scores->spec.name, scores->spec.shape[0], states, PST_PHONE_STATES,
                        states / PST_PHONE_STATES);
    scores->row = pst_allocate(states, sizeof *scores->row, error);
    return scores->row != NULL ? PST_OK : PST_TRY_AGAIN;
}

static enum pst_status check_labels(const struct scores *scores, const int32_t *labels, size_t n,
                                    struct pst_error *error)
{
    for (size_t i = 0; i < n; i++)
        if (labels[i] < 0 || (size_t)labels[i] >= scores->states)
            return pst_fail(error, PST_BAD_DATA,
                            "tensor 'y', sample %zu of the batch: label %" PRId32 " is none of %zu states", i,
                            labels[i], scores->states);
    return PST_OK;
}

enum pst_status scores_check(const struct scores *scores, const struct pst_batch *batch,
                             struct pst_error *error)
{
    const void *rows = batch->tensors[scores->index].data;
    if (scores->kind == SCORES_LABELS)
        return check_labels(scores, rows, batch->n, error);
    return pst_rows_check(&scores->spec, rows, batch->n,
                          scores->kind == SCORES_LOGITS ? PST_ROW_LOGITS : PST_ROW_DISTRIBUTION, error);
}

static enum pst_status make_room(struct scores *scores, size_t at, struct pst_error *error)
{
    size_t bytes, room = 2 * at + 1024;
    if (at < scores->room)
        return PST_OK;
    float *grown =
        pst_multiply(room, scores->states * sizeof *grown, &bytes) ? realloc(scores->log_p, bytes) : NULL;
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the scores of %zu frames", room);
    scores->log_p = grown;
    scores->room = room;
    return PST_OK;
}

enum pst_status scores_take(struct scores *scores, const struct pst_batch *batch, size_t sample, size_t at,
                            struct pst_error *error)
{
    if (make_room(scores, at, error) != PST_OK)
        return PST_TRY_AGAIN;
    float *log_p = scores->log_p + at * scores->states;
    const void *data = batch->tensors[scores->index].data;
    const float *row = (const float *)data + sample * scores->states;
    if (scores->kind == SCORES_LOGITS)
        pst_log_softmax(row, scores->row, scores->states, 1);
    for (size_t j = 0; j < scores->states; j++) {
        if (scores->kind == SCORES_LOGITS)
            log_p[j] = (float)fmax(scores->row[j], -(double)FLT_MAX);
        else if (scores->kind == SCORES_SOFT)
            log_p[j] = log_of(row[j]);
        else
            log_p[j] = log_of(((const int32_t *)data)[sample] == (int32_t)j);
    }
    return PST_OK;
}

void scores_close(struct scores *scores)
{
    free(scores->log_p);
    free(scores->row);
}
