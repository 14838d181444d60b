/* How far the numbers of --of and --against differ, for every kind of prediction. */
#include "stages/evaluator/evaluator.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

bool differences_apply(const struct evaluator *evaluator)
{
    return evaluator->against.index != PST_NONE && evaluator->of.logits == evaluator->against.logits;
}

/* Names the sample that differs too much. number: which of its numbers differs most. */
static enum pst_status refuse(const struct evaluator *evaluator, const struct pst_batch *batch, size_t sample,
                              size_t number, double difference, struct pst_error *error)
{
    char id[40] = "";
    if (evaluator->id != PST_NONE)
        snprintf(id, sizeof id, " (id %" PRIu64 ")",
                 ((const uint64_t *)batch->tensors[evaluator->id].data)[sample]);
    return pst_fail(
        error, PST_BAD_DATA,
        "sample %zu of the batch%s: '%s' and '%s' differ by %g in number %zu; --tolerance allows %g", sample,
        id, evaluator->of.spec.name, evaluator->against.spec.name, difference, number, evaluator->tolerance);
}

enum pst_status differences_add(struct evaluator *evaluator, const struct pst_batch *batch,
                                struct pst_error *error)
{
    size_t count = evaluator->of.spec.shape[0];
    for (size_t i = 0; i < batch->n; i++) {
        const float *row = source_row(&evaluator->of, batch, i);
        const float *other = source_row(&evaluator->against, batch, i);
        double squares = 0, largest = 0;
        size_t number = 0;
        for (size_t j = 0; j < count; j++) {
            double difference = fabs((double)row[j] - (double)other[j]);
            squares += difference * difference;
            if (difference > largest) {
                largest = difference;
                number = j;
            }
        }
        if (largest > evaluator->tolerance)
            return refuse(evaluator, batch, i, number, largest, error);
        evaluator->squares += squares;
        evaluator->largest = fmax(evaluator->largest, largest);
    }
    return PST_OK;
}

void differences_report(const struct evaluator *evaluator, struct pst_figures *figures)
{
    double numbers = (double)evaluator->samples * (double)evaluator->of.spec.shape[0];
    pst_figures_add(figures, "rms_difference", "RMS difference", PST_FIGURE_QUANTITY,
                    sqrt(evaluator->squares / numbers));
    pst_figures_add(figures, "largest_difference", "largest difference", PST_FIGURE_QUANTITY,
                    evaluator->largest);
}
