/* How good predicted classes are: sums of the usual figures, one sample after another. */
#include "pipestill/metrics.h"

#include <math.h>
#include <stdlib.h>

enum pst_status pst_metrics_new(struct pst_metrics *metrics, size_t classes, struct pst_error *error)
{
    bool confusion = classes <= PST_MOST_CONFUSED;
    *metrics = (struct pst_metrics){ .classes = classes };
    metrics->class_samples = pst_allocate(classes, sizeof *metrics->class_samples, error);
    metrics->class_errors = pst_allocate(classes, sizeof *metrics->class_errors, error);
    if (confusion)
        metrics->confusion = pst_allocate(classes * classes, sizeof *metrics->confusion, error);
    if (metrics->class_samples != NULL && metrics->class_errors != NULL &&
        (metrics->confusion != NULL || !confusion))
        return PST_OK;
    pst_metrics_free(metrics);
    return PST_TRY_AGAIN;
}

void pst_metrics_free(struct pst_metrics *metrics)
{
    free(metrics->class_samples);
    free(metrics->class_errors);
    free(metrics->confusion);
    *metrics = (struct pst_metrics){ 0 };
}

/* Bins are open on the left and closed on the right, as in Guo et al. 2017. */
static size_t find_bin(double confidence)
{
    double bin = ceil(confidence * PST_CALIBRATION_BINS) - 1;
    return bin < 0 ? 0 : bin >= PST_CALIBRATION_BINS ? PST_CALIBRATION_BINS - 1 : (size_t)bin;
}

void pst_metrics_add(struct pst_metrics *metrics, const struct pst_prediction *prediction, int32_t label)
{
    size_t truth = (size_t)label;
    bool right = prediction->largest == truth;
    metrics->samples++;
    metrics->errors += !right;
    metrics->class_samples[truth]++;
    metrics->class_errors[truth] += !right;
    if (metrics->confusion != NULL)
        metrics->confusion[truth * metrics->classes + prediction->largest]++;
    metrics->surprise -= prediction->log_probabilities[truth];
    for (size_t j = 0; j < metrics->classes; j++) {
        double distance = exp(prediction->log_probabilities[j]) - (j == truth ? 1 : 0);
        metrics->brier += distance * distance;
    }
    double confidence = exp(prediction->log_probabilities[prediction->largest]);
    metrics->gaps[find_bin(confidence)] += (right ? 1 : 0) - confidence;
}

void pst_metrics_compare(struct pst_metrics *metrics, const struct pst_prediction *prediction,
                         const struct pst_prediction *other)
{
    metrics->compared++;
    metrics->agreed += prediction->largest == other->largest;
    for (size_t j = 0; j < metrics->classes; j++)
        metrics->divergence += exp(other->log_probabilities[j]) *
                               (other->log_probabilities[j] - prediction->log_probabilities[j]);
}

double pst_metrics_calibration_error(const struct pst_metrics *metrics)
{
    double sum = 0;
    for (size_t i = 0; i < PST_CALIBRATION_BINS; i++)
        sum += fabs(metrics->gaps[i]);
    return sum / (double)metrics->samples;
}

/* ---- the report ---------------------------------------------------------------------------------------- */

static void add_class(const void *scores, size_t class, struct pst_figures *figures)
{
    const struct pst_metrics *metrics = scores;
    uint64_t samples = metrics->class_samples[class], errors = metrics->class_errors[class];
    pst_figures_add(figures, "samples", "samples", PST_FIGURE_COUNT, (double)samples);
    pst_figures_add(figures, "errors", "errors", PST_FIGURE_COUNT, (double)errors);
    pst_figures_add(figures, "accuracy", "accuracy", PST_FIGURE_SHARE,
                    samples > 0 ? (double)(samples - errors) / (double)samples : (double)NAN);
}

static void report_labelled(const struct pst_metrics *metrics, struct pst_report *report)
{
    struct pst_figures *whole = &report->whole;
    double samples = (double)metrics->samples, errors = (double)metrics->errors;
    pst_figures_add(whole, "samples", "samples", PST_FIGURE_COUNT, samples);
    pst_figures_add(whole, "errors", "errors", PST_FIGURE_COUNT, errors);
    pst_figures_add(whole, "accuracy", "accuracy", PST_FIGURE_SHARE, (samples - errors) / samples);
    pst_figures_add(whole, "negative_log_likelihood", "negative log-likelihood", PST_FIGURE_NATS,
                    metrics->surprise / samples);
    pst_figures_add(whole, "brier_score", "Brier score", PST_FIGURE_RATIO, metrics->brier / samples);
    pst_figures_add(whole, "expected_calibration_error", "expected calibration error", PST_FIGURE_RATIO,
                    pst_metrics_calibration_error(metrics));
    report->rows_key = "per_class";
    report->row_key = "class";
    report->rows = metrics->classes;
    report->row = add_class;
    report->scores = metrics;
    report->confusion = metrics->confusion;
}

void pst_metrics_report(const struct pst_metrics *metrics, struct pst_report *report)
{
    double compared = (double)metrics->compared;
    if (metrics->samples > 0)
        report_labelled(metrics, report);
    if (metrics->compared == 0)
        return;
    pst_figures_add(&report->whole, "samples", "samples compared", PST_FIGURE_COUNT, compared);
    pst_figures_add(&report->whole, "agreement", "agreement", PST_FIGURE_SHARE,
                    (double)metrics->agreed / compared);
    pst_figures_add(&report->whole, "kl", "KL", PST_FIGURE_NATS, metrics->divergence / compared);
}
