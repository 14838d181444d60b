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

/* F1 is the harmonic mean of precision and recall (van Rijsbergen 1979, as Dice's coefficient). */
static void add_quality(const struct pst_label_counts *counts, struct pst_figures *figures)
{
    uint64_t right = counts->true_positives;
    uint64_t predicted = right + counts->false_positives, given = right + counts->false_negatives;
    pst_figures_add(figures, "precision", "precision", PST_FIGURE_RATIO, share_of(right, predicted));
    pst_figures_add(figures, "recall", "recall", PST_FIGURE_RATIO, share_of(right, given));
    pst_figures_add(figures, "f1", "F1", PST_FIGURE_RATIO, share_of(2 * right, predicted + given));
}

static void add_label(const void *of, size_t label, struct pst_figures *figures)
{
    const struct pst_label_scores *scores = of;
    const struct pst_label_counts *counts = &scores->each[label];
    pst_figures_add(figures, "positives", "positives", PST_FIGURE_COUNT,
                    (double)(counts->true_positives + counts->false_negatives));
    pst_figures_add(figures, "errors", "errors", PST_FIGURE_COUNT,
                    (double)(counts->false_positives + counts->false_negatives));
    add_quality(counts, figures);
}

void pst_label_scores_report(const struct pst_label_scores *scores, struct pst_report *report)
{
    struct pst_label_counts all = { 0 };
    for (size_t j = 0; j < scores->labels; j++) {
        all.true_positives += scores->each[j].true_positives;
        all.false_positives += scores->each[j].false_positives;
        all.false_negatives += scores->each[j].false_negatives;
    }
    struct pst_figures *whole = &report->whole;
    uint64_t wrong = all.false_positives + all.false_negatives;
    pst_figures_add(whole, "samples", "samples", PST_FIGURE_COUNT, (double)scores->samples);
    pst_figures_add(whole, "wrong_samples", "samples with a wrong bit", PST_FIGURE_COUNT,
                    (double)scores->wrong_samples);
    pst_figures_add(whole, "wrong_bits", "wrong bits", PST_FIGURE_COUNT, (double)wrong);
    pst_figures_add(whole, "wrong_bit_share", "share of wrong bits", PST_FIGURE_SHARE,
                    (double)wrong / ((double)scores->samples * (double)scores->labels));
    add_quality(&all, whole);
    report->rows_key = "per_label";
    report->row_key = "label";
    report->rows = scores->labels;
    report->row = add_label;
    report->scores = scores;
}
