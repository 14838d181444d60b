/* What evaluator prints. */
#include "stages/evaluator/evaluator.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* Prints what the figures are about. Only predictions of classes have a temperature. */
static enum pst_status print_source(struct pst_run *run, const char *title, const struct source *source,
                                    struct pst_error *error)
{
    const struct evaluator *evaluator = run->self;
    char line[PST_NAME_SIZE + 64], temperature[32] = "";
    if (!evaluator->type->of_logits)
        snprintf(temperature, sizeof temperature, ", T = %g", source->spec.temperature);
    snprintf(line, sizeof line, "%-28s%s%s", title, source->spec.name, temperature);
    return pst_print_line(run, line, error);
}

static enum pst_status print_biases(struct pst_run *run, struct pst_error *error)
{
    const struct evaluator *evaluator = run->self;
    char line[96];
    enum pst_status status = PST_OK;
    for (size_t j = 0; status == PST_OK && j < evaluator->of.spec.shape[0]; j++) {
        if (!evaluator->free_classes[j])
            continue;
        pst_print_plain(line, sizeof line, "bias found                  --class-bias %zu=%.17g\n", j,
                        evaluator->of.bias[j]);
        status = pst_print(run, line, error);
    }
    return status;
}

/* Prints a text, which is freed; NULL: memory was short. */
static enum pst_status print_text(struct pst_run *run, char *text, struct pst_error *error)
{
    if (text == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the report");
    enum pst_status status = pst_print(run, text, error);
    free(text);
    return status;
}

enum pst_status report_table(struct pst_run *run, const struct pst_report *report, struct pst_error *error)
{
    const struct evaluator *evaluator = run->self;
    enum pst_status status = print_source(run, "predictions", &evaluator->of, error);
    if (status == PST_OK && evaluator->against.index != PST_NONE)
        status = print_source(run, "compared with", &evaluator->against, error);
    if (status == PST_OK && evaluator->fitted_count > 0)
        status = print_biases(run, error);
    return status == PST_OK ? print_text(run, pst_report_to_text(report), error) : status;
}

/* The biases that were found: an object of numbers by class. */
static json_t *found_biases(const struct evaluator *evaluator)
{
    json_t *object = json_object();
    for (size_t j = 0; object != NULL && j < evaluator->of.spec.shape[0]; j++) {
        char class[24];
        snprintf(class, sizeof class, "%zu", j);
        if (evaluator->free_classes[j] &&
            json_object_set_new(object, class, json_real(evaluator->of.bias[j])) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

enum pst_status report_json(struct pst_run *run, const struct pst_report *report, struct pst_error *error)
{
    const struct evaluator *evaluator = run->self;
    json_t *figures = pst_report_to_json(report);
    if (figures != NULL && evaluator->fitted_count > 0 &&
        json_object_set_new(figures, "class_bias", found_biases(evaluator)) != 0) {
        json_decref(figures);
        figures = NULL;
    }
    char *text = figures != NULL ? json_dumps(figures, JSON_COMPACT) : NULL;
    json_decref(figures);
    enum pst_status status = print_text(run, text, error);
    return status == PST_OK ? pst_print(run, "\n", error) : status;
}

enum pst_status report_tsv(struct pst_run *run, const struct pst_report *report, struct pst_error *error)
{
    const struct evaluator *evaluator = run->self;
    enum pst_status status = print_text(run, pst_report_to_tsv(report), error);
    for (size_t j = 0; status == PST_OK && j < evaluator->of.spec.shape[0]; j++) {
        char text[64];
        if (evaluator->fitted_count == 0 || !evaluator->free_classes[j])
            continue;
        pst_print_plain(text, sizeof text, "class_bias\t%zu\t\tbias\t%.17g\n", j, evaluator->of.bias[j]);
        status = pst_print(run, text, error);
    }
    return status;
}
