/* The figures of pst_metrics as a JSON object. */
#include "pipestill/nn.h"

#include <jansson.h>

static json_t *per_class(const struct pst_metrics *metrics)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < metrics->classes; i++) {
        uint64_t samples = metrics->class_samples[i], errors = metrics->class_errors[i];
        json_t *accuracy =
            samples > 0 ? json_real((double)(samples - errors) / (double)samples) : json_null();
        json_t *entry = json_pack("{s:I, s:I, s:I, s:o}", "class", (json_int_t)i, "samples",
                                  (json_int_t)samples, "errors", (json_int_t)errors, "accuracy", accuracy);
        if (json_array_append_new(list, entry) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *confusion(const struct pst_metrics *metrics)
{
    json_t *rows = json_array();
    for (size_t i = 0; rows != NULL && i < metrics->classes; i++) {
        json_t *row = json_array();
        for (size_t j = 0; j < metrics->classes; j++)
            json_array_append_new(row,
                                  json_integer((json_int_t)metrics->confusion[i * metrics->classes + j]));
        if (json_array_size(row) != metrics->classes || json_array_append(rows, row) != 0) {
            json_decref(rows);
            rows = NULL;
        }
        json_decref(row);
    }
    return rows;
}

/* Adds the figures that need labels. */
static bool add_labelled(json_t *object, const struct pst_metrics *metrics)
{
    double samples = (double)metrics->samples;
    json_t *figures = json_pack("{s:I, s:I, s:f, s:f, s:f, s:f, s:o}", "samples",
                                (json_int_t)metrics->samples, "errors", (json_int_t)metrics->errors,
                                "accuracy", (double)(metrics->samples - metrics->errors) / samples,
                                "negative_log_likelihood", metrics->surprise / samples, "brier_score",
                                metrics->brier / samples, "expected_calibration_error",
                                pst_metrics_calibration_error(metrics), "per_class", per_class(metrics));
    bool good = figures != NULL && json_object_update(object, figures) == 0;
    json_decref(figures);
    if (good && metrics->confusion != NULL)
        good = json_object_set_new(object, "confusion", confusion(metrics)) == 0;
    return good;
}

static bool add_compared(json_t *object, const struct pst_metrics *metrics)
{
    double compared = (double)metrics->compared;
    json_t *figures = json_pack("{s:I, s:f, s:f}", "samples", (json_int_t)metrics->compared, "agreement",
                                (double)metrics->agreed / compared, "kl", metrics->divergence / compared);
    bool good = figures != NULL && json_object_update(object, figures) == 0;
    json_decref(figures);
    return good;
}

json_t *pst_metrics_to_json(const struct pst_metrics *metrics)
{
    json_t *object = json_object();
    bool good = object != NULL;
    if (good && metrics->samples > 0)
        good = add_labelled(object, metrics);
    if (good && metrics->compared > 0)
        good = add_compared(object, metrics);
    if (good)
        return object;
    json_decref(object);
    return NULL;
}
