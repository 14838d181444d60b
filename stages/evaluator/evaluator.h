/* evaluator.h: what the files of this stage share. */
#ifndef PIPESTILL_STAGES_EVALUATOR_H
#define PIPESTILL_STAGES_EVALUATOR_H

#include "pipestill.h"

/* Predictions in the stream, and memory for the current sample. */
struct source {
    struct pst_tensor_spec spec;
    size_t index;
    bool logits;   /* else probabilities */
    double *bias;  /* [classes], added to logits or log-probabilities; NULL for none */
    float *scores; /* [classes], with the bias */
    double *log_p; /* [classes] */
};

/* Samples of --fit-bias, in arrays that grow together. {0} is empty. */
struct kept {
    float *rows, *others; /* [capacity, classes], of --of, and of --against or NULL */
    int32_t *labels;      /* [capacity] */
    uint64_t *ids;        /* [capacity] */
    size_t count, capacity;
};

struct class_bias {
    uint64_t class;
    double bias;
};

enum { FIT_BY_MASS, FIT_BY_ERRORS };

enum { FORMAT_TABLE, FORMAT_JSON, FORMAT_TSV };

/* One sample of classes. */
struct sample {
    const float *row, *other; /* [classes], of --of, and of --against or NULL */
    int32_t label;            /* -1: there is none */
    uint64_t number, id;      /* its place in the stream, and its id or 0 */
};

/* A sample that --worst may list. What is shown depends on what is predicted. */
struct worst_sample {
    double rank, loss;    /* a higher rank is worse; of equal ranks, a higher loss */
    uint64_t number, id;  /* its place in the stream (of equal ones the first is listed); its id or 0 */
    size_t member, other; /* a class, output or label; another class, or a count */
    double values[2];
};

/* The worst samples so far: a heap, whose root is the best of them. {0} keeps none. */
struct worst {
    struct worst_sample *list; /* [most]; owned */
    size_t count, most;
};

struct evaluator {
    /* options */
    const char *of_name, *against_name;
    double tolerance; /* infinite: not given */
    struct class_bias *biases;
    uint64_t *fitted;
    size_t bias_count, fitted_count;
    int fit_by, format;
    size_t top; /* of --top; 0: not given */
    bool as_json, all_rows;
    /* the stream */
    const struct target_type *type;
    struct source of, against; /* against.index: PST_NONE if nothing is compared */
    size_t y, id;              /* PST_NONE: there is none */
    struct pst_tensor_spec y_spec;
    const char *
        *names; /* of classes, outputs or labels, as plain text, with the texts in one block; or NULL */
    /* sums */
    uint64_t samples;
    double squares, largest; /* of the differences: the sum of squares, and the largest absolute one */
    struct pst_metrics classes;
    struct pst_regression numbers;
    struct pst_label_scores bits;
    struct pst_auc auc; /* of bits, and of two classes; without labels: there is none */
    double *areas;      /* [auc.labels] */
    struct worst worst; /* of --worst; its `most` is the option */
    bool *free_classes; /* [classes], of --fit-bias */
    struct kept kept;
};

/* A type of what is predicted, and of y. */
struct target_type {
    const char *name; /* in messages: "numbers" */
    enum pst_dtype dtype;
    bool of_logits;        /* only logits predict it; otherwise soft targets do, too */
    const char *names_key; /* of the header: the key for the names of classes, or of numbers and bits */
    /* Checks y and its size against the predictions, and makes the scores. */
    enum pst_status (*open)(struct pst_run *run, const struct pst_header *header, struct pst_error *error);
    /* Counts the samples of a batch. Its predictions were checked before. */
    enum pst_status (*count)(struct evaluator *evaluator, const struct pst_batch *batch,
                             struct pst_error *error);
    /* Called after the last batch; NULL: there is nothing to do. */
    enum pst_status (*finish)(struct evaluator *evaluator, struct pst_error *error);
    /* Adds the figures to an empty report. */
    void (*report)(struct evaluator *evaluator, struct pst_report *report);
    /* Adds the figures of one of the worst samples. */
    void (*describe)(const struct worst_sample *sample, struct pst_figures *figures);
};

extern const struct target_type target_classes, target_numbers, target_bits;

/* ---- predictions --------------------------------------------------------------------------------------- */

/* Finds a tensor of predictions and makes room for a sample of it. named, option: as for pst_target_find. */
enum pst_status source_open(struct source *source, const char *named, const char *option,
                            const struct target_type *type, const struct pst_header *header,
                            struct pst_error *error);
void source_close(struct source *source);

/* The predictions of one sample of a batch. */
const float *source_row(const struct source *source, const struct pst_batch *batch, size_t sample);

/* Checks those of all samples of a batch. */
enum pst_status source_check(const struct source *source, const struct pst_batch *batch,
                             struct pst_error *error);

/* Checks that there is a number or bit of y for each number that is predicted. */
enum pst_status source_fits(const struct evaluator *evaluator, const struct pst_header *header,
                            struct pst_error *error);

/* A number of a row as a logit or log-probability. 0 has no logarithm, so a probability of 0 counts as the
 * smallest normal f32. */
double source_score(const struct source *source, float number);

/* Turns one sample into a prediction, which is valid until the next call. Probabilities are used as they are
 * if there is no bias. row: from source_row. */
struct pst_prediction source_predict(const struct source *source, const float *row);

/* ---- the numbers of --of and --against, for every kind of prediction ---------------------------------- */

/* Whether they are comparable: both logits, or both probabilities. */
bool differences_apply(const struct evaluator *evaluator);

/* Adds up the differences in a batch. Returns PST_OK; PST_BAD_DATA if one is above --tolerance. */
enum pst_status differences_add(struct evaluator *evaluator, const struct pst_batch *batch,
                                struct pst_error *error);

/* Adds their root mean square and the largest one to a report. */
void differences_report(const struct evaluator *evaluator, struct pst_figures *figures);

/* ---- --fit-bias ---------------------------------------------------------------------------------------- */

/* Keeps a copy of a sample, because biases need all of them. Returns PST_OK or PST_TRY_AGAIN. */
enum pst_status fit_keep(struct kept *kept, const struct sample *sample, size_t classes,
                         struct pst_error *error);

/* The sample that was kept as the i-th, borrowed. */
struct sample fit_sample(const struct kept *kept, size_t i, size_t classes);

/*
 * Finds the biases of the free classes from the samples kept, and puts them into of.bias. The mass of each
 * class is that of --against; without it, that of the labels. Returns PST_OK; PST_BAD_DATA; PST_TRY_AGAIN.
 */
enum pst_status fit_biases(struct evaluator *evaluator, struct pst_error *error);

void fit_forget(struct kept *kept);

/* ---- the worst samples --------------------------------------------------------------------------------- */

/* Makes room for as many samples as --worst says. Returns PST_OK or PST_TRY_AGAIN. */
enum pst_status worst_open(struct worst *worst, struct pst_error *error);

/* Takes a sample in if it is one of the worst so far. */
void worst_add(struct worst *worst, const struct worst_sample *sample);

/* Adds them to a report, the worst one first. */
void worst_report(struct evaluator *evaluator, struct pst_report *report);

/* ---- names --------------------------------------------------------------------------------------------- */

/* Takes the names of classes, outputs or labels from the header, if they are there. count: how many there
 * must be. Returns PST_OK; PST_BAD_DATA if they are something else; PST_TRY_AGAIN. */
enum pst_status names_take(struct evaluator *evaluator, const struct pst_header *header, size_t count,
                           struct pst_error *error);

/* The id of a sample of a batch; 0 without ids. */
uint64_t id_of(const struct evaluator *evaluator, const struct pst_batch *batch, size_t sample);

/* ---- the report ---------------------------------------------------------------------------------------- */

/* Print a report and the name of what it is about: as tables for people, as one JSON object, as TSV. Return
 * what pst_print does; PST_TRY_AGAIN. */
enum pst_status report_table(struct pst_run *run, const struct pst_report *report, struct pst_error *error);
enum pst_status report_json(struct pst_run *run, const struct pst_report *report, struct pst_error *error);
enum pst_status report_tsv(struct pst_run *run, const struct pst_report *report, struct pst_error *error);

#endif
