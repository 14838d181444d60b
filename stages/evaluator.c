/* evaluator: a sink that says how good predictions in a stream are. */
#include "pipestill.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BIAS 1e6

static const char *of_name, *against_name;
static bool as_json;

/* Predictions in the stream, and the sample of them that is being looked at. */
struct source {
    struct pst_tensor_spec spec;
    size_t index;
    bool logits;   /* else probabilities */
    double *bias;  /* [classes], added to logits or log-probabilities; NULL for none */
    float *scores; /* [classes], with the bias */
    double *log_p; /* [classes] */
};

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
    { .name = "json",
      .type = PST_FLAG,
      .target = &as_json,
      .help = "write one JSON object instead of a table" },
    { 0 },
};

/* ---- what the stream holds ----------------------------------------------------------------------------- */

static bool is_kind(const char *name, const char *kind)
{
    size_t length = strlen(kind);
    return strncmp(name, kind, length) == 0 && (name[length] == '/' || name[length] == '\0');
}

/* An error that lists what could be chosen. */
static enum pst_status no_choice(const struct pst_header *header, const char *why, struct pst_error *error)
{
    char list[320] = "";
    size_t used = 0;
    for (size_t i = 0; i < header->tensor_count && used < sizeof list; i++) {
        const char *name = header->tensors[i].name;
        if (is_kind(name, "soft") || is_kind(name, "logits"))
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used > 0 ? ", " : "", name);
    }
    if (used == 0)
        return pst_fail(error, PST_BAD_DATA,
                        "%s; the stream holds no predictions: is teacher-forward before "
                        "this stage?",
                        why);
    return pst_fail(error, PST_BAD_DATA, "%s; the stream has: %s", why, list);
}

/* Without --of: soft, else the only logits/NAME, else the only soft/NAME. */
static enum pst_status choose(const struct pst_header *header, struct pst_error *error)
{
    static const char *const kinds[] = { "logits", "soft" };
    size_t found = pst_header_find(header, "soft");
    for (size_t i = 0; found == PST_NONE && i < 2; i++) {
        size_t only;
        if (pst_header_find_all(header, kinds[i], &only, 1) == 1)
            found = only;
    }
    if (found == PST_NONE)
        return no_choice(header, "which predictions? choose with --of", error);
    of_name = header->tensors[found].name;
    return PST_OK;
}

/* Finds a tensor of predictions and makes room for a sample of it. */
static enum pst_status open_source(struct source *source, const char *name, size_t classes,
                                   const struct pst_header *header, struct pst_error *error)
{
    char why[PST_NAME_SIZE + 64];
    snprintf(why, sizeof why, "'%.*s' is no tensor of predictions", PST_NAME_SIZE, name);
    if (pst_header_find(header, name) == PST_NONE || !(is_kind(name, "soft") || is_kind(name, "logits")))
        return no_choice(header, why, error);
    enum pst_status status =
        pst_header_require(header, name, PST_DTYPE_F32, 1, &classes, &source->index, error);
    if (status != PST_OK)
        return status;
    source->spec = header->tensors[source->index];
    source->logits = is_kind(name, "logits");
    if (source->logits || source->spec.temperature == 0)
        source->spec.temperature = 1;
    source->scores = pst_allocate(source->spec.shape[0], sizeof *source->scores, error);
    source->log_p = pst_allocate(source->spec.shape[0], sizeof *source->log_p, error);
    return source->scores == NULL || source->log_p == NULL ? PST_TRY_AGAIN : PST_OK;
}

static enum pst_status spread_biases(size_t classes, struct pst_error *error)
{
    if (bias_count == 0)
        return PST_OK;
    of.bias = pst_allocate(classes, sizeof *of.bias, error);
    if (of.bias == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < bias_count; i++) {
        if (biases[i].class >= classes)
            return pst_fail(error, PST_USAGE, "--class-bias: there is no class %llu in %zu classes",
                            (unsigned long long)biases[i].class, classes);
        of.bias[biases[i].class] = biases[i].bias;
    }
    return PST_OK;
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
    enum pst_status status = of_name == NULL ? choose(header, error) : PST_OK;
    if (status == PST_OK)
        status = open_source(&of, of_name, (size_t)header->classes, header, error);
    if (status == PST_OK && against_name != NULL)
        status = open_source(&against, against_name, of.spec.shape[0], header, error);
    if (status == PST_OK && (pst_header_find(header, "y") != PST_NONE || against_name == NULL))
        status = pst_header_require(header, "y", PST_DTYPE_I32, 0, NULL, &y_index, error);
    if (status == PST_OK)
        status = spread_biases(of.spec.shape[0], error);
    if (status == PST_OK)
        status = pst_metrics_new(&metrics, of.spec.shape[0], error);
    if (status == PST_OK)
        warn();
    return status;
}

/* ---- batches --------------------------------------------------------------------------------------------
 */

static size_t largest(const float *numbers, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (numbers[i] > numbers[best])
            best = i;
    return best;
}

/* What is wrong with one sample's predictions, or NULL. */
static const char *find_fault(const struct source *source, const float *row)
{
    double sum = 0;
    for (size_t j = 0; j < source->spec.shape[0]; j++) {
        if (!isfinite(row[j]))
            return "a number is NaN or infinite";
        if (!source->logits && row[j] < 0)
            return "a probability is negative";
        sum += (double)row[j];
    }
    return source->logits || fabs(sum - 1) < 0.01 ? NULL : "the probabilities do not add up to 1";
}

/* Turns one sample into a prediction. Probabilities are used as they are where there is no bias; of 0 no
 * logarithm can be taken, so the smallest normal f32 stands for it. */
static enum pst_status predict(const struct source *source, const struct pst_batch *batch, size_t sample,
                               struct pst_prediction *prediction, struct pst_error *error)
{
    size_t classes = source->spec.shape[0];
    const float *row = (const float *)batch->tensors[source->index].data + sample * classes;
    const char *fault = find_fault(source, row);
    if (fault != NULL)
        return pst_fail(error, PST_BAD_DATA, "tensor '%s', sample %zu of the batch: %s", source->spec.name,
                        sample, fault);
    for (size_t j = 0; j < classes; j++) {
        source->log_p[j] = source->logits ? (double)row[j] : log(fmax((double)row[j], (double)FLT_MIN));
        source->scores[j] = (float)(source->log_p[j] + (source->bias != NULL ? source->bias[j] : 0));
    }
    if (source->logits || source->bias != NULL)
        pst_log_softmax(source->scores, source->log_p, classes, 1);
    *prediction = (struct pst_prediction){ source->log_p,
                                           largest(source->bias != NULL ? source->scores : row, classes) };
    return PST_OK;
}

static enum pst_status count_label(const struct pst_batch *batch, size_t sample,
                                   const struct pst_prediction *prediction, struct pst_error *error)
{
    int32_t label = ((const int32_t *)batch->tensors[y_index].data)[sample];
    if (label < 0 || (size_t)label >= metrics.classes)
        return pst_fail(error, PST_BAD_DATA, "sample %zu of the batch: label %d is not one of %zu classes",
                        sample, (int)label, metrics.classes);
    pst_metrics_add(&metrics, prediction, label);
    return PST_OK;
}

static enum pst_status evaluate(struct pst_batch *batch, const struct pst_header *header,
                                struct pst_error *error)
{
    (void)header;
    enum pst_status status = PST_OK;
    for (size_t i = 0; status == PST_OK && i < batch->n; i++) {
        struct pst_prediction prediction, other;
        status = predict(&of, batch, i, &prediction, error);
        if (status == PST_OK && y_index != PST_NONE)
            status = count_label(batch, i, &prediction, error);
        if (status == PST_OK && against.index != PST_NONE)
            status = predict(&against, batch, i, &other, error);
        if (status == PST_OK && against.index != PST_NONE)
            pst_metrics_compare(&metrics, &prediction, &other);
    }
    return status;
}

/* ---- the report ---------------------------------------------------------------------------------------- */

/* What the figures are of, and the figures. */
static enum pst_status print_table(struct pst_error *error)
{
    char line[PST_NAME_SIZE + 64];
    snprintf(line, sizeof line, "predictions                 %s, T = %g\n", of.spec.name,
             of.spec.temperature);
    enum pst_status status = pst_print(line, error);
    if (status == PST_OK && against.index != PST_NONE) {
        snprintf(line, sizeof line, "compared with               %s, T = %g\n", against.spec.name,
                 against.spec.temperature);
        status = pst_print(line, error);
    }
    char *text = pst_metrics_to_text(&metrics);
    if (text == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the report");
    if (status == PST_OK)
        status = pst_print(text, error);
    free(text);
    return status;
}

static enum pst_status print_json(struct pst_error *error)
{
    json_t *figures = pst_metrics_to_json(&metrics);
    char *text = figures != NULL ? json_dumps(figures, JSON_COMPACT) : NULL;
    json_decref(figures);
    if (text == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the report");
    enum pst_status status = pst_print(text, error);
    free(text);
    return status == PST_OK ? pst_print("\n", error) : status;
}

static enum pst_status report(struct pst_error *error)
{
    if (metrics.samples == 0 && metrics.compared == 0)
        return pst_fail(error, PST_BAD_DATA, "the stream holds no samples");
    return as_json ? print_json(error) : print_table(error);
}

static void stop(void)
{
    pst_metrics_free(&metrics);
    free(of.scores);
    free(of.log_p);
    free(of.bias);
    free(against.scores);
    free(against.log_p);
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
                           "it looks at soft, else the only logits/NAME, else the only soft/NAME.",
                       .options = options,
                       .example =
                           "loader mnist --split test | teacher-forward student.safetensors | evaluator",
                       .see_also = "teacher-forward(1), temperature-softmax(1), averager(1)",
                       .stop = stop },
            .on_header = look,
            .on_batch = evaluate,
            .on_end = report });
}
