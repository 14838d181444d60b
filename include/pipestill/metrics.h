/*
 * metrics.h: how good predictions are. Scores are sums over samples, in double: of predicted classes, of
 * numbers (regression), and of bits (several labels a sample). Each makes a report, which is printed as
 * tables for people, as JSON or as TSV.
 */
#ifndef PIPESTILL_METRICS_H
#define PIPESTILL_METRICS_H

#include "pipestill/base.h"

struct json_t; /* jansson's value */

/* ---- reports ----------------------------------------------------------------------------------------- */

/* How a figure is printed for people. In JSON a count is an integer, and every other figure a number. */
enum pst_figure_form {
    PST_FIGURE_COUNT,    /* 12 */
    PST_FIGURE_SHARE,    /* of 1; as 12.3400 % */
    PST_FIGURE_RATIO,    /* 0.123400 */
    PST_FIGURE_NATS,     /* 0.123400 nats */
    PST_FIGURE_QUANTITY, /* in the unit of what is predicted, of any size: 1.234e+06 */
    PST_FIGURE_MEMBER,   /* the number of a class, output or label: 3, and its name if it has one */
    PST_FIGURE_ID        /* a sample's id, in `id` */
};

struct pst_figure {
    const char *key, *title; /* in JSON, and for people */
    enum pst_figure_form form;
    double value; /* NaN: undefined, and null in JSON */
    uint64_t id;  /* of PST_FIGURE_ID only, because a double cannot hold every id */
};

#define PST_MOST_FIGURES 24

struct pst_figures {
    size_t count;
    struct pst_figure list[PST_MOST_FIGURES];
};

/* The same figures for each of several things, such as classes. {0}: there are none. */
struct pst_rows {
    const char *key;   /* in JSON: "per_class" */
    const char *scope; /* in TSV; elsewhere the title of a row's own number: "class" */
    bool numbered;     /* a row begins with its own number, that of a class, output or label */
    size_t count;
    void (*row)(const void *scores, size_t row,
                struct pst_figures *figures);          /* adds those of a row, always the same */
    double (*badness)(const void *scores, size_t row); /* if not all rows are shown, the worst are */
    const char *others; /* of the rows that are left out, for people: "those with fewer errors" */
    const void *scores; /* borrowed */
};

/* Figures of the whole, then those of every class, output or label, and more. {0} is empty. */
struct pst_report {
    struct pst_figures whole;
    struct pst_rows rows;
    struct pst_rows worst;    /* samples, the worst one first */
    const char *const *names; /* [rows.count], plain text; borrowed; NULL: there are none */
    const uint64_t
        *confusion;       /* [rows.count, rows.count], label by prediction; borrowed; NULL: there is none */
    size_t most_rows;     /* in a table, and classes of a confusion matrix there; 0: all of them */
    const char *all_rows; /* how to see all rows, for people: "--all-rows shows all"; borrowed */
};

/* Adds a figure; beyond PST_MOST_FIGURES it is left out. key, title: borrowed. */
void pst_figures_add(struct pst_figures *figures, const char *key, const char *title,
                     enum pst_figure_form form, double value);

/* Adds a sample's id, of any size. */
void pst_figures_add_id(struct pst_figures *figures, const char *key, const char *title, uint64_t id);

#define PST_MOST_CONFUSIONS 20 /* pairs that are listed if there are too many classes for a matrix */

/* A label, another class that was predicted for it, and how often. */
struct pst_confusion {
    size_t label, predicted;
    uint64_t samples;
};

/* Finds the most frequent confusions, of equally frequent ones those of the first classes. confusion:
 * [classes, classes]. found: receives them. Returns how many there are. */
size_t pst_find_confusions(const uint64_t *confusion, size_t classes,
                           struct pst_confusion found[PST_MOST_CONFUSIONS]);

/* The report as one flat JSON object, owned by the caller; NULL if memory is short. It has the confusion
 * matrix of up to PST_MOST_IN_MATRIX classes, otherwise the most frequent confusions. */
PST_CHECKED struct json_t *pst_report_to_json(const struct pst_report *report);

/* The report as tables for people, to be freed; NULL if memory is short. */
PST_CHECKED char *pst_report_to_text(const struct pst_report *report);

/*
 * The report as one table of five columns with tabs between, a figure a line, to be freed; NULL if memory is
 * short. The columns are scope, row, name, figure and value; the first line holds these words. Each value is
 * a number, or nothing if it is undefined.
 */
PST_CHECKED char *pst_report_to_tsv(const struct pst_report *report);

/* ---- classes ----------------------------------------------------------------------------------------- */

#define PST_CALIBRATION_BINS 15
#define PST_MOST_CONFUSED 1024 /* classes up to which confusions are counted */
#define PST_MOST_IN_MATRIX 256 /* classes up to which the whole matrix is reported */

/* A model's prediction for one sample. Logarithms are natural and finite. */
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
    uint64_t *class_predicted;         /* [classes], by prediction; owned */
    size_t top;                        /* K of top-K accuracy; 0: none. pst_metrics_set_top sets it */
    uint64_t top_right;                /* samples whose label is among the K most probable classes */
    char top_key[40], top_title[40];
    const double *auc;   /* of two classes, one number by pst_auc_areas; borrowed; NULL: none */
    uint64_t *confusion; /* [classes, classes], label by prediction; owned; NULL beyond PST_MOST_CONFUSED */
    uint64_t compared;   /* samples compared with another prediction */
    uint64_t agreed;     /* of these, the same class was predicted */
    double divergence;   /* Σ KL(other ‖ prediction), in nats */
};

/* Returns PST_OK or PST_TRY_AGAIN. classes: 1 or more. */
PST_CHECKED enum pst_status pst_metrics_new(struct pst_metrics *metrics, size_t classes,
                                            struct pst_error *error);
void pst_metrics_free(struct pst_metrics *metrics);

/* Counts top-K accuracy from now on. top: 1 to classes. */
void pst_metrics_set_top(struct pst_metrics *metrics, size_t top);

/* Counts a prediction for a sample whose label, 0 … classes - 1, is known. */
void pst_metrics_add(struct pst_metrics *metrics, const struct pst_prediction *prediction, int32_t label);

/* Counts how a prediction compares with another one of the same sample, a teacher's for example. */
void pst_metrics_compare(struct pst_metrics *metrics, const struct pst_prediction *prediction,
                         const struct pst_prediction *other);

/* Expected calibration error over PST_CALIBRATION_BINS equal bins of confidence (Guo et al. 2017, eq. 3). */
double pst_metrics_calibration_error(const struct pst_metrics *metrics);

/*
 * Adds the figures to an empty report, as means over samples: samples, errors, accuracy, top_K_accuracy if it
 * was counted, balanced_accuracy, macro_f1, auc if there is one, negative_log_likelihood, brier_score,
 * expected_calibration_error, rows and confusion if samples had labels; agreement and kl if predictions were
 * compared. Balanced accuracy is the mean of the accuracy over the classes that have samples; macro F1 that
 * of F1 over the classes that have samples or were predicted (as in scikit-learn, with zero_division=0).
 * metrics: borrowed as long as the report is used.
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

/*
 * Adds to an empty report: samples, rmse, mae, r2; with several outputs mean_r2, the mean of r2 over those
 * for which it is defined (which scikit-learn calls uniform_average); and rmse, mae, r2 in a row for each
 * output. Borrows as pst_metrics_report does.
 */
void pst_regression_report(const struct pst_regression *regression, struct pst_report *report);

/* ---- area under the ROC curve -------------------------------------------------------------------------- */

/*
 * Scores that are kept, because the area depends on all of them: it is the probability that a sample with
 * the label has a higher score than one without it. {0} keeps none.
 */
struct pst_auc {
    size_t labels, most; /* most: scores, over all labels, that may be kept */
    size_t samples, capacity;
    bool full;     /* there were more scores, so none are kept any longer */
    float *scores; /* [capacity, labels]; owned */
    uint8_t *bits; /* [capacity, labels]; owned */
};

/* Keeps the scores of a sample. scores: [labels], not NaN. bits: [labels], 0 or 1. Returns PST_OK, also if
 * they are too many; PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_auc_add(struct pst_auc *auc, const float *scores, const uint8_t *bits,
                                        struct pst_error *error);

/*
 * The area of each label, exactly, by ranks (Mann and Whitney 1947); pairs with equal scores count half. It
 * is NaN for a label that all samples have, or none, and for all labels if there were too many scores.
 * areas: [labels], receives them. Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_auc_areas(const struct pst_auc *auc, double *areas, struct pst_error *error);

void pst_auc_free(struct pst_auc *auc);

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
    const double *auc;             /* [labels], by pst_auc_areas; borrowed; NULL: none */
};

/* Returns PST_OK or PST_TRY_AGAIN. labels: 1 or more. */
PST_CHECKED enum pst_status pst_label_scores_new(struct pst_label_scores *scores, size_t labels,
                                                 struct pst_error *error);
void pst_label_scores_free(struct pst_label_scores *scores);

/* Counts a sample. logits: [labels]; one above 0, a probability above 1/2, predicts the label. bits:
 * [labels], 0 or 1. */
void pst_label_scores_add(struct pst_label_scores *scores, const float *logits, const uint8_t *bits);

/*
 * Adds to an empty report: samples, wrong_samples, wrong_bits, wrong_bit_share; precision, recall and f1 of
 * all bits together (micro averages); macro_precision, macro_recall and macro_f1, means over the labels,
 * with 0 for an undefined one (as in scikit-learn, with zero_division=0); macro_auc, the mean over the
 * labels for which it is defined; positives, errors, precision, recall, f1 and auc in a row for each label.
 * A figure of 0 / 0 is undefined. Borrows as pst_metrics_report does.
 */
void pst_label_scores_report(const struct pst_label_scores *scores, struct pst_report *report);

#endif
