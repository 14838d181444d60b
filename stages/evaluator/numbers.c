/* y holds numbers: the errors of a regression, whose outputs are the tensor of logits as it is. */
#include "stages/evaluator/evaluator.h"

static enum pst_status open_numbers(struct pst_run *run, const struct pst_header *header,
                                    struct pst_error *error)
{
    struct evaluator *evaluator = run->self;
    enum pst_status status = source_fits(evaluator, header, error);
    return status == PST_OK ? pst_regression_new(&evaluator->numbers, evaluator->of.spec.shape[0], error)
                            : status;
}

static enum pst_status count_numbers(struct evaluator *evaluator, const struct pst_batch *batch,
                                     struct pst_error *error)
{
    const float *y = batch->tensors[evaluator->y].data;
    size_t outputs = evaluator->numbers.outputs;
    enum pst_status status = pst_rows_check(&evaluator->y_spec, y, batch->n, PST_ROW_LOGITS, error);
    for (size_t i = 0; status == PST_OK && i < batch->n; i++)
        pst_regression_add(&evaluator->numbers, source_row(&evaluator->of, batch, i), y + i * outputs);
    return status;
}

static void report_numbers(const struct evaluator *evaluator, struct pst_report *report)
{
    pst_regression_report(&evaluator->numbers, report);
}

const struct target_type target_numbers = {
    .name = "numbers",
    .dtype = PST_DTYPE_F32,
    .of_logits = true,
    .open = open_numbers,
    .count = count_numbers,
    .report = report_numbers,
};
