/*
 * metrics.h: how good predictions are. Scores are sums over samples, in double: of predicted classes, of
 * numbers (regression), and of bits (several labels a sample). Each makes a report, which is printed as a
 * table or as JSON.
 */
#ifndef PIPESTILL_METRICS_H
#define PIPESTILL_METRICS_H

#include "pipestill/base.h"

struct json_t; /* jansson's value */

/* ---- reports ----------------------------------------------------------------------------------------- */

/* How a figure is printed for people. In JSON a count is an integer, and every other figure a number. */
enum pst_figure_form {
    PST_FIGURE_COUNT,   /* 12 */
    PST_FIGURE_SHARE,   /* of 1; as 12.3400 % */
    PST_FIGURE_RATIO,   /* 0.123400 */
    PST_FIGURE_NATS,    /* 0.123400 nats */
    PST_FIGURE_QUANTITY /* in the unit of what is predicted, of any size: 1.234e+06 */
};

struct pst_figure {
    const char *key, *title; /* in JSON, and for people */
    enum pst_figure_form form;
    double value; /* NaN: undefined, and null in JSON */
};

#define PST_MOST_FIGURES 16

struct pst_figures {
    size_t count;
    struct pst_figure list[PST_MOST_FIGURES];
};

/* Figures of the whole, then the same few of every class, output or label. {0} is empty. */
struct pst_report {
    struct pst_figures whole;
    const char *rows_key, *row_key; /* "per_class" and "class"; NULL: there are no rows */
    size_t rows;
    void (*row)(const void *scores, size_t row,
                struct pst_figures *figures); /* adds those of a row, always the same */
    const void *scores;                       /* borrowed */
    const uint64_t *confusion; /* [rows, rows], label by prediction; borrowed; NULL: there is none */
};

/* Adds a figure; beyond PST_MOST_FIGURES it is left out. key, title: borrowed. */
void pst_figures_add(struct pst_figures *figures, const char *key, const char *title,
                     enum pst_figure_form form, double value);

/* The report as one flat JSON object, owned by the caller; NULL if memory is short. */
PST_CHECKED struct json_t *pst_report_to_json(const struct pst_report *report);

/* The report as tables for people, to be freed; NULL if memory is short. */
PST_CHECKED char *pst_report_to_text(const struct pst_report *report);

/* ---- classes ----------------------------------------------------------------------------------------- */

#define PST_CALIBRATION_BINS 15
#define PST_MOST_CONFUSED 256 /* classes up to which a confusion matrix is kept */

/* What a model says of one sample. Logarithms are natural and finite. */
struct pst_prediction {
    const double *log_probabilities; /* [classes] */
    size_t largest;                  /* the class predicted */
};

/* Sums over samples. {0} is empty. */
struct pst_metrics {
    size_t classes;
    uint64_t samples; /* with a label */
    uint64_t errors;
    double surprise; /* Σ - log p of the label, in nats */
    double brier;    /* Σ of the squared distance of p from the label's one-hot vector (Brier 1950) */
    double gaps[PST_CALIBRATION_BINS]; /* of a bin of confidence: right predictions - Σ confidence */
    uint64_t *class_samples;           /* [classes], by label; owned */
    uint64_t *class_errors;            /* [classes], by label; owned */
    uint64_t *confusion; /* [classes, classes], label by prediction; owned; NULL beyond PST_MOST_CONFUSED */
    uint64_t compared;   /* samples compared with another prediction */
    uint64_t agreed;     /* of these, the same class was predicted */
    double divergence;   /* Σ KL(other ‖ prediction), in nats */
};

/* Returns PST_OK or PST_TRY_AGAIN. classes: 1 or more. */
PST_CHECKED enum pst_status pst_metrics_new(struct pst_metrics *metrics, size_t classes,
                                            struct pst_error *error);
void pst_metrics_free(struct pst_metrics *metrics);

/* Counts a prediction for a sample whose label, 0 … classes - 1, is known. */
void pst_metrics_add(struct pst_metrics *metrics, const struct pst_prediction *prediction, int32_t label);

/* Counts how a prediction compares with another one of the same sample, a teacher's for example. */
void pst_metrics_compare(struct pst_metrics *metrics, const struct pst_prediction *prediction,
                         const struct pst_prediction *other);

/* Expected calibration error over PST_CALIBRATION_BINS equal bins of confidence (Guo et al. 2017, eq. 3). */
double pst_metrics_calibration_error(const struct pst_metrics *metrics);

/*
 * Adds the figures to an empty report, as means over samples: samples, errors, accuracy,
 * negative_log_likelihood, brier_score, expected_calibration_error, rows and confusion if samples had labels;
 * agreement and kl if predictions were compared. metrics: borrowed as long as the report is used.
 */
void pst_metrics_report(const struct pst_metrics *metrics, struct pst_report *report);

/* ---- numbers: regression ------------------------------------------------------------------------------- */

/* Sums over samples, of one output. */
struct pst_regression_sums {
    double absolute, squares; /* of errors */
    double mean, spread;      /* of the targets: their mean, and the sum of squared distances from it */
};

/* Scores of a regression. {0} is empty. */
struct pst_regression {
    size_t outputs;
    uint64_t samples;
    struct pst_regression_sums *each; /* [outputs]; owned */
};

/* Returns PST_OK or PST_TRY_AGAIN. outputs: 1 or more. */
PST_CHECKED enum pst_status pst_regression_new(struct pst_regression *regression, size_t outputs,
                                               struct pst_error *error);
void pst_regression_free(struct pst_regression *regression);

/* Counts a sample. predictions, targets: [outputs], finite. Means and spreads are updated as in Welford 1962.
 */
void pst_regression_add(struct pst_regression *regression, const float *predictions, const float *targets);

struct pst_regression_scores {
    double rmse, mae; /* root of the mean squared error, mean absolute error */
    double r2;        /* 1 - squared errors / spread of the targets; NaN if the targets are constant */
};

/*
 * The scores over `count` outputs from `first` on; errors of all of them are summed, and so are spreads, each
 * about its own output's mean (which scikit-learn calls variance_weighted). There must be a sample.
 */
struct pst_regression_scores pst_regression_score(const struct pst_regression *regression, size_t first,
                                                  size_t count);

/* Adds to an empty report: samples, rmse, mae, r2; and rmse, mae, r2 in a row for each output. Borrows as
 * pst_metrics_report does. */
void pst_regression_report(const struct pst_regression *regression, struct pst_report *report);

/* ---- bits: several labels a sample -----------------------------------------------------------------------
 */

/* How often a label was given to a sample, and how often it was predicted. */
struct pst_label_counts {
    uint64_t true_positives, false_positives, false_negatives;
};

/* Scores of predicted bits. {0} is empty. */
struct pst_label_scores {
    size_t labels;
    uint64_t samples;
    uint64_t wrong_samples;        /* with a wrong bit or more */
    struct pst_label_counts *each; /* [labels]; owned */
};

/* Returns PST_OK or PST_TRY_AGAIN. labels: 1 or more. */
PST_CHECKED enum pst_status pst_label_scores_new(struct pst_label_scores *scores, size_t labels,
                                                 struct pst_error *error);
void pst_label_scores_free(struct pst_label_scores *scores);

/* Counts a sample. logits: [labels]; one above 0, a probability above 1/2, predicts the label. bits:
 * [labels], 0 or 1. */
void pst_label_scores_add(struct pst_label_scores *scores, const float *logits, const uint8_t *bits);

/*
 * Adds to an empty report: samples, wrong_samples, wrong_bits, wrong_bit_share, and precision, recall and f1
 * of all bits together; positives, errors, precision, recall and f1 in a row for each label. One that would
 * be 0 / 0 is undefined. Borrows as pst_metrics_report does.
 */
void pst_label_scores_report(const struct pst_label_scores *scores, struct pst_report *report);

#endif
