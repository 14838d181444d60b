/* y holds bits: several labels a sample. A logit above 0 predicts a label. */
#include "stages/evaluator/evaluator.h"

#include <math.h>

static enum pst_status open_bits(struct pst_run *run, const struct pst_header *header,
                                 struct pst_error *error)
{
    struct evaluator *evaluator = run->self;
    size_t labels = evaluator->of.spec.shape[0];
    enum pst_status status = source_fits(evaluator, header, error);
    if (status == PST_OK)
        status = pst_label_scores_new(&evaluator->bits, labels, error);
    if (status == PST_OK)
        evaluator->auc.labels = labels;
    return status == PST_OK ? names_take(evaluator, header, labels, error) : status;
}

/* Minus the log of the probability that a logit gives to a bit; never infinite. */
static double loss_of(double logit, bool bit)
{
    double against = bit ? -logit : logit;
    return fmax(against, 0) + log1p(exp(-fabs(against)));
}

/* The rank of a sample is its number of wrong bits; the bit with the largest loss is shown. entry: has
 * number and id. */
static void consider_worst(struct worst *worst, const float *logits, const uint8_t *bits, size_t labels,
                           struct worst_sample entry)
{
    double largest = -1;
    for (size_t j = 0; j < labels; j++) {
        double loss = loss_of((double)logits[j], bits[j] != 0);
        entry.other += (logits[j] > 0) != (bits[j] != 0);
        entry.loss += loss;
        if (loss <= largest)
            continue;
        largest = loss;
        entry.member = j;
        entry.values[0] = bits[j];
        entry.values[1] = 1 / (1 + exp(-(double)logits[j]));
    }
    entry.rank = (double)entry.other;
    worst_add(worst, &entry);
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
        const float *row = source_row(&evaluator->of, batch, i);
        pst_label_scores_add(&evaluator->bits, row, y);
        if (evaluator->worst.most > 0)
            consider_worst(
                &evaluator->worst, row, y, labels,
                (struct worst_sample){ .number = evaluator->samples + i, .id = id_of(evaluator, batch, i) });
        if (pst_auc_add(&evaluator->auc, row, y, error) != PST_OK)
            return PST_TRY_AGAIN;
    }
    return PST_OK;
}

static void report_bits(struct evaluator *evaluator, struct pst_report *report)
{
    evaluator->bits.auc = evaluator->areas;
    pst_label_scores_report(&evaluator->bits, report);
}

static void describe_sample(const struct worst_sample *sample, struct pst_figures *figures)
{
    pst_figures_add(figures, "wrong_bits", "wrong bits", PST_FIGURE_COUNT, (double)sample->other);
    pst_figures_add(figures, "loss", "loss", PST_FIGURE_NATS, sample->loss);
    pst_figures_add(figures, "label", "label", PST_FIGURE_MEMBER, (double)sample->member);
    pst_figures_add(figures, "bit", "bit", PST_FIGURE_COUNT, sample->values[0]);
    pst_figures_add(figures, "probability", "p of 1", PST_FIGURE_QUANTITY, sample->values[1]);
}

const struct target_type target_bits = {
    .name = "bits",
    .dtype = PST_DTYPE_U8,
    .of_logits = true,
    .names_key = "output_names",
    .open = open_bits,
    .count = count_bits,
    .report = report_bits,
    .describe = describe_sample,
};
