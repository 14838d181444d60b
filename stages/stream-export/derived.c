/* Columns that are not tensors: figures of a batch, and of predictions. */
#include "stages/stream-export/export.h"

#include <math.h>

/* Makes room for the column's numbers of a batch. Returns it, or NULL if memory is short. */
static void *make_room(struct column *column, size_t n, struct pst_error *error)
{
    size_t size = n * column->width * pst_dtype_size(column->dtype);
    if (pst_buffer_reserve(&column->memory, size, 0, error) != PST_OK)
        return NULL;
    column->data = column->memory.data;
    return column->memory.data;
}

static enum pst_status fill_with(struct column *column, size_t n, uint64_t number, struct pst_error *error)
{
    uint64_t *numbers = make_room(column, n, error);
    for (size_t i = 0; numbers != NULL && i < n; i++)
        numbers[i] = number;
    return numbers != NULL ? PST_OK : PST_TRY_AGAIN;
}

static enum pst_status fill_seq(struct export *export, struct column *column, const struct pst_batch *batch,
                                struct pst_error *error)
{
    (void)export;
    return fill_with(column, batch->n, batch->seq, error);
}

static enum pst_status fill_epoch(struct export *export, struct column *column, const struct pst_batch *batch,
                                  struct pst_error *error)
{
    (void)export;
    return fill_with(column, batch->n, batch->epoch, error);
}

static enum pst_status fill_label(struct export *export, struct column *column, const struct pst_batch *batch,
                                  struct pst_error *error)
{
    const int32_t *labels = column->data = batch->tensors[column->tensor].data;
    size_t classes = export->names.classes.count;
    for (size_t i = 0; classes > 0 && i < batch->n; i++)
        if (labels[i] < 0 || (size_t)labels[i] >= classes)
            return pst_fail(error, PST_BAD_DATA,
                            "sample %zu of the batch: label %d is not one of %zu classes that have names", i,
                            (int)labels[i], classes);
    return PST_OK;
}

/* ---- of a predicted class ------------------------------------------------------------------------------ */

/* Takes the class of the largest logit, because different logits may have probabilities that are rounded to
 * the same number. */
static enum pst_status fill_argmax(struct export *export, struct column *column,
                                   const struct pst_batch *batch, struct pst_error *error)
{
    const struct predictions *of = &export->predictions;
    int32_t *classes = make_room(column, batch->n, error);
    for (size_t i = 0; classes != NULL && i < batch->n; i++)
        classes[i] = (int32_t)pst_largest(of->rows + i * of->outputs, of->outputs);
    return classes != NULL ? PST_OK : PST_TRY_AGAIN;
}

/* Fills a column with a figure of each sample. */
static enum pst_status fill_figure(struct export *export, struct column *column,
                                   const struct pst_batch *batch,
                                   double (*figure)(const struct predictions *of, size_t sample),
                                   struct pst_error *error)
{
    float *numbers = make_room(column, batch->n, error);
    for (size_t i = 0; numbers != NULL && i < batch->n; i++)
        numbers[i] = (float)figure(&export->predictions, i);
    return numbers != NULL ? PST_OK : PST_TRY_AGAIN;
}

static double probability(const struct predictions *of, size_t sample)
{
    size_t first = sample * of->outputs;
    return (double)of->values[first + pst_largest(of->rows + first, of->outputs)];
}

static enum pst_status fill_probability(struct export *export, struct column *column,
                                        const struct pst_batch *batch, struct pst_error *error)
{
    return fill_figure(export, column, batch, probability, error);
}

static double margin(const struct predictions *of, size_t sample)
{
    const float *values = of->values + sample * of->outputs;
    size_t best = pst_largest(of->rows + sample * of->outputs, of->outputs);
    float second = 0;
    for (size_t i = 0; i < of->outputs; i++)
        if (i != best && values[i] > second)
            second = values[i];
    return (double)values[best] - (double)second;
}

static enum pst_status fill_margin(struct export *export, struct column *column,
                                   const struct pst_batch *batch, struct pst_error *error)
{
    return fill_figure(export, column, batch, margin, error);
}

/* Computed in double, for logits from log-probabilities, because the entropy of a confident prediction is a
 * small difference. */
static double entropy(const struct predictions *of, size_t sample)
{
    const float *row = of->rows + sample * of->outputs;
    double sum = 0;
    if (of->logits)
        pst_log_softmax(row, of->log_p, of->outputs, 1);
    for (size_t i = 0; i < of->outputs; i++) {
        double p = of->logits ? exp(of->log_p[i]) : (double)row[i];
        if (p > 0)
            sum -= p * (of->logits ? of->log_p[i] : log(p));
    }
    return sum > 0 ? sum : 0; /* probabilities whose sum is rounded to more than 1 */
}

static enum pst_status fill_entropy(struct export *export, struct column *column,
                                    const struct pst_batch *batch, struct pst_error *error)
{
    return fill_figure(export, column, batch, entropy, error);
}

static enum pst_status fill_prediction(struct export *export, struct column *column,
                                       const struct pst_batch *batch, struct pst_error *error)
{
    (void)batch, (void)error;
    column->data = export->predictions.values;
    return PST_OK;
}

const struct derived derived_columns[] = {
    { "label", FROM_LABELS, PST_DTYPE_I32, .is_text = true, .fill = fill_label },
    { "argmax", FROM_CLASSES, PST_DTYPE_I32, .fill = fill_argmax },
    { "class", FROM_CLASSES, PST_DTYPE_I32, .is_text = true, .fill = fill_argmax },
    { "probability", FROM_CLASSES, PST_DTYPE_F32, .fill = fill_probability },
    { "margin", FROM_CLASSES, PST_DTYPE_F32, .fill = fill_margin },
    { "entropy", FROM_CLASSES, PST_DTYPE_F32, .fill = fill_entropy },
    { "prediction", FROM_PREDICTIONS, PST_DTYPE_F32, .is_wide = true, .fill = fill_prediction },
    { "epoch", FROM_BATCH, PST_DTYPE_U64, .fill = fill_epoch },
    { "seq", FROM_BATCH, PST_DTYPE_U64, .fill = fill_seq },
    { 0 },
};
