/* evaluator: a sink that says how good predictions in a stream are. */
#include "stages/evaluator/evaluator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BIAS 1e6

static const char *of_name, *against_name;
static bool as_json;
static enum { BY_MASS, BY_ERRORS } fit_by;

static struct source of = { .index = PST_NONE }, against = { .index = PST_NONE };
static size_t y_index = PST_NONE;
static struct pst_metrics metrics;

/* ---- options ------------------------------------------------------------------------------------------- */

static struct class_bias {
    uint64_t class;
    double bias;
} * biases;
static size_t bias_count;

static enum pst_status take_bias(const char *value, struct pst_error *error)
{
    struct class_bias new;
    char class[24] = "";
    size_t length = strcspn(value, "=");
    if (length < sizeof class)
        memcpy(class, value, length);
    if (value[length] != '=' || !pst_parse_u64(class, 0, INT32_MAX, &new.class) ||
        !pst_parse_double(value + length + 1, -MOST_BIAS, MOST_BIAS, &new.bias))
        return pst_fail(error, PST_USAGE, "not CLASS=NUMBER, such as 3=+3.5");
    for (size_t i = 0; i < bias_count; i++)
        if (biases[i].class == new.class)
            return pst_fail(error, PST_USAGE, "class %s has a bias already", class);
    struct class_bias *grown = realloc(biases, (bias_count + 1) * sizeof *grown);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    biases = grown;
    biases[bias_count++] = new;
    return PST_OK;
}

static uint64_t *fitted;
static size_t fitted_count;

static enum pst_status take_fitted(const char *value, struct pst_error *error)
{
    uint64_t *grown = realloc(fitted, (fitted_count + 1) * sizeof *grown);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    fitted = grown;
    if (!pst_parse_u64(value, 0, INT32_MAX, &fitted[fitted_count]))
        return pst_fail(error, PST_USAGE, "not a class, such as 3");
    fitted_count++;
    return PST_OK;
}

static enum pst_status check_options(size_t count, char **operands, struct pst_error *error)
{
    (void)count, (void)operands;
    if (bias_count > 0 && fitted_count > 0)
        return pst_fail(error, PST_USAGE,
                        "--class-bias gives biases, --fit-bias finds them: only one can be");
    return PST_OK;
}

static const struct pst_option options[] = {
    { .name = "of",
      .type = PST_STRING,
      .target = &of_name,
      .help = "tensor with the predictions: soft, soft/NAME or logits/NAME",
      .metavar = "TENSOR" },
    { .name = "against",
      .type = PST_STRING,
      .target = &against_name,
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
      .target = &fit_by,
      .choices = (const char *const[]){ "mass", "errors", NULL },
      .help =
          "what --fit-bias looks for: the class mass of --against, else of the labels; or fewest errors" },
    { .name = "json",
      .type = PST_FLAG,
      .target = &as_json,
      .help = "write one JSON object instead of a table" },
    { 0 },
};

/* ---- what the stream holds ----------------------------------------------------------------------------- */

static bool *free_classes; /* [classes], of --fit-bias */

static enum pst_status no_class(const char *option, uint64_t class, size_t classes, struct pst_error *error)
{
    return pst_fail(error, PST_USAGE, "--%s: there is no class %llu in %zu classes", option,
                    (unsigned long long)class, classes);
}

static enum pst_status spread_biases(size_t classes, struct pst_error *error)
{
    if (bias_count == 0 && fitted_count == 0)
        return PST_OK;
    of.bias = pst_allocate(classes, sizeof *of.bias, error);
    free_classes = pst_allocate(classes, sizeof *free_classes, error);
    if (of.bias == NULL || free_classes == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < bias_count; i++) {
        if (biases[i].class >= classes)
            return no_class("class-bias", biases[i].class, classes, error);
        of.bias[biases[i].class] = biases[i].bias;
    }
    for (size_t i = 0; i < fitted_count; i++) {
        if (fitted[i] >= classes)
            return no_class("fit-bias", fitted[i], classes, error);
        free_classes[fitted[i]] = true;
    }
    return PST_OK;
}

/* Labels are needed unless predictions are compared; and for fewest errors always. */
static enum pst_status find_labels(const struct pst_header *header, struct pst_error *error)
{
    bool needed = against_name == NULL || (fitted_count > 0 && fit_by == BY_ERRORS);
    if (pst_header_find(header, "y") == PST_NONE && !needed)
        return PST_OK;
    return pst_header_require(header, "y", PST_DTYPE_I32, 0, NULL, &y_index, error);
}

/* Temperatures that make figures mean something else than one may think. */
static void warn(void)
{
    if (of.spec.temperature != 1 && y_index != PST_NONE)
        pst_say(
            "%s is softened at T = %g: likelihood, Brier score and calibration are of softened probabilities",
            of.spec.name, of.spec.temperature);
    if (against.index != PST_NONE && against.spec.temperature != of.spec.temperature)
        pst_say("%s is at T = %g, %s at T = %g: their KL compares different temperatures", of.spec.name,
                of.spec.temperature, against.spec.name, against.spec.temperature);
}

static enum pst_status look(struct pst_header *header, struct pst_error *error)
{
    enum pst_status status = source_open(&of, of_name, "--of", (size_t)header->classes, header, error);
    if (status == PST_OK && against_name != NULL)
        status = source_open(&against, against_name, "--against", of.spec.shape[0], header, error);
    if (status == PST_OK)
        status = find_labels(header, error);
    if (status == PST_OK)
        status = spread_biases(of.spec.shape[0], error);
    if (status == PST_OK)
        status = pst_metrics_new(&metrics, of.spec.shape[0], error);
    if (status == PST_OK)
        warn();
    return status;
}

/* ---- batches ------------------------------------------------------------------------------------------- */

static enum pst_status take_sample(const struct pst_batch *batch, size_t i, struct sample *sample,
                                   struct pst_error *error)
{
    *sample = (struct sample){ .row = source_row(&of, batch, i), .label = -1 };
    if (y_index != PST_NONE) {
        sample->label = ((const int32_t *)batch->tensors[y_index].data)[i];
        if (sample->label < 0 || (size_t)sample->label >= metrics.classes)
            return pst_fail(error, PST_BAD_DATA,
                            "sample %zu of the batch: label %d is not one of %zu classes", i,
                            (int)sample->label, metrics.classes);
    }
    if (against.index != PST_NONE)
        sample->other = source_row(&against, batch, i);
    return PST_OK;
}

static void count(const struct sample *sample)
{
    struct pst_prediction prediction = source_predict(&of, sample->row);
    if (sample->label >= 0)
        pst_metrics_add(&metrics, &prediction, sample->label);
    if (sample->other != NULL) {
        struct pst_prediction other = source_predict(&against, sample->other);
        pst_metrics_compare(&metrics, &prediction, &other);
    }
}

static enum pst_status evaluate(struct pst_batch *batch, const struct pst_header *header,
                                struct pst_error *error)
{
    (void)header;
    enum pst_status status = source_check(&of, batch, error);
    if (status == PST_OK && against.index != PST_NONE)
        status = source_check(&against, batch, error);
    for (size_t i = 0; status == PST_OK && i < batch->n; i++) {
        struct sample sample;
        status = take_sample(batch, i, &sample, error);
        if (status == PST_OK && fitted_count > 0)
            status = fit_keep(&sample, metrics.classes, error);
        else if (status == PST_OK)
            count(&sample);
    }
    return status;
}

/* Finds the biases and counts the samples, which had to wait for that. */
static enum pst_status fit(struct pst_error *error)
{
    const struct source *other = against.index != PST_NONE ? &against : NULL;
    enum pst_status status = fit_biases(&of, other, free_classes, fit_by == BY_ERRORS, error);
    struct sample sample;
    while (status == PST_OK && fit_next(&sample, metrics.classes))
        count(&sample);
    return status;
}

/* ---- the report ---------------------------------------------------------------------------------------- */

static enum pst_status report(struct pst_error *error)
{
    enum pst_status status = fitted_count > 0 ? fit(error) : PST_OK;
    if (status != PST_OK)
        return status;
    if (metrics.samples == 0 && metrics.compared == 0)
        return pst_fail(error, PST_BAD_DATA, "the stream holds no samples");
    struct report whole = { &metrics, &of, against.index != PST_NONE ? &against : NULL,
                            fitted_count > 0 ? free_classes : NULL };
    return as_json ? report_json(&whole, error) : report_table(&whole, error);
}

static void stop(void)
{
    pst_metrics_free(&metrics);
    source_close(&of);
    source_close(&against);
    fit_forget();
    free(free_classes);
    free(fitted);
    free(biases);
}

int main(int argc, char **argv)
{
    return pst_sink_main(
        argc, argv,
        &(struct pst_sink){
            .stage = { .name = "evaluator",
                       .purpose = "say how good the predictions in a stream are",
                       .description =
                           "Reports errors and accuracy, negative log-likelihood, Brier score, expected\n"
                           "calibration error, the same by class, and the confusion matrix. Without --of\n"
                           "it looks at logits or soft, else the only logits/NAME or soft/NAME.",
                       .options = options,
                       .example =
                           "loader mnist --split test | teacher-forward student.safetensors | evaluator",
                       .see_also = "teacher-forward(1), temperature-softmax(1), averager(1)",
                       .start = check_options,
                       .stop = stop },
            .on_header = look,
            .on_batch = evaluate,
            .on_end = report });
}
