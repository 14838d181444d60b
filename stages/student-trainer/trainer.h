/*
 * trainer.h: what the parts of student-trainer share: what was asked for, what the stream is, how far
 * training has come.
 */
#ifndef STUDENT_TRAINER_H
#define STUDENT_TRAINER_H

#include "pipestill.h"

enum targets { AUTO, HARD, SOFT, BOTH };
enum validate_by { BY_ERRORS, BY_LOSS };

/* What the user asked for. */
struct settings {
    const char *architecture, *from_path, *output_path, *soft_name, *validate_endpoint, *checkpoint_path;
    int targets, soft_loss, optimiser, schedule, validate_by; /* places in the options' lists of words */
    double hard_weight, soft_weight;
    uint64_t seed;
    size_t patience, checkpoint_every;
    bool resume, keep_last;
};

/* What the stream's header said. */
struct stream {
    size_t x_index, y_index, soft_index, id_index; /* PST_NONE where there is no such tensor */
    struct pst_tensor_spec x_spec;
    double epochs, batches;       /* in the whole; 0 where unknown */
    char digest[PST_DIGEST_TEXT]; /* of what the stream is, whichever way and however often it comes */
};

/* How far training has come: what a checkpoint keeps beside the vectors. */
struct state {
    uint64_t next_seq; /* the next batch to learn from */
    uint64_t epoch;
    bool epoch_open; /* some of its batches are done */
    struct pst_loss_sums sums;
    uint64_t samples; /* in the epoch */
    uint64_t best_epoch, epochs_since_best;
    double best_value;
    bool has_best, stopped;
    bool spoiled;      /* the run has diverged: there is nothing in it that a checkpoint should keep */
    double first_loss; /* of the first batch: nothing is learned while it does not fall */
};

/* The samples of --validate, held in memory. */
struct validation {
    float *x; /* [n, inputs] */
    int32_t *y;
    size_t n, room;
};

/* The stage. */
struct trainer {
    struct settings settings;
    struct pst_training training; /* has fields that are settings, too */
    struct stream stream;
    struct state state;
    struct validation validation;
    float *best_parameters; /* [parameter_count] with --validate, else NULL; owned */
    uint64_t *made_up_ids;  /* [made_up_room], for a stream without ids; owned */
    size_t made_up_room;
};

/* targets.c: settles from the header what is learned from what. */
PST_CHECKED enum pst_status settle_stream(struct trainer *trainer, const struct pst_header *header,
                                          struct pst_error *error);

/* history.c: whether the header's history contradicts its targets or itself; after the targets are settled.
 */
PST_CHECKED enum pst_status check_history(const struct trainer *trainer, const struct pst_header *header,
                                          struct pst_error *error);

/* targets.c: whether all n labels are classes of the network; the message names the sample. */
PST_CHECKED enum pst_status check_labels(const struct trainer *trainer, const int32_t *labels, size_t n,
                                         struct pst_error *error);

/* targets.c: whether n rows of soft targets are distributions (or finite, if they are logits). */
PST_CHECKED enum pst_status check_soft(const struct trainer *trainer, const float *rows, size_t n,
                                       size_t classes, struct pst_error *error);

/* validation.c: reads the stream of --validate into memory and makes best_parameters. */
PST_CHECKED enum pst_status read_validation(struct pst_run *run, struct pst_error *error);

/* validation.c: whether there are validation samples. */
bool has_validation(const struct trainer *trainer);

/* validation.c: counts errors on the validation samples and computes their mean loss. */
PST_CHECKED enum pst_status validate(struct trainer *trainer, double *errors, double *loss,
                                     struct pst_error *error);
void free_validation(struct trainer *trainer);

/* checkpoint.c: writes all that a resumed run needs to end as this one would. */
PST_CHECKED enum pst_status save_checkpoint(struct pst_run *run, struct pst_error *error);

/* checkpoint.c: takes it up again; refuses a checkpoint of other options or another stream. */
PST_CHECKED enum pst_status load_checkpoint(struct pst_run *run, const struct pst_header *header,
                                            struct pst_error *error);

/* learning.c: learns from a batch; PST_END if training is to stop. */
enum pst_status take_batch(struct pst_run *run, const struct pst_batch *batch, struct pst_batch *out,
                           struct pst_error *error);

/* learning.c: ends an epoch: figures, validation, checkpoint. PST_END if training is to stop. */
PST_CHECKED enum pst_status end_epoch(struct pst_run *run, struct pst_error *error);

/* learning.c: whether every weight and bias is a finite number. */
bool parameters_are_finite(const struct trainer *trainer);

/* learning.c: the message of a run that has diverged. */
enum pst_status diverged(struct trainer *trainer, struct pst_error *error);

#endif
