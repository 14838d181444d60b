/* y holds bits: several labels a sample. A logit above 0 predicts a label. */
#include "stages/evaluator/evaluator.h"

static enum pst_status open_bits(struct pst_run *run, const struct pst_header *header,
                                 struct pst_error *error)
{
    struct evaluator *evaluator = run->self;
    enum pst_status status = source_fits(evaluator, header, error);
    return status == PST_OK ? pst_label_scores_new(&evaluator->bits, evaluator->of.spec.shape[0], error)
                            : status;
}

static enum pst_status count_bits(struct evaluator *evaluator, const struct pst_batch *batch,
                                  struct pst_error *error)
{
    const uint8_t *y = batch->tensors[evaluator->y].data;
    size_t labels = evaluator->bits.labels;
    for (size_t i = 0; i < batch->n; i++, y += labels) {
        for (size_t j = 0; j < labels; j++)
            if (y[j] > 1)
                return pst_fail(error, PST_BAD_DATA,
                                "tensor 'y', sample %zu of the batch: bit %zu is %d, not 0 or 1", i, j, y[j]);
        pst_label_scores_add(&evaluator->bits, source_row(&evaluator->of, batch, i), y);
    }
    return PST_OK;
}

static void report_bits(const struct evaluator *evaluator, struct pst_report *report)
{
    pst_label_scores_report(&evaluator->bits, report);
}

const struct target_type target_bits = {
    .name = "bits",
    .dtype = PST_DTYPE_U8,
    .of_logits = true,
    .open = open_bits,
    .count = count_bits,
    .report = report_bits,
};
