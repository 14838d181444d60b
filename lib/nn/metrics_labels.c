/* How good predicted bits are, several labels a sample: counts for each label, one sample after another. */
#include "pipestill/metrics.h"

#include <math.h>
#include <stdlib.h>

enum pst_status pst_label_scores_new(struct pst_label_scores *scores, size_t labels, struct pst_error *error)
{
    *scores = (struct pst_label_scores){ .labels = labels };
    scores->each = pst_allocate(labels, sizeof *scores->each, error);
    return scores->each != NULL ? PST_OK : PST_TRY_AGAIN;
}

void pst_label_scores_free(struct pst_label_scores *scores)
{
    free(scores->each);
    *scores = (struct pst_label_scores){ 0 };
}

void pst_label_scores_add(struct pst_label_scores *scores, const float *logits, const uint8_t *bits)
{
    bool wrong = false;
    for (size_t j = 0; j < scores->labels; j++) {
        struct pst_label_counts *counts = &scores->each[j];
        bool predicted = logits[j] > 0, given = bits[j] != 0;
        counts->true_positives += predicted && given;
        counts->false_positives += predicted && !given;
        counts->false_negatives += !predicted && given;
        wrong = wrong || predicted != given;
    }
    scores->samples++;
    scores->wrong_samples += wrong;
}

static double share_of(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : (double)NAN;
}

/* Precision, recall and F1, the harmonic mean of both (van Rijsbergen 1979, as Dice's coefficient). */
struct quality {
    double precision, recall, f1;
};

static struct quality quality_of(const struct pst_label_counts *counts)
{
    uint64_t right = counts->true_positives;
    uint64_t predicted = right + counts->false_positives, given = right + counts->false_negatives;
    return (struct quality){ share_of(right, predicted), share_of(right, given),
                             share_of(2 * right, predicted + given) };
}

static void add_quality(const struct quality *quality, struct pst_figures *figures)
{
    pst_figures_add(figures, "precision", "precision", PST_FIGURE_RATIO, quality->precision);
    pst_figures_add(figures, "recall", "recall", PST_FIGURE_RATIO, quality->recall);
    pst_figures_add(figures, "f1", "F1", PST_FIGURE_RATIO, quality->f1);
}

static uint64_t label_errors(const struct pst_label_counts *counts)
{
    return counts->false_positives + counts->false_negatives;
}

static void add_label(const void *of, size_t label, struct pst_figures *figures)
{
    const struct pst_label_scores *scores = of;
    const struct pst_label_counts *counts = &scores->each[label];
    struct quality quality = quality_of(counts);
    pst_figures_add(figures, "positives", "positives", PST_FIGURE_COUNT,
                    (double)(counts->true_positives + counts->false_negatives));
    pst_figures_add(figures, "errors", "errors", PST_FIGURE_COUNT, (double)label_errors(counts));
    add_quality(&quality, figures);
    if (scores->auc != NULL)
        pst_figures_add(figures, "auc", "AUC", PST_FIGURE_RATIO, scores->auc[label]);
}

static double label_badness(const void *of, size_t label)
{
    return (double)label_errors(&((const struct pst_label_scores *)of)->each[label]);
}

static double or_0(double value)
{
    return isnan(value) ? 0 : value;
}

static void add_macro(const struct pst_label_scores *scores, struct pst_figures *whole)
{
    struct quality sum = { 0 };
    double areas = 0, defined = 0, labels = (double)scores->labels;
    for (size_t j = 0; j < scores->labels; j++) {
        struct quality quality = quality_of(&scores->each[j]);
        sum.precision += or_0(quality.precision);
        sum.recall += or_0(quality.recall);
        sum.f1 += or_0(quality.f1);
        if (scores->auc != NULL) {
            areas += or_0(scores->auc[j]);
            defined += !isnan(scores->auc[j]);
        }
    }
    pst_figures_add(whole, "macro_precision", "macro precision", PST_FIGURE_RATIO, sum.precision / labels);
    pst_figures_add(whole, "macro_recall", "macro recall", PST_FIGURE_RATIO, sum.recall / labels);
    pst_figures_add(whole, "macro_f1", "macro F1", PST_FIGURE_RATIO, sum.f1 / labels);
    if (scores->auc != NULL)
        pst_figures_add(whole, "macro_auc", "macro AUC", PST_FIGURE_RATIO, areas / defined);
}

static struct pst_label_counts sum_counts(const struct pst_label_scores *scores)
{
    struct pst_label_counts all = { 0 };
    for (size_t j = 0; j < scores->labels; j++) {
        all.true_positives += scores->each[j].true_positives;
        all.false_positives += scores->each[j].false_positives;
        all.false_negatives += scores->each[j].false_negatives;
    }
    return all;
}

void pst_label_scores_report(const struct pst_label_scores *scores, struct pst_report *report)
{
    struct pst_label_counts all = sum_counts(scores);
    struct quality quality = quality_of(&all);
    struct pst_figures *whole = &report->whole;
    double wrong = (double)label_errors(&all);
    pst_figures_add(whole, "samples", "samples", PST_FIGURE_COUNT, (double)scores->samples);
    pst_figures_add(whole, "wrong_samples", "samples with a wrong bit", PST_FIGURE_COUNT,
                    (double)scores->wrong_samples);
    pst_figures_add(whole, "wrong_bits", "wrong bits", PST_FIGURE_COUNT, wrong);
    pst_figures_add(whole, "wrong_bit_share", "share of wrong bits", PST_FIGURE_SHARE,
                    wrong / ((double)scores->samples * (double)scores->labels));
    add_quality(&quality, whole);
    add_macro(scores, whole);
    report->rows = (struct pst_rows){ .key = "per_label",
                                      .scope = "label",
                                      .numbered = true,
                                      .count = scores->labels,
                                      .row = add_label,
                                      .badness = label_badness,
                                      .others = "those with fewer errors",
                                      .scores = scores };
}
