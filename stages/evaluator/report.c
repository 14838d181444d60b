/* What evaluator prints. */
#include "stages/evaluator/evaluator.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* What the figures are of, and the figures. */
enum pst_status report_table(struct pst_run *run, const struct report *report, struct pst_error *error)
{
    char line[PST_NAME_SIZE + 64];
    snprintf(line, sizeof line, "predictions                 %s, T = %g\n", report->of->spec.name,
             report->of->spec.temperature);
    enum pst_status status = pst_print(run, line, error);
    if (status == PST_OK && report->against != NULL) {
        snprintf(line, sizeof line, "compared with               %s, T = %g\n", report->against->spec.name,
                 report->against->spec.temperature);
        status = pst_print(run, line, error);
    }
    for (size_t j = 0; status == PST_OK && report->fitted != NULL && j < report->metrics->classes; j++) {
        if (!report->fitted[j])
            continue;
        snprintf(line, sizeof line, "bias found                  --class-bias %zu=%.17g\n", j,
                 report->of->bias[j]);
        status = pst_print(run, line, error);
    }
    struct pst_report figures = { 0 };
    pst_metrics_report(report->metrics, &figures);
    char *text = pst_report_to_text(&figures);
    if (text == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the report");
    if (status == PST_OK)
        status = pst_print(run, text, error);
    free(text);
    return status;
}

/* The biases that were found: an object of numbers by class. */
static json_t *found_biases(const struct report *report)
{
    json_t *object = json_object();
    for (size_t j = 0; object != NULL && j < report->metrics->classes; j++) {
        char class[24];
        snprintf(class, sizeof class, "%zu", j);
        if (report->fitted[j] && json_object_set_new(object, class, json_real(report->of->bias[j])) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

enum pst_status report_json(struct pst_run *run, const struct report *report, struct pst_error *error)
{
    struct pst_report whole = { 0 };
    pst_metrics_report(report->metrics, &whole);
    json_t *figures = pst_report_to_json(&whole);
    if (figures != NULL && report->fitted != NULL &&
        json_object_set_new(figures, "class_bias", found_biases(report)) != 0) {
        json_decref(figures);
        figures = NULL;
    }
    char *text = figures != NULL ? json_dumps(figures, JSON_COMPACT) : NULL;
    json_decref(figures);
    if (text == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the report");
    enum pst_status status = pst_print(run, text, error);
    free(text);
    return status == PST_OK ? pst_print(run, "\n", error) : status;
}
