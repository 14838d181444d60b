/* Predictions of a stream: which tensor holds them, and what it says of a sample. */
#include "stages/evaluator/evaluator.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the stream holds ----------------------------------------------------------------------------- */

static bool is_kind(const char *name, const char *kind)
{
    size_t length = strlen(kind);
    return strncmp(name, kind, length) == 0 && (name[length] == '/' || name[length] == '\0');
}

/* An error that lists what could be chosen. */
static enum pst_status no_choice(const struct pst_header *header, const char *why, struct pst_error *error)
{
    char list[320] = "";
    size_t used = 0;
    for (size_t i = 0; i < header->tensor_count && used < sizeof list; i++) {
        const char *name = header->tensors[i].name;
        if (is_kind(name, "soft") || is_kind(name, "logits"))
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used > 0 ? ", " : "", name);
    }
    if (used == 0)
        return pst_fail(error, PST_BAD_DATA,
                        "%s; the stream holds no predictions: is teacher-forward before "
                        "this stage?",
                        why);
    return pst_fail(error, PST_BAD_DATA, "%s; the stream has: %s", why, list);
}

enum pst_status source_choose(const struct pst_header *header, const char **name, struct pst_error *error)
{
    static const char *const kinds[] = { "logits", "soft" };
    size_t found = pst_header_find(header, "soft");
    for (size_t i = 0; found == PST_NONE && i < 2; i++) {
        size_t only;
        if (pst_header_find_all(header, kinds[i], &only, 1) == 1)
            found = only;
    }
    if (found == PST_NONE)
        return no_choice(header, "which predictions? choose with --of", error);
    *name = header->tensors[found].name;
    return PST_OK;
}

enum pst_status source_open(struct source *source, const char *name, size_t classes,
                            const struct pst_header *header, struct pst_error *error)
{
    char why[PST_NAME_SIZE + 64];
    snprintf(why, sizeof why, "'%.*s' is no tensor of predictions", PST_NAME_SIZE, name);
    if (pst_header_find(header, name) == PST_NONE || !(is_kind(name, "soft") || is_kind(name, "logits")))
        return no_choice(header, why, error);
    enum pst_status status =
        pst_header_require(header, name, PST_DTYPE_F32, 1, &classes, &source->index, error);
    if (status != PST_OK)
        return status;
    source->spec = header->tensors[source->index];
    source->logits = is_kind(name, "logits");
    if (source->logits || source->spec.temperature == 0)
        source->spec.temperature = 1;
    source->scores = pst_allocate(source->spec.shape[0], sizeof *source->scores, error);
    source->log_p = pst_allocate(source->spec.shape[0], sizeof *source->log_p, error);
    return source->scores == NULL || source->log_p == NULL ? PST_TRY_AGAIN : PST_OK;
}

static size_t largest(const float *numbers, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (numbers[i] > numbers[best])
            best = i;
    return best;
}

/* What is wrong with one sample's predictions, or NULL. */
static const char *find_fault(const struct source *source, const float *row)
{
    double sum = 0;
    for (size_t j = 0; j < source->spec.shape[0]; j++) {
        if (!isfinite(row[j]))
            return "a number is NaN or infinite";
        if (!source->logits && row[j] < 0)
            return "a probability is negative";
        sum += (double)row[j];
    }
    return source->logits || fabs(sum - 1) < 0.01 ? NULL : "the probabilities do not add up to 1";
}

const float *source_row(const struct source *source, const struct pst_batch *batch, size_t sample,
                        struct pst_error *error)
{
    const float *row = (const float *)batch->tensors[source->index].data + sample * source->spec.shape[0];
    const char *fault = find_fault(source, row);
    if (fault == NULL)
        return row;
    (void)pst_fail(error, PST_BAD_DATA, "tensor '%s', sample %zu of the batch: %s", source->spec.name, sample,
                   fault);
    return NULL;
}

double source_score(const struct source *source, float number)
{
    return source->logits ? (double)number : log(fmax((double)number, (double)FLT_MIN));
}

struct pst_prediction source_predict(const struct source *source, const float *row)
{
    size_t classes = source->spec.shape[0];
    for (size_t j = 0; j < classes; j++) {
        source->log_p[j] = source_score(source, row[j]);
        source->scores[j] = (float)(source->log_p[j] + (source->bias != NULL ? source->bias[j] : 0));
    }
    if (source->logits || source->bias != NULL)
        pst_log_softmax(source->scores, source->log_p, classes, 1);
    return (struct pst_prediction){ source->log_p,
                                    largest(source->bias != NULL ? source->scores : row, classes) };
}

void source_close(struct source *source)
{
    free(source->scores);
    free(source->log_p);
    free(source->bias);
}
