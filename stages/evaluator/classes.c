/* y holds classes: errors, likelihood and calibration; and how far two predictions agree on a class. */
#include "stages/evaluator/evaluator.h"

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

/* Temperatures that make figures mean something else than one may think. */
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
    if (status == PST_OK)
        warn(run);
    return status;
}

/* row, other: [classes], of --of, and of --against or NULL. label: -1 for none. */
static void count_sample(struct evaluator *evaluator, const float *row, const float *other, int32_t label)
{
    struct pst_prediction prediction = source_predict(&evaluator->of, row);
    if (label >= 0)
        pst_metrics_add(&evaluator->classes, &prediction, label);
    if (other != NULL) {
        struct pst_prediction second = source_predict(&evaluator->against, other);
        pst_metrics_compare(&evaluator->classes, &prediction, &second);
    }
}

static enum pst_status count_classes(struct evaluator *evaluator, const struct pst_batch *batch,
                                     struct pst_error *error)
{
    size_t classes = evaluator->classes.classes;
    const int32_t *labels = evaluator->y == PST_NONE ? NULL : batch->tensors[evaluator->y].data;
    bool compared = evaluator->against.index != PST_NONE;
    enum pst_status status = PST_OK;
    for (size_t i = 0; status == PST_OK && i < batch->n; i++) {
        const float *row = source_row(&evaluator->of, batch, i);
        const float *other = compared ? source_row(&evaluator->against, batch, i) : NULL;
        int32_t label = labels == NULL ? -1 : labels[i];
        if (labels != NULL && (label < 0 || (size_t)label >= classes))
            return pst_fail(error, PST_BAD_DATA,
                            "sample %zu of the batch: label %d is not one of %zu classes", i, (int)label,
                            classes);
        if (evaluator->fitted_count > 0)
            status = fit_keep(&evaluator->kept, row, other, label, classes, error);
        else
            count_sample(evaluator, row, other, label);
    }
    return status;
}

/* With --fit-bias the samples had to wait until the biases are found. */
static enum pst_status finish_classes(struct evaluator *evaluator, struct pst_error *error)
{
    const struct kept *kept = &evaluator->kept;
    size_t classes = evaluator->classes.classes;
    enum pst_status status = kept->count > 0 ? fit_biases(evaluator, error) : PST_OK;
    for (size_t i = 0; status == PST_OK && i < kept->count; i++)
        count_sample(evaluator, kept->rows + i * classes,
                     kept->others != NULL ? kept->others + i * classes : NULL, kept->labels[i]);
    return status;
}

static void report_classes(const struct evaluator *evaluator, struct pst_report *report)
{
    pst_metrics_report(&evaluator->classes, report);
}

const struct target_type target_classes = {
    .name = "classes",
    .dtype = PST_DTYPE_I32,
    .open = open_classes,
    .count = count_classes,
    .finish = finish_classes,
    .report = report_classes,
};
