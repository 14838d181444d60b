/* evaluator: a sink that says how good predictions in a stream are, and how far two of them differ. */
#include "stages/evaluator/evaluator.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BIAS 1e6

/* ---- options ------------------------------------------------------------------------------------------- */

static enum pst_status take_bias(void *self, const char *value, struct pst_error *error)
{
    struct evaluator *evaluator = self;
    struct class_bias new;
    char class[24] = "";
    size_t length = strcspn(value, "=");
    if (length < sizeof class)
        memcpy(class, value, length);
    if (value[length] != '=' || !pst_parse_u64(class, 0, INT32_MAX, &new.class) ||
        !pst_parse_double(value + length + 1, -MOST_BIAS, MOST_BIAS, &new.bias))
        return pst_fail(error, PST_USAGE, "not CLASS=NUMBER, such as 3=+3.5");
    for (size_t i = 0; i < evaluator->bias_count; i++)
        if (evaluator->biases[i].class == new.class)
            return pst_fail(error, PST_USAGE, "class %s has a bias already", class);
    struct class_bias *grown = realloc(evaluator->biases, (evaluator->bias_count + 1) * sizeof *grown);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    evaluator->biases = grown;
    evaluator->biases[evaluator->bias_count++] = new;
    return PST_OK;
}

static enum pst_status take_fitted(void *self, const char *value, struct pst_error *error)
{
    struct evaluator *evaluator = self;
    uint64_t *grown = realloc(evaluator->fitted, (evaluator->fitted_count + 1) * sizeof *grown);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    evaluator->fitted = grown;
    if (!pst_parse_u64(value, 0, INT32_MAX, &grown[evaluator->fitted_count]))
        return pst_fail(error, PST_USAGE, "not a class, such as 3");
    for (size_t i = 0; i < evaluator->fitted_count; i++)
        if (grown[i] == grown[evaluator->fitted_count])
            return pst_fail(error, PST_USAGE, "class %s is named already", value);
    evaluator->fitted_count++;
    return PST_OK;
}

static enum pst_status check_options(struct pst_run *run, size_t count, char **operands,
                                     struct pst_error *error)
{
    (void)count, (void)operands;
    const struct evaluator *evaluator = run->self;
    if (evaluator->bias_count > 0 && evaluator->fitted_count > 0)
        return pst_fail(error, PST_USAGE,
                        "--class-bias gives biases, --fit-bias finds them: only one can be");
    return PST_OK;
}

static const struct pst_option options[] = {
    { 0, "of", PST_STRING, offsetof(struct evaluator, of_name),
      "tensor with the predictions: logits, logits/NAME, soft or soft/NAME", .metavar = "TENSOR" },
    { 0, "against", PST_STRING, offsetof(struct evaluator, against_name),
      "tensor to compare with: difference, agreement, and KL of the predictions from it",
      .metavar = "TENSOR" },
    { 0, "tolerance", PST_DOUBLE, offsetof(struct evaluator, tolerance),
      "end with an error at the first sample that differs more from --against in any number",
      .needs = "against" },
    { 0, "class-bias", PST_LIST, 0, "add to a class's logit, or log-probability, before anything else",
      .take = take_bias, .metavar = "CLASS=NUMBER" },
    { 0, "fit-bias", PST_LIST, 0,
      "find this class's bias from the whole stream, report it, and the figures with it", .take = take_fitted,
      .metavar = "CLASS" },
    { 0, "fit-by", PST_CHOICE, offsetof(struct evaluator, fit_by),
      "what --fit-bias looks for: the class mass of --against, else of the labels; or fewest errors",
      .choices = (const char *const[]){ "mass", "errors", NULL }, .needs = "fit-bias" },
    { 0, "json", PST_FLAG, offsetof(struct evaluator, as_json), "write one JSON object instead of a table" },
    { 0 },
};

/* ---- what the stream holds ----------------------------------------------------------------------------- */

/* What can be in y; the first is also what predictions without y are taken for. */
static const struct target_type *const types[] = { &target_classes, &target_numbers, &target_bits };

#define TYPES (sizeof types / sizeof *types)

/* Finds y and with it the type of what is predicted. Without y there must be predictions to compare with. */
static enum pst_status find_type(struct evaluator *evaluator, const struct pst_header *header,
                                 struct pst_error *error)
{
    bool fewest_errors = evaluator->fitted_count > 0 && evaluator->fit_by == FIT_BY_ERRORS;
    evaluator->type = types[0];
    evaluator->y = pst_header_find(header, "y");
    if (evaluator->y == PST_NONE)
        return evaluator->against_name != NULL && !fewest_errors
                   ? PST_OK
                   : pst_fail(error, PST_BAD_DATA, "the stream has no tensor 'y'%s",
                              pst_compact_advice(header));
    const struct pst_tensor_spec *spec = &header->tensors[evaluator->y];
    size_t i = 0;
    while (i < TYPES && types[i]->dtype != spec->dtype)
        i++;
    if (i == TYPES)
        return pst_fail(error, PST_BAD_DATA,
                        "tensor 'y' is %s, which is neither classes (i32) nor numbers "
                        "(f32) nor bits (u8)",
                        pst_dtype_name(spec->dtype));
    evaluator->type = types[i];
    evaluator->y_spec = *spec;
    if (i > 0 && evaluator->bias_count + evaluator->fitted_count > 0)
        return pst_fail(error, PST_USAGE, "--class-bias and --fit-bias are for classes, but 'y' holds %s",
                        types[i]->name);
    return PST_OK;
}

static enum pst_status find_predictions(struct evaluator *evaluator, const struct pst_header *header,
                                        struct pst_error *error)
{
    struct source *of = &evaluator->of, *against = &evaluator->against;
    against->index = PST_NONE;
    const struct target_type *type = evaluator->type;
    enum pst_status status = source_open(of, evaluator->of_name, "--of", type, header, error);
    if (status == PST_OK && evaluator->against_name != NULL)
        status = source_open(against, evaluator->against_name, "--against", type, header, error);
    if (status != PST_OK || evaluator->against_name == NULL)
        return status;
    if (of->spec.shape[0] != against->spec.shape[0])
        return pst_fail(error, PST_BAD_DATA, "'%s' has %zu numbers a sample, but '%s' has %zu", of->spec.name,
                        of->spec.shape[0], against->spec.name, against->spec.shape[0]);
    if (!differences_apply(evaluator) && isfinite(evaluator->tolerance))
        return pst_fail(error, PST_BAD_DATA,
                        "--tolerance: of '%s' and '%s' one holds logits, the other probabilities",
                        of->spec.name, against->spec.name);
    return PST_OK;
}

static enum pst_status look(struct pst_run *run, const struct pst_header *header, struct pst_header *out,
                            struct pst_error *error)
{
    (void)out;
    struct evaluator *evaluator = run->self;
    evaluator->id = pst_header_find(header, "id");
    enum pst_status status = find_type(evaluator, header, error);
    if (status == PST_OK)
        status = find_predictions(evaluator, header, error);
    return status == PST_OK ? evaluator->type->open(run, header, error) : status;
}

/* ---- batches ------------------------------------------------------------------------------------------- */

static enum pst_status evaluate(struct pst_run *run, const struct pst_batch *batch, struct pst_batch *out,
                                struct pst_error *error)
{
    (void)out;
    struct evaluator *evaluator = run->self;
    enum pst_status status = source_check(&evaluator->of, batch, error);
    if (status == PST_OK && evaluator->against.index != PST_NONE)
        status = source_check(&evaluator->against, batch, error);
    if (status == PST_OK && differences_apply(evaluator))
        status = differences_add(evaluator, batch, error);
    evaluator->samples += batch->n;
    return status == PST_OK ? evaluator->type->count(evaluator, batch, error) : status;
}

static enum pst_status report(struct pst_run *run, struct pst_error *error)
{
    struct evaluator *evaluator = run->self;
    struct pst_report whole = { 0 };
    if (evaluator->samples == 0)
        return pst_fail(error, PST_BAD_DATA, "the stream holds no samples");
    enum pst_status status = PST_OK;
    if (evaluator->type->finish != NULL)
        status = evaluator->type->finish(evaluator, error);
    if (status != PST_OK)
        return status;
    evaluator->type->report(evaluator, &whole);
    if (differences_apply(evaluator))
        differences_report(evaluator, &whole.whole);
    return evaluator->as_json ? report_json(run, &whole, error) : report_table(run, &whole, error);
}

static void stop(struct pst_run *run)
{
    struct evaluator *evaluator = run->self;
    source_close(&evaluator->of);
    source_close(&evaluator->against);
    pst_metrics_free(&evaluator->classes);
    pst_regression_free(&evaluator->numbers);
    pst_label_scores_free(&evaluator->bits);
    fit_forget(&evaluator->kept);
    free(evaluator->free_classes);
    free(evaluator->fitted);
    free(evaluator->biases);
}

int main(int argc, char **argv)
{
    static const struct evaluator defaults = { .tolerance = INFINITY };
    return pst_main(
        argc, argv,
        &(struct pst_stage){
            .name = "evaluator",
            .purpose = "say how good the predictions in a stream are",
            .description =
                "If y holds classes (i32), reports errors and accuracy, negative log-likelihood, Brier\n"
                "score, expected calibration error, the same by class, and the confusion matrix; if it\n"
                "holds numbers (f32), RMSE, MAE and R squared; if it holds bits (u8), wrong bits,\n"
                "precision, recall and F1. Without --of it looks at logits or soft, else the only\n"
                "logits/NAME or soft/NAME.",
            .example = "loader mnist --split test | teacher-forward student.safetensors | evaluator",
            .see_also = "teacher-forward(1), temperature-softmax(1), averager(1)",
            .options = options,
            .size = sizeof(struct evaluator),
            .defaults = &defaults,
            .traits = PST_READS,
            .start = check_options,
            .on_header = look,
            .on_batch = evaluate,
            .on_end = report,
            .stop = stop });
}
