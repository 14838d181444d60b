/* evaluator: a sink that says how good predictions in a stream are, and how far two of them differ. */
#include "stages/evaluator/evaluator.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BIAS 1e6
#define MOST_ROWS 20          /* of a table, and classes of a confusion matrix in it */
#define AUC_SCORES (8U << 20) /* how many are kept by default */

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
      "tensor to compare with: report difference, agreement and KL", .metavar = "TENSOR" },
    { 0, "tolerance", PST_DOUBLE, offsetof(struct evaluator, tolerance),
      "end with an error at the first sample that has a number further than this from --against",
      .needs = "against" },
    { 0, "class-bias", PST_LIST, 0,
      "number to add to a class's logit, or log-probability, before anything else", .take = take_bias,
      .metavar = "CLASS=NUMBER" },
    { 0, "fit-bias", PST_LIST, 0,
      "find this class's bias from the whole stream; report it and all figures with it", .take = take_fitted,
      .metavar = "CLASS" },
    { 0, "fit-by", PST_CHOICE, offsetof(struct evaluator, fit_by),
      "mass: the class gets the share that it has in --against or, without --against, in the labels; "
      "errors: fewest errors",
      .choices = (const char *const[]){ "mass", "errors", NULL }, .needs = "fit-bias" },
    { 0, "top", PST_SIZE, offsetof(struct evaluator, top),
      "the K of top-K accuracy; without it 5 if there are more than 10 classes", .metavar = "K", .least = 1,
      .most = INT32_MAX },
    { 0, "worst", PST_SIZE, offsetof(struct evaluator, worst.most),
      "list the N samples with the largest loss, error, or number of wrong bits", .metavar = "N", .least = 1,
      .most = 100000 },
    { 0, "auc-scores", PST_SIZE, offsetof(struct evaluator, auc.most),
      "keep at most N scores for AUC, 5 bytes each; if there are more, AUC is left out", .metavar = "N",
      .least = 0, .most = 1e12 },
    { 0, "format", PST_CHOICE, offsetof(struct evaluator, format), "what to write",
      .choices = (const char *const[]){ "table", "json", "tsv", NULL } },
    { 0, "json", PST_FLAG, offsetof(struct evaluator, as_json), "the same as --format json",
      .excludes = "format" },
    { 0, "all-rows", PST_FLAG, offsetof(struct evaluator, all_rows),
      "in a table show all classes, outputs or labels, not only the 20 worst", .needs = "format=table",
      .excludes = "json" },
    { 0 },
};

/* ---- what the stream holds ----------------------------------------------------------------------------- */

/* What y can hold. Without y, predictions are taken for the first one. */
static const struct target_type *const types[] = { &target_classes, &target_numbers, &target_bits };

#define TYPES (sizeof types / sizeof *types)

/* Finds y and with it the type of what is predicted. Without y there must be predictions to compare with. */
static enum pst_status find_type(struct evaluator *evaluator, const struct pst_header *header,
                                 struct pst_error *error)
{
    bool fewest_errors = evaluator->fitted_count > 0 && evaluator->fit_by == FIT_BY_ERRORS;
    evaluator->type = types[0];
    bool mixed = pst_labels_are_mixed(header);
    evaluator->y = mixed ? PST_NONE : pst_header_find(header, "y");
    if (evaluator->y == PST_NONE && evaluator->against_name != NULL && !fewest_errors)
        return PST_OK;
    if (mixed)
        return pst_header_require(header, "y", PST_DTYPE_I32, 0, NULL, &evaluator->y, error);
    if (evaluator->y == PST_NONE)
        return pst_fail(error, PST_BAD_DATA, "the stream has no tensor 'y'%s", pst_compact_advice(header));
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

/* Refuses options that do not fit what y holds, or that need a y if there is none. */
static enum pst_status check_fit(const struct evaluator *evaluator, struct pst_error *error)
{
    const char *option = evaluator->top > 0 ? "--top" : evaluator->worst.most > 0 ? "--worst" : NULL;
    if (option != NULL && evaluator->y == PST_NONE)
        return pst_fail(error, PST_BAD_DATA, "%s needs labels, but the stream has no tensor 'y'", option);
    if (evaluator->top > 0 && evaluator->type != types[0])
        return pst_fail(error, PST_USAGE, "--top is for classes, but 'y' holds %s", evaluator->type->name);
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
        status = check_fit(evaluator, error);
    if (status == PST_OK)
        status = find_predictions(evaluator, header, error);
    if (status == PST_OK)
        status = worst_open(&evaluator->worst, error);
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
    if (status == PST_OK)
        status = evaluator->type->count(evaluator, batch, error);
    evaluator->samples += batch->n;
    return status;
}

/* Computes the areas under the curves, when all scores are there. */
static enum pst_status finish_auc(struct pst_run *run, struct pst_error *error)
{
    struct evaluator *evaluator = run->self;
    const struct pst_auc *auc = &evaluator->auc;
    if (auc->labels == 0)
        return PST_OK;
    evaluator->areas = pst_allocate(auc->labels, sizeof *evaluator->areas, error);
    if (evaluator->areas == NULL)
        return PST_TRY_AGAIN;
    if (auc->full && auc->most > 0)
        pst_say(run,
                "AUC is left out: there are more than %zu scores, of which each takes 5 bytes of memory; "
                "--auc-scores allows more",
                auc->most);
    return pst_auc_areas(auc, evaluator->areas, error);
}

static enum pst_status (*const formats[])(struct pst_run *, const struct pst_report *, struct pst_error *) = {
    [FORMAT_TABLE] = report_table,
    [FORMAT_JSON] = report_json,
    [FORMAT_TSV] = report_tsv,
};

static enum pst_status report(struct pst_run *run, struct pst_error *error)
{
    struct evaluator *evaluator = run->self;
    struct pst_report whole = { 0 };
    if (evaluator->samples == 0)
        return pst_fail(error, PST_BAD_DATA, "the stream holds no samples");
    enum pst_status status = PST_OK;
    if (evaluator->type->finish != NULL)
        status = evaluator->type->finish(evaluator, error);
    if (status == PST_OK)
        status = finish_auc(run, error);
    if (status != PST_OK)
        return status;
    evaluator->type->report(evaluator, &whole);
    if (differences_apply(evaluator))
        differences_report(evaluator, &whole.whole);
    worst_report(evaluator, &whole);
    whole.names = evaluator->names;
    whole.most_rows = evaluator->all_rows ? 0 : MOST_ROWS;
    whole.all_rows = "--all-rows shows all";
    return formats[evaluator->as_json ? FORMAT_JSON : evaluator->format](run, &whole, error);
}

static void stop(struct pst_run *run)
{
    struct evaluator *evaluator = run->self;
    source_close(&evaluator->of);
    source_close(&evaluator->against);
    pst_metrics_free(&evaluator->classes);
    pst_regression_free(&evaluator->numbers);
    pst_label_scores_free(&evaluator->bits);
    pst_auc_free(&evaluator->auc);
    free(evaluator->areas);
    free(evaluator->worst.list);
    free((void *)evaluator->names);
    fit_forget(&evaluator->kept);
    free(evaluator->free_classes);
    free(evaluator->fitted);
    free(evaluator->biases);
}

int main(int argc, char **argv)
{
    static const struct evaluator defaults = { .tolerance = INFINITY, .auc.most = AUC_SCORES };
    return pst_main(
        argc, argv,
        &(struct pst_stage){
            .name = "evaluator",
            .purpose = "say how good the predictions in a stream are",
            .description =
                "If y holds classes (i32), reports errors, accuracies, F1, negative log-likelihood, Brier\n"
                "score, expected calibration error, figures by class, and the confusion matrix; if it\n"
                "holds numbers (f32), RMSE, MAE and R squared; if it holds bits (u8), wrong bits,\n"
                "precision, recall, F1 and AUC. Without --of it takes logits or soft, or the only\n"
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
