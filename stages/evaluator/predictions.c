/* Predictions of a stream: which tensor holds them, and what it says of a sample. */
#include "stages/evaluator/evaluator.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static const char *tensors_of(const struct target_type *type)
{
    return type->of_logits ? "logits or logits/NAME" : "logits, logits/NAME, soft or soft/NAME";
}

enum pst_status source_open(struct source *source, const char *named, const char *option,
                            const struct target_type *type, const struct pst_header *header,
                            struct pst_error *error)
{
    const char *const kinds[] = { "logits", type->of_logits ? NULL : "soft", NULL };
    enum pst_status status = pst_target_find(header, named, option, kinds, &source->index, error);
    if (status != PST_OK)
        return status;
    if (source->index == PST_NONE)
        return pst_fail(
            error, PST_BAD_DATA, "the stream holds no predictions of %s: %s%s", type->name, tensors_of(type),
            pst_compact_is(header) ? pst_compact_advice(header) : "; is teacher-forward before this stage?");
    const char *name = header->tensors[source->index].name;
    if (!pst_target_kind(name, &source->logits) || (type->of_logits && !source->logits))
        return pst_fail(error, PST_BAD_DATA, "%s %s: %s are predicted by %s", option, name, type->name,
                        tensors_of(type));
    status = pst_target_whole(header, name, error);
    if (status == PST_OK)
        status = pst_header_require(header, name, PST_DTYPE_F32, 1, NULL, &source->index, error);
    if (status != PST_OK)
        return status;
    source->spec = header->tensors[source->index];
    if (source->logits || source->spec.temperature == 0)
        source->spec.temperature = 1;
    source->scores = pst_allocate(source->spec.shape[0], sizeof *source->scores, error);
    source->log_p = pst_allocate(source->spec.shape[0], sizeof *source->log_p, error);
    return source->scores == NULL || source->log_p == NULL ? PST_TRY_AGAIN : PST_OK;
}

enum pst_status source_fits(const struct evaluator *evaluator, const struct pst_header *header,
                            struct pst_error *error)
{
    const struct pst_tensor_spec *of = &evaluator->of.spec, *y = &header->tensors[evaluator->y];
    if (pst_spec_elements(y) == of->shape[0])
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA, "'%s' has %zu outputs, but 'y' (%s: %s) has %zu a sample", of->name,
                    of->shape[0], pst_dtype_name(y->dtype), evaluator->type->name, pst_spec_elements(y));
}

const float *source_row(const struct source *source, const struct pst_batch *batch, size_t sample)
{
    return (const float *)batch->tensors[source->index].data + sample * source->spec.shape[0];
}

enum pst_status source_check(const struct source *source, const struct pst_batch *batch,
                             struct pst_error *error)
{
    return pst_rows_check(&source->spec, source_row(source, batch, 0), batch->n,
                          source->logits ? PST_ROW_LOGITS : PST_ROW_DISTRIBUTION, error);
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
                                    pst_largest(source->bias != NULL ? source->scores : row, classes) };
}

void source_close(struct source *source)
{
    free(source->scores);
    free(source->log_p);
    free(source->bias);
}
