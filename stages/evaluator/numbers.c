/* y holds numbers: the errors of a regression, whose outputs are the tensor of logits as it is. */
#include "stages/evaluator/evaluator.h"

#include <math.h>

static enum pst_status open_numbers(struct pst_run *run, const struct pst_header *header,
                                    struct pst_error *error)
{
    struct evaluator *evaluator = run->self;
    size_t outputs = evaluator->of.spec.shape[0];
    enum pst_status status = source_fits(evaluator, header, error);
    if (status == PST_OK)
        status = pst_regression_new(&evaluator->numbers, outputs, error);
    return status == PST_OK ? names_take(evaluator, header, outputs, error) : status;
}

/* The rank of a sample is its largest error over the outputs. entry: has number and id. */
static void consider_worst(struct worst *worst, const float *predictions, const float *targets,
                           size_t outputs, struct worst_sample entry)
{
    entry.rank = -1;
    for (size_t j = 0; j < outputs; j++) {
        double target = (double)targets[j], prediction = (double)predictions[j];
        if (fabs(prediction - target) <= entry.rank)
            continue;
        entry.rank = fabs(prediction - target);
        entry.member = j;
        entry.values[0] = target;
        entry.values[1] = prediction;
    }
    worst_add(worst, &entry);
}

static enum pst_status count_numbers(struct evaluator *evaluator, const struct pst_batch *batch,
                                     struct pst_error *error)
{
    const float *y = batch->tensors[evaluator->y].data;
    size_t outputs = evaluator->numbers.outputs;
    enum pst_status status = pst_rows_check(&evaluator->y_spec, y, batch->n, PST_ROW_LOGITS, error);
    for (size_t i = 0; status == PST_OK && i < batch->n; i++, y += outputs) {
        const float *row = source_row(&evaluator->of, batch, i);
        pst_regression_add(&evaluator->numbers, row, y);
        if (evaluator->worst.most > 0)
            consider_worst(
                &evaluator->worst, row, y, outputs,
                (struct worst_sample){ .number = evaluator->samples + i, .id = id_of(evaluator, batch, i) });
    }
    return status;
}

static void report_numbers(struct evaluator *evaluator, struct pst_report *report)
{
    pst_regression_report(&evaluator->numbers, report);
}

static void describe_sample(const struct worst_sample *sample, struct pst_figures *figures)
{
    double target = sample->values[0], prediction = sample->values[1];
    pst_figures_add(figures, "output", "output", PST_FIGURE_MEMBER, (double)sample->member);
    pst_figures_add(figures, "target", "target", PST_FIGURE_QUANTITY, target);
    pst_figures_add(figures, "prediction", "prediction", PST_FIGURE_QUANTITY, prediction);
    pst_figures_add(figures, "error", "error", PST_FIGURE_QUANTITY, prediction - target);
}

const struct target_type target_numbers = {
    .name = "numbers",
    .dtype = PST_DTYPE_F32,
    .of_logits = true,
    .names_key = "output_names",
    .open = open_numbers,
    .count = count_numbers,
    .report = report_numbers,
    .describe = describe_sample,
};
