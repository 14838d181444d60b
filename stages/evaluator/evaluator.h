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

/* Finds a tensor of predictions and makes room for a sample of it. named, option: as of pst_target_find.
 * classes: as many it must have; 0: any. */
enum pst_status source_open(struct source *source, const char *named, const char *option, size_t classes,
                            const struct pst_header *header, struct pst_error *error);
void source_close(struct source *source);

/* The predictions of one sample of a batch. */
const float *source_row(const struct source *source, const struct pst_batch *batch, size_t sample);

/* Checks those of all samples of a batch. */
enum pst_status source_check(const struct source *source, const struct pst_batch *batch,
                             struct pst_error *error);

/* A number of a row as a logit or log-probability; of 0 no logarithm can be taken, so the smallest normal f32
 * stands for it. */
double source_score(const struct source *source, float number);

/* Turns one sample into a prediction, which lives until the next. Probabilities are used as they are where
 * there is no bias. row: from source_row. */
struct pst_prediction source_predict(const struct source *source, const float *row);

/* ---- --fit-bias ---------------------------------------------------------------------------------------- */

/* A sample kept until all are there, since biases can be fitted only then. */
struct sample {
    const float *row, *other; /* of --of, and of --against or NULL; borrowed */
    int32_t label;            /* -1 for none */
};

/* Samples kept, one after another in arrays that grow together. {0} holds none. */
struct kept {
    float *rows, *others; /* [capacity, classes] */
    int32_t *labels;      /* [capacity] */
    size_t count, capacity, next;
    bool compared;
};

/* Keeps a copy of a sample. Returns PST_OK or PST_TRY_AGAIN. */
enum pst_status fit_keep(struct kept *kept, const struct sample *sample, size_t classes,
                         struct pst_error *error);

/*
 * Finds the biases of the classes marked from the samples kept, and puts them into of->bias.
 * against: the source of the others, for the mass of each class; without one the labels tell it.
 * Returns PST_OK; PST_BAD_DATA; PST_TRY_AGAIN.
 */
enum pst_status fit_biases(const struct kept *kept, struct source *of, const struct source *against,
                           const bool *free_classes, bool by_errors, struct pst_error *error);

/* The samples kept, one after another: false where there are no more. */
bool fit_next(struct kept *kept, struct sample *sample, size_t classes);
void fit_forget(struct kept *kept);

/* ---- the stage ----------------------------------------------------------------------------------------- */

enum { BY_MASS, BY_ERRORS }; /* --fit-by */

/* CLASS=NUMBER. */
struct class_bias {
    uint64_t class;
    double bias;
};

struct evaluator {
    const char *of_name, *against_name;
    bool as_json;
    int fit_by;
    struct class_bias *biases; /* --class-bias */
    size_t bias_count;
    uint64_t *fitted; /* --fit-bias */
    size_t fitted_count;
    /* What the stream holds, and what was found in it. */
    struct source of, against; /* index PST_NONE: there is none */
    size_t y_index;            /* or PST_NONE */
    bool *free_classes;        /* [classes], of --fit-bias */
    struct kept kept;
    struct pst_metrics metrics;
};

/* ---- the report ---------------------------------------------------------------------------------------- */

struct report {
    const struct pst_metrics *metrics;
    const struct source *of, *against; /* against: NULL for none */
    const bool *fitted;                /* [classes], whose biases were found; NULL for none */
};

/* Print it, as a table for people or as one JSON object. Return what pst_print does; PST_TRY_AGAIN. */
enum pst_status report_table(struct pst_run *run, const struct report *report, struct pst_error *error);
enum pst_status report_json(struct pst_run *run, const struct report *report, struct pst_error *error);

#endif
