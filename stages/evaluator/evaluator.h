/* evaluator.h: what the files of this stage share. */
#ifndef PIPESTILL_STAGES_EVALUATOR_H
#define PIPESTILL_STAGES_EVALUATOR_H

#include "pipestill.h"

/* Predictions in the stream, and the sample of them that is being looked at. */
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
    size_t count, capacity;
};

struct class_bias {
    uint64_t class;
    double bias;
};

enum { FIT_BY_MASS, FIT_BY_ERRORS };

struct evaluator {
    /* options */
    const char *of_name, *against_name;
    double tolerance; /* infinite: not given */
    struct class_bias *biases;
    uint64_t *fitted;
    size_t bias_count, fitted_count;
    int fit_by;
    bool as_json;
    /* the stream */
    const struct target_type *type;
    struct source of, against; /* against.index: PST_NONE if nothing is compared */
    size_t y, id;              /* PST_NONE: there is none */
    struct pst_tensor_spec y_spec;
    /* sums */
    uint64_t samples;
    double squares, largest; /* of the differences: the sum of squares, and the largest size */
    struct pst_metrics classes;
    struct pst_regression numbers;
    struct pst_label_scores bits;
    bool *free_classes; /* [classes], of --fit-bias */
    struct kept kept;
};

/* A type of what is predicted, and of y. */
struct target_type {
    const char *name; /* in messages: "numbers" */
    enum pst_dtype dtype;
    bool of_logits; /* only logits predict it; otherwise soft targets do, too */
    /* Checks y and its size against the predictions, and makes the scores. */
    enum pst_status (*open)(struct pst_run *run, const struct pst_header *header, struct pst_error *error);
    /* Counts the samples of a batch, whose predictions are checked already. */
    enum pst_status (*count)(struct evaluator *evaluator, const struct pst_batch *batch,
                             struct pst_error *error);
    /* Called after the last batch; NULL: there is nothing to do. */
    enum pst_status (*finish)(struct evaluator *evaluator, struct pst_error *error);
    /* Adds the figures to an empty report. */
    void (*report)(const struct evaluator *evaluator, struct pst_report *report);
};

extern const struct target_type target_classes, target_numbers, target_bits;

/* ---- predictions --------------------------------------------------------------------------------------- */

/* Finds a tensor of predictions and makes room for a sample of it. named, option: as of pst_target_find. */
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

/* A number of a row as a logit or log-probability; of 0 no logarithm can be taken, so the smallest normal f32
 * stands for it. */
double source_score(const struct source *source, float number);

/* Turns one sample into a prediction, which lives until the next. Probabilities are used as they are if
 * there is no bias. row: from source_row. */
struct pst_prediction source_predict(const struct source *source, const float *row);

/* ---- the numbers of --of and --against, whatever they predict ------------------------------------------ */

/* Whether they are comparable: both logits, or both probabilities. */
bool differences_apply(const struct evaluator *evaluator);

/* Adds up the differences in a batch. Returns PST_OK; PST_BAD_DATA if one is above --tolerance. */
enum pst_status differences_add(struct evaluator *evaluator, const struct pst_batch *batch,
                                struct pst_error *error);

/* Adds their root mean square and the largest one to a report. */
void differences_report(const struct evaluator *evaluator, struct pst_figures *figures);

/* ---- --fit-bias ---------------------------------------------------------------------------------------- */

/* Keeps a copy of a sample, for biases can be found only when all are there. other: NULL for none. label: -1
 * for none. Returns PST_OK or PST_TRY_AGAIN. */
enum pst_status fit_keep(struct kept *kept, const float *row, const float *other, int32_t label,
                         size_t classes, struct pst_error *error);

/*
 * Finds the biases of the free classes from the samples kept, and puts them into of.bias. The mass of each
 * class is that of --against; without it the labels tell it. Returns PST_OK; PST_BAD_DATA; PST_TRY_AGAIN.
 */
enum pst_status fit_biases(struct evaluator *evaluator, struct pst_error *error);

void fit_forget(struct kept *kept);

/* ---- the report ---------------------------------------------------------------------------------------- */

/* Print a report and what it is of, as a table for people or as one JSON object. Return what pst_print does;
 * PST_TRY_AGAIN. */
enum pst_status report_table(struct pst_run *run, const struct pst_report *report, struct pst_error *error);
enum pst_status report_json(struct pst_run *run, const struct pst_report *report, struct pst_error *error);

#endif
