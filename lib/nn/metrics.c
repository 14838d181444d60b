/* How good predicted classes are: sums of the usual figures, one sample after another. */
#include "pipestill/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum pst_status pst_metrics_new(struct pst_metrics *metrics, size_t classes, struct pst_error *error)
{
    bool confusion = classes <= PST_MOST_CONFUSED;
    *metrics = (struct pst_metrics){ .classes = classes };
    metrics->class_samples = pst_allocate(classes, sizeof *metrics->class_samples, error);
    metrics->class_errors = pst_allocate(classes, sizeof *metrics->class_errors, error);
    metrics->class_predicted = pst_allocate(classes, sizeof *metrics->class_predicted, error);
    if (confusion)
        metrics->confusion = pst_allocate(classes * classes, sizeof *metrics->confusion, error);
    if (metrics->class_samples != NULL && metrics->class_errors != NULL && metrics->class_predicted != NULL &&
        (metrics->confusion != NULL || !confusion))
        return PST_OK;
    pst_metrics_free(metrics);
    return PST_TRY_AGAIN;
}

void pst_metrics_free(struct pst_metrics *metrics)
{
    free(metrics->class_samples);
    free(metrics->class_errors);
    free(metrics->class_predicted);
    free(metrics->confusion);
    *metrics = (struct pst_metrics){ 0 };
}

void pst_metrics_set_top(struct pst_metrics *metrics, size_t top)
{
    metrics->top = top;
    snprintf(metrics->top_key, sizeof metrics->top_key, "top_%zu_accuracy", top);
    snprintf(metrics->top_title, sizeof metrics->top_title, "top-%zu accuracy", top);
}

/* How many classes come before a class: more probable ones, and equally probable ones of lower number. */
static size_t rank_of(const struct pst_prediction *prediction, size_t class, size_t classes)
{
    const double *log_p = prediction->log_probabilities, mine = log_p[class];
    size_t rank = 0;
    for (size_t j = 0; j < class; j++)
        rank += log_p[j] >= mine;
    for (size_t j = class + 1; j < classes; j++)
        rank += log_p[j] > mine;
    return rank;
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
    metrics->class_predicted[prediction->largest]++;
    if (metrics->top > 0)
        metrics->top_right += right || rank_of(prediction, truth, metrics->classes) < metrics->top;
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

static double share_of(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : (double)NAN;
}

static double class_accuracy(const struct pst_metrics *metrics, size_t class)
{
    return share_of(metrics->class_samples[class] - metrics->class_errors[class],
                    metrics->class_samples[class]);
}

static double class_f1(const struct pst_metrics *metrics, size_t class)
{
    return share_of(2 * (metrics->class_samples[class] - metrics->class_errors[class]),
                    metrics->class_samples[class] + metrics->class_predicted[class]);
}

/* The mean over the classes for which a figure is defined. */
static double mean_over_classes(const struct pst_metrics *metrics,
                                double (*figure)(const struct pst_metrics *, size_t))
{
    double sum = 0, count = 0;
    for (size_t class = 0; class < metrics->classes; class ++) {
        double value = figure(metrics, class);
        sum += isnan(value) ? 0 : value;
        count += !isnan(value);
    }
    return sum / count;
}

static void add_class(const void *scores, size_t class, struct pst_figures *figures)
{
    const struct pst_metrics *metrics = scores;
    uint64_t samples = metrics->class_samples[class], errors = metrics->class_errors[class];
    pst_figures_add(figures, "samples", "samples", PST_FIGURE_COUNT, (double)samples);
    pst_figures_add(figures, "errors", "errors", PST_FIGURE_COUNT, (double)errors);
    pst_figures_add(figures, "accuracy", "accuracy", PST_FIGURE_SHARE, class_accuracy(metrics, class));
    pst_figures_add(figures, "precision", "precision", PST_FIGURE_RATIO,
                    share_of(samples - errors, metrics->class_predicted[class]));
    pst_figures_add(figures, "f1", "F1", PST_FIGURE_RATIO, class_f1(metrics, class));
}

static double class_badness(const void *scores, size_t class)
{
    return (double)((const struct pst_metrics *)scores)->class_errors[class];
}

static void add_accuracies(const struct pst_metrics *metrics, struct pst_figures *whole)
{
    double samples = (double)metrics->samples, errors = (double)metrics->errors;
    pst_figures_add(whole, "samples", "samples", PST_FIGURE_COUNT, samples);
    pst_figures_add(whole, "errors", "errors", PST_FIGURE_COUNT, errors);
    pst_figures_add(whole, "accuracy", "accuracy", PST_FIGURE_SHARE, (samples - errors) / samples);
    if (metrics->top > 0)
        pst_figures_add(whole, metrics->top_key, metrics->top_title, PST_FIGURE_SHARE,
                        (double)metrics->top_right / samples);
    pst_figures_add(whole, "balanced_accuracy", "balanced accuracy", PST_FIGURE_SHARE,
                    mean_over_classes(metrics, class_accuracy));
    pst_figures_add(whole, "macro_f1", "macro F1", PST_FIGURE_RATIO, mean_over_classes(metrics, class_f1));
    if (metrics->auc != NULL)
        pst_figures_add(whole, "auc", "AUC", PST_FIGURE_RATIO, *metrics->auc);
}

static void report_labelled(const struct pst_metrics *metrics, struct pst_report *report)
{
    struct pst_figures *whole = &report->whole;
    double samples = (double)metrics->samples;
    add_accuracies(metrics, whole);
    pst_figures_add(whole, "negative_log_likelihood", "negative log-likelihood", PST_FIGURE_NATS,
                    metrics->surprise / samples);
    pst_figures_add(whole, "brier_score", "Brier score", PST_FIGURE_RATIO, metrics->brier / samples);
    pst_figures_add(whole, "expected_calibration_error", "expected calibration error", PST_FIGURE_RATIO,
                    pst_metrics_calibration_error(metrics));
    report->rows = (struct pst_rows){ .key = "per_class",
                                      .scope = "class",
                                      .numbered = true,
                                      .count = metrics->classes,
                                      .row = add_class,
                                      .badness = class_badness,
                                      .others = "those with fewer errors",
                                      .scores = metrics };
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
