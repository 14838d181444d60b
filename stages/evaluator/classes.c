/* y holds classes: errors, likelihood and calibration; and how far two predictions agree on a class. */
#include "stages/evaluator/evaluator.h"

#include <math.h>

#define MANY 10 /* with more classes than this accuracy says little, so top-5 accuracy is shown, too */
#define USUAL_TOP 5

static enum pst_status no_class(const char *option, uint64_t class, size_t classes, struct pst_error *error)
{
    return pst_fail(error, PST_USAGE, "--%s: there is no class %llu in %zu classes", option,
                    (unsigned long long)class, classes);
}

static enum pst_status spread_biases(struct evaluator *evaluator, size_t classes, struct pst_error *error)
{
    if (evaluator->bias_count == 0 && evaluator->fitted_count == 0)
        return PST_OK;
    double *bias = evaluator->of.bias = pst_allocate(classes, sizeof *bias, error);
    evaluator->free_classes = pst_allocate(classes, sizeof *evaluator->free_classes, error);
    if (bias == NULL || evaluator->free_classes == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < evaluator->bias_count; i++) {
        if (evaluator->biases[i].class >= classes)
            return no_class("class-bias", evaluator->biases[i].class, classes, error);
        bias[evaluator->biases[i].class] = evaluator->biases[i].bias;
    }
    for (size_t i = 0; i < evaluator->fitted_count; i++) {
        if (evaluator->fitted[i] >= classes)
            return no_class("fit-bias", evaluator->fitted[i], classes, error);
        evaluator->free_classes[evaluator->fitted[i]] = true;
    }
    return PST_OK;
}

/* Warns of temperatures that change the meaning of figures. */
static void warn(struct pst_run *run)
{
    const struct evaluator *evaluator = run->self;
    const struct pst_tensor_spec *of = &evaluator->of.spec, *against = &evaluator->against.spec;
    if (of->temperature != 1 && evaluator->y != PST_NONE)
        pst_say(
            run,
            "%s is softened at T = %g: likelihood, Brier score and calibration are of softened probabilities",
            of->name, of->temperature);
    if (evaluator->against.index != PST_NONE && against->temperature != of->temperature)
        pst_say(run, "%s is at T = %g, %s at T = %g: they are compared at different temperatures", of->name,
                of->temperature, against->name, against->temperature);
}

/* Prepares the figures that need labels. */
static enum pst_status open_labelled(struct evaluator *evaluator, const struct pst_header *header,
                                     size_t classes, struct pst_error *error)
{
    if (evaluator->top > classes)
        return pst_fail(error, PST_USAGE, "--top %zu: there are only %zu classes", evaluator->top, classes);
    if (evaluator->top > 0 || classes > MANY)
        pst_metrics_set_top(&evaluator->classes, evaluator->top > 0 ? evaluator->top : USUAL_TOP);
    if (classes == 2)
        evaluator->auc.labels = 1;
    return names_take(evaluator, header, classes, error);
}

static enum pst_status open_classes(struct pst_run *run, const struct pst_header *header,
                                    struct pst_error *error)
{
    struct evaluator *evaluator = run->self;
    const struct pst_tensor_spec *of = &evaluator->of.spec;
    size_t classes = of->shape[0];
    if (header->classes != 0 && header->classes != classes)
        return pst_fail(error, PST_BAD_DATA, "'%s' has %zu classes, but the stream has %llu", of->name,
                        classes, (unsigned long long)header->classes);
    enum pst_status status = PST_OK;
    if (evaluator->y != PST_NONE)
        status = pst_header_require(header, "y", PST_DTYPE_I32, 0, NULL, &evaluator->y, error);
    if (status == PST_OK)
        status = spread_biases(evaluator, classes, error);
    if (status == PST_OK)
        status = pst_metrics_new(&evaluator->classes, classes, error);
    if (status == PST_OK && evaluator->y != PST_NONE)
        status = open_labelled(evaluator, header, classes, error);
    if (status == PST_OK)
        warn(run);
    return status;
}

/* A score that is higher if class 1 is more likely than class 0. */
static float score_of_two(const struct source *of, const float *row)
{
    return of->logits || of->bias != NULL ? of->scores[1] - of->scores[0] : row[1];
}

static void consider_worst(struct evaluator *evaluator, const struct sample *sample,
                           const struct pst_prediction *prediction)
{
    double loss = -prediction->log_probabilities[sample->label];
    const struct worst_sample entry = { .rank = loss,
                                        .number = sample->number,
                                        .id = sample->id,
                                        .member = (size_t)sample->label,
                                        .other = prediction->largest,
                                        .values = { exp(-loss), loss } };
    worst_add(&evaluator->worst, &entry);
}

static enum pst_status count_sample(struct evaluator *evaluator, const struct sample *sample,
                                    struct pst_error *error)
{
    struct pst_prediction prediction = source_predict(&evaluator->of, sample->row);
    enum pst_status status = PST_OK;
    if (sample->label >= 0) {
        pst_metrics_add(&evaluator->classes, &prediction, sample->label);
        if (evaluator->worst.most > 0)
            consider_worst(evaluator, sample, &prediction);
    }
    if (sample->label >= 0 && evaluator->auc.labels > 0) {
        float score = score_of_two(&evaluator->of, sample->row);
        status = pst_auc_add(&evaluator->auc, &score, (uint8_t[]){ (uint8_t)sample->label }, error);
    }
    if (sample->other != NULL) {
        struct pst_prediction second = source_predict(&evaluator->against, sample->other);
        pst_metrics_compare(&evaluator->classes, &prediction, &second);
    }
    return status;
}

static enum pst_status count_classes(struct evaluator *evaluator, const struct pst_batch *batch,
                                     struct pst_error *error)
{
    size_t classes = evaluator->classes.classes;
    const int32_t *labels = evaluator->y == PST_NONE ? NULL : batch->tensors[evaluator->y].data;
    bool compared = evaluator->against.index != PST_NONE;
    enum pst_status status = PST_OK;
    for (size_t i = 0; status == PST_OK && i < batch->n; i++) {
        const struct sample sample = { .row = source_row(&evaluator->of, batch, i),
                                       .other = compared ? source_row(&evaluator->against, batch, i) : NULL,
                                       .label = labels == NULL ? -1 : labels[i],
                                       .number = evaluator->samples + i,
                                       .id = id_of(evaluator, batch, i) };
        if (labels != NULL && (sample.label < 0 || (size_t)sample.label >= classes))
            return pst_fail(error, PST_BAD_DATA,
                            "sample %zu of the batch: label %d is not one of %zu classes", i,
                            (int)sample.label, classes);
        status = evaluator->fitted_count > 0 ? fit_keep(&evaluator->kept, &sample, classes, error)
                                             : count_sample(evaluator, &sample, error);
    }
    return status;
}

/* With --fit-bias the samples were kept, and are counted now, when the biases are known. */
static enum pst_status finish_classes(struct evaluator *evaluator, struct pst_error *error)
{
    const struct kept *kept = &evaluator->kept;
    size_t classes = evaluator->classes.classes;
    enum pst_status status = kept->count > 0 ? fit_biases(evaluator, error) : PST_OK;
    for (size_t i = 0; status == PST_OK && i < kept->count; i++) {
        struct sample sample = fit_sample(kept, i, classes);
        status = count_sample(evaluator, &sample, error);
    }
    return status;
}

static void report_classes(struct evaluator *evaluator, struct pst_report *report)
{
    evaluator->classes.auc = evaluator->areas;
    pst_metrics_report(&evaluator->classes, report);
}

static void describe_sample(const struct worst_sample *sample, struct pst_figures *figures)
{
    pst_figures_add(figures, "label", "label", PST_FIGURE_MEMBER, (double)sample->member);
    pst_figures_add(figures, "predicted", "predicted", PST_FIGURE_MEMBER, (double)sample->other);
    pst_figures_add(figures, "probability", "p of label", PST_FIGURE_QUANTITY, sample->values[0]);
    pst_figures_add(figures, "loss", "loss", PST_FIGURE_NATS, sample->values[1]);
}

const struct target_type target_classes = {
    .name = "classes",
    .dtype = PST_DTYPE_I32,
    .names_key = "class_names",
    .open = open_classes,
    .count = count_classes,
    .finish = finish_classes,
    .report = report_classes,
    .describe = describe_sample,
};
