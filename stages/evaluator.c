/* evaluator: a sink that says how good predictions in a stream are. */
#include "stages/evaluator/evaluator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BIAS 1e6

static const struct evaluator defaults = {
    .of.index = PST_NONE,
    .against.index = PST_NONE,
    .y_index = PST_NONE,
};

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
    if (!pst_parse_u64(value, 0, INT32_MAX, &evaluator->fitted[evaluator->fitted_count]))
        return pst_fail(error, PST_USAGE, "not a class, such as 3");
    evaluator->fitted_count++;
    return PST_OK;
}

static enum pst_status check_options(struct pst_run *run, size_t count, char **operands,
                                     struct pst_error *error)
{
    const struct evaluator *evaluator = run->self;
    (void)count, (void)operands;
    if (evaluator->bias_count > 0 && evaluator->fitted_count > 0)
        return pst_fail(error, PST_USAGE,
                        "--class-bias gives biases, --fit-bias finds them: only one can be");
    return PST_OK;
}

#define PLACE(member) .at = offsetof(struct evaluator, member)

static const struct pst_option options[] = {
    { .name = "of",
      .type = PST_STRING,
      PLACE(of_name),
      .help = "tensor with the predictions: soft, soft/NAME or logits/NAME",
      .metavar = "TENSOR" },
    { .name = "against",
      .type = PST_STRING,
      PLACE(against_name),
      .help = "tensor to compare with: agreement, and KL of the predictions from it",
      .metavar = "TENSOR" },
    { .name = "class-bias",
      .type = PST_LIST,
      .take = take_bias,
      .help = "add to a class's logit, or log-probability, before anything else",
      .metavar = "CLASS=NUMBER" },
    { .name = "fit-bias",
      .type = PST_LIST,
      .take = take_fitted,
      .help = "find this class's bias from the whole stream, report it, and the figures with it",
      .metavar = "CLASS" },
    { .name = "fit-by",
      .type = PST_CHOICE,
      PLACE(fit_by),
      .choices = (const char *const[]){ "mass", "errors", NULL },
      .help =
          "what --fit-bias looks for: the class mass of --against, else of the labels; or fewest errors" },
    { .name = "json", .type = PST_FLAG, PLACE(as_json), .help = "write one JSON object instead of a table" },
    { 0 },
};

/* ---- what the stream holds ----------------------------------------------------------------------------- */

static enum pst_status no_class(const char *option, uint64_t class, size_t classes, struct pst_error *error)
{
    return pst_fail(error, PST_USAGE, "--%s: there is no class %llu in %zu classes", option,
                    (unsigned long long)class, classes);
}

static enum pst_status spread_biases(struct evaluator *evaluator, size_t classes, struct pst_error *error)
{
    if (evaluator->bias_count == 0 && evaluator->fitted_count == 0)
        return PST_OK;
    evaluator->of.bias = pst_allocate(classes, sizeof *evaluator->of.bias, error);
    evaluator->free_classes = pst_allocate(classes, sizeof *evaluator->free_classes, error);
    if (evaluator->of.bias == NULL || evaluator->free_classes == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < evaluator->bias_count; i++) {
        if (evaluator->biases[i].class >= classes)
            return no_class("class-bias", evaluator->biases[i].class, classes, error);
        evaluator->of.bias[evaluator->biases[i].class] = evaluator->biases[i].bias;
    }
    for (size_t i = 0; i < evaluator->fitted_count; i++) {
        if (evaluator->fitted[i] >= classes)
            return no_class("fit-bias", evaluator->fitted[i], classes, error);
        evaluator->free_classes[evaluator->fitted[i]] = true;
    }
    return PST_OK;
}

/* Labels are needed unless predictions are compared; and for fewest errors always. */
static enum pst_status find_labels(struct evaluator *evaluator, const struct pst_header *header,
                                   struct pst_error *error)
{
    bool needed =
        evaluator->against_name == NULL || (evaluator->fitted_count > 0 && evaluator->fit_by == BY_ERRORS);
    if (pst_header_find(header, "y") == PST_NONE && !needed)
        return PST_OK;
    return pst_header_require(header, "y", PST_DTYPE_I32, 0, NULL, &evaluator->y_index, error);
}

/* Temperatures that make figures mean something else than one may think. */
static void warn(struct pst_run *run)
{
    const struct evaluator *evaluator = run->self;
    if (evaluator->of.spec.temperature != 1 && evaluator->y_index != PST_NONE)
        pst_say(
            run,
            "%s is softened at T = %g: likelihood, Brier score and calibration are of softened probabilities",
            evaluator->of.spec.name, evaluator->of.spec.temperature);
    if (evaluator->against.index != PST_NONE &&
        evaluator->against.spec.temperature != evaluator->of.spec.temperature)
        pst_say(run, "%s is at T = %g, %s at T = %g: their KL compares different temperatures",
                evaluator->of.spec.name, evaluator->of.spec.temperature, evaluator->against.spec.name,
                evaluator->against.spec.temperature);
}

static enum pst_status look(struct pst_run *run, const struct pst_header *header, struct pst_header *out,
                            struct pst_error *error)
{
    (void)out;
    struct evaluator *evaluator = run->self;
    enum pst_status status =
        source_open(&evaluator->of, evaluator->of_name, "--of", (size_t)header->classes, header, error);
    if (status == PST_OK && evaluator->against_name != NULL)
        status = source_open(&evaluator->against, evaluator->against_name, "--against",
                             evaluator->of.spec.shape[0], header, error);
    if (status == PST_OK)
        status = find_labels(evaluator, header, error);
    if (status == PST_OK)
        status = spread_biases(evaluator, evaluator->of.spec.shape[0], error);
    if (status == PST_OK)
        status = pst_metrics_new(&evaluator->metrics, evaluator->of.spec.shape[0], error);
    if (status == PST_OK)
        warn(run);
    return status;
}

/* ---- batches ------------------------------------------------------------------------------------------- */

static enum pst_status take_sample(struct evaluator *evaluator, const struct pst_batch *batch, size_t i,
                                   struct sample *sample, struct pst_error *error)
{
    *sample = (struct sample){ .row = source_row(&evaluator->of, batch, i), .label = -1 };
    if (evaluator->y_index != PST_NONE) {
        sample->label = ((const int32_t *)batch->tensors[evaluator->y_index].data)[i];
        if (sample->label < 0 || (size_t)sample->label >= evaluator->metrics.classes)
            return pst_fail(error, PST_BAD_DATA,
                            "sample %zu of the batch: label %d is not one of %zu classes", i,
                            (int)sample->label, evaluator->metrics.classes);
    }
    if (evaluator->against.index != PST_NONE)
        sample->other = source_row(&evaluator->against, batch, i);
    return PST_OK;
}

static void count(struct evaluator *evaluator, const struct sample *sample)
{
    struct pst_prediction prediction = source_predict(&evaluator->of, sample->row);
    if (sample->label >= 0)
        pst_metrics_add(&evaluator->metrics, &prediction, sample->label);
    if (sample->other != NULL) {
        struct pst_prediction other = source_predict(&evaluator->against, sample->other);
        pst_metrics_compare(&evaluator->metrics, &prediction, &other);
    }
}

static enum pst_status evaluate(struct pst_run *run, const struct pst_batch *batch, struct pst_batch *out,
                                struct pst_error *error)
{
    (void)out;
    struct evaluator *evaluator = run->self;
    enum pst_status status = source_check(&evaluator->of, batch, error);
    if (status == PST_OK && evaluator->against.index != PST_NONE)
        status = source_check(&evaluator->against, batch, error);
    for (size_t i = 0; status == PST_OK && i < batch->n; i++) {
        struct sample sample;
        status = take_sample(evaluator, batch, i, &sample, error);
        if (status == PST_OK && evaluator->fitted_count > 0)
            status = fit_keep(&evaluator->kept, &sample, evaluator->metrics.classes, error);
        else if (status == PST_OK)
            count(evaluator, &sample);
    }
    return status;
}

/* Finds the biases and counts the samples, which had to wait for that. */
static enum pst_status fit(struct evaluator *evaluator, struct pst_error *error)
{
    const struct source *other = evaluator->against.index != PST_NONE ? &evaluator->against : NULL;
    enum pst_status status = fit_biases(&evaluator->kept, &evaluator->of, other, evaluator->free_classes,
                                        evaluator->fit_by == BY_ERRORS, error);
    struct sample sample;
    while (status == PST_OK && fit_next(&evaluator->kept, &sample, evaluator->metrics.classes))
        count(evaluator, &sample);
    return status;
}

/* ---- the report ---------------------------------------------------------------------------------------- */

static enum pst_status report(struct pst_run *run, struct pst_error *error)
{
    struct evaluator *evaluator = run->self;
    enum pst_status status = evaluator->fitted_count > 0 ? fit(evaluator, error) : PST_OK;
    if (status != PST_OK)
        return status;
    if (evaluator->metrics.samples == 0 && evaluator->metrics.compared == 0)
        return pst_fail(error, PST_BAD_DATA, "the stream holds no samples");
    struct report whole = { &evaluator->metrics, &evaluator->of,
                            evaluator->against.index != PST_NONE ? &evaluator->against : NULL,
                            evaluator->fitted_count > 0 ? evaluator->free_classes : NULL };
    return evaluator->as_json ? report_json(run, &whole, error) : report_table(run, &whole, error);
}

static void stop(struct pst_run *run)
{
    struct evaluator *evaluator = run->self;
    pst_metrics_free(&evaluator->metrics);
    source_close(&evaluator->of);
    source_close(&evaluator->against);
    fit_forget(&evaluator->kept);
    free(evaluator->free_classes);
    free(evaluator->fitted);
    free(evaluator->biases);
}

int main(int argc, char **argv)
{
    return pst_main(
        argc, argv,
        &(struct pst_stage){
            .name = "evaluator",
            .purpose = "say how good the predictions in a stream are",
            .description = "Reports errors and accuracy, negative log-likelihood, Brier score, expected\n"
                           "calibration error, the same by class, and the confusion matrix. Without --of\n"
                           "it looks at logits or soft, else the only logits/NAME or soft/NAME.",
            .options = options,
            .size = sizeof(struct evaluator),
            .defaults = &defaults,
            .example = "loader mnist --split test | teacher-forward student.safetensors | evaluator",
            .see_also = "teacher-forward(1), temperature-softmax(1), averager(1)",
            .traits = PST_READS,
            .start = check_options,
            .on_header = look,
            .on_batch = evaluate,
            .on_end = report,
            .stop = stop,
        });
}
