/*
 * trainer.h: what the parts of student-trainer share: what was asked for, what the stream is, how far
 * training has come.
 */
#ifndef STUDENT_TRAINER_H
#define STUDENT_TRAINER_H

#include "pipestill.h"

enum targets { AUTO, HARD, SOFT, BOTH };
extern const char *const soft_losses[]; /* the words of --soft-loss, ended by NULL */
enum validate_by { BY_ERRORS, BY_LOSS };

/* What the user asked for. */
struct settings {
    const char *architecture, *hidden, *from_path, *activation, *output_path, *soft_name, *class_weights,
        *validate_endpoint, *checkpoint_path;
    int targets, soft_loss, optimiser, schedule, validate_by; /* places in the options' lists of words */
    double hard_weight, soft_weight;
    uint64_t seed;
    size_t patience, checkpoint_every;
    bool resume, restart, keep_last;
};

/* The tensor that a term of a loss is computed from. */
struct target {
    size_t index;
    struct pst_tensor_spec spec;
    struct pst_buffer numbers; /* of a batch, f32, if they are numbers or bits */
};

/* What the stream's header said. */
struct stream {
    size_t id_index, labels_index, weight_index; /* PST_NONE if there is no such tensor */
    struct pst_binding binding;                  /* of x to the network; owned */
    struct target targets[PST_MAX_TERMS];        /* of the terms of the loss */
    double epochs, batches;                      /* in the whole; 0: unknown */
    char *description, *lineage; /* as JSON: what the stream is, whichever way and however often it comes, and
                                    what that was made from; owned */
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
    bool saved;        /* the checkpoint is one that this run has written or taken up */
    bool spoiled;      /* the run has diverged: there is nothing in it that a checkpoint should keep */
    double first_loss; /* of the first batch that counts: nothing is learned while it does not fall */
};

/* The samples of --validate, held in memory. */
struct validation {
    float *x; /* [n, inputs] */
    void *y;  /* what the loss is computed from: int32_t [n] or float [n, outputs] */
    size_t n, room;
    struct pst_loss loss; /* of one term */
};

/* The stage. */
struct trainer {
    struct settings settings;
    struct pst_training training;      /* has fields that are settings, too */
    char from_digest[PST_DIGEST_TEXT]; /* of the model of --from */
    struct stream stream;
    struct state state;
    bool shorthand;       /* the terms are those of --targets and its kin, not of --loss */
    double *output_scale; /* [2, outputs], scales, then offsets, by which numbers to predict are standardised;
                             NULL: they are learned as they are; owned */
    double *class_weight; /* [outputs] with --class-weight, else NULL; owned */
    struct validation validation;
    float *best_parameters; /* [parameter_count] with --validate, else NULL; owned */
    uint64_t *made_up_ids;  /* [made_up_room], for a stream without ids; owned */
    size_t made_up_room;
};

/* architecture.c: makes the network of a text, or of the file of "@FILE". option: what messages name. */
PST_CHECKED enum pst_status make_network(struct pst_run *run, const char *architecture, const char *option,
                                         struct pst_error *error);

/* stream.c: the architecture of --hidden with the inputs and outputs that a stream has; to be freed. */
PST_CHECKED enum pst_status name_network(const struct trainer *trainer, const struct pst_header *header,
                                         char **architecture, struct pst_error *error);

/* stream.c: settles from the header what is learned from what. */
PST_CHECKED enum pst_status settle_stream(struct pst_run *run, const struct pst_header *header,
                                          struct pst_error *error);

/* stream.c: settles how a stream's x becomes the network's inputs. */
PST_CHECKED enum pst_status bind_network(const struct trainer *trainer, const struct pst_header *header,
                                         struct pst_binding *binding, struct pst_error *error);

/* lineage.c: whether targets were computed from the inputs that stand beside them, as far as origins tell. */
PST_CHECKED enum pst_status check_origins(const struct trainer *trainer, const struct pst_header *header,
                                          struct pst_error *error);

/* lineage.c: gives the network the lineage of what it is about to learn from. */
PST_CHECKED enum pst_status settle_lineage(struct trainer *trainer, const struct pst_header *header,
                                           struct pst_error *error);

/* terms.c: adds a term for --loss. */
enum pst_status take_loss(void *self, const char *value, struct pst_error *error);

/* terms.c: whether the options that make terms go together. */
PST_CHECKED enum pst_status check_loss_options(const struct pst_run *run, struct pst_error *error);

/* terms.c: makes the terms of the shorthands, unless --loss has made some. */
PST_CHECKED enum pst_status make_terms(struct pst_run *run, const struct pst_header *header,
                                       struct pst_error *error);

/* targets.c: finds the tensor of each term, and those of labels and weights. */
PST_CHECKED enum pst_status settle_targets(struct pst_run *run, const struct pst_header *header,
                                           struct pst_error *error);

/* targets.c: checks that a tensor is what a term of this kind can be computed from. */
PST_CHECKED enum pst_status use_tensor(struct target *target, enum pst_loss_target kind,
                                       const struct pst_header *header, size_t index, size_t outputs,
                                       struct pst_error *error);

/* targets.c: checks the targets of n samples. data: receives them: int32_t [n] or float [n, outputs]. */
PST_CHECKED enum pst_status read_target(const struct trainer *trainer, struct target *target,
                                        enum pst_loss_target kind, const struct pst_tensor *tensor, size_t n,
                                        const void **data, struct pst_error *error);

/* targets.c: all that the loss of a batch is computed from, checked. */
PST_CHECKED enum pst_status read_targets(struct trainer *trainer, const struct pst_batch *batch,
                                         struct pst_loss_targets *targets, struct pst_error *error);

/* outputs.c: settles how numbers to predict are standardised, when the terms of the loss are known. Returns
 * PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status settle_outputs(struct trainer *trainer, struct pst_error *error);

/* outputs.c: standardises the targets of n samples, in place. numbers: [n, outputs]. */
void standardise_targets(const struct trainer *trainer, size_t n, float *numbers);

/* outputs.c: makes the network give numbers as they are; when training is done. Returns PST_OK;
 * PST_TRY_AGAIN. */
PST_CHECKED enum pst_status restore_outputs(struct trainer *trainer, struct pst_error *error);

/* weights.c: reads --class-weight; after the network is there. */
PST_CHECKED enum pst_status parse_class_weights(struct trainer *trainer, struct pst_error *error);

/* weights.c: settles --class-weight balanced, and looks for the tensor of weights. */
PST_CHECKED enum pst_status settle_weights(struct trainer *trainer, const struct pst_header *header,
                                           struct pst_error *error);

/* weights.c: whether all weights of a batch are such. */
PST_CHECKED enum pst_status check_sample_weights(const struct trainer *trainer,
                                                 const struct pst_loss_targets *targets, size_t n,
                                                 struct pst_error *error);

/* validation.c: reads the stream of --validate into memory and makes best_parameters. */
PST_CHECKED enum pst_status read_validation(struct pst_run *run, struct pst_error *error);

/* validation.c: whether there are validation samples. */
bool has_validation(const struct trainer *trainer);

/* validation.c: counts errors on the validation samples (of numbers: their mean loss once more) and computes
 * their mean loss. */
PST_CHECKED enum pst_status validate(struct trainer *trainer, double *errors, double *loss,
                                     struct pst_error *error);
void free_validation(struct trainer *trainer);

/* checkpoint.c: refuses a file in the way of the checkpoint: another file, or a checkpoint without --resume.
 */
PST_CHECKED enum pst_status check_checkpoint(const struct settings *settings, struct pst_error *error);

/* checkpoint.c: removes the checkpoint, if it is one. */
void discard_checkpoint(const struct trainer *trainer);

/* checkpoint.c: writes all that a resumed run needs to end as this one would. */
PST_CHECKED enum pst_status save_checkpoint(struct pst_run *run, struct pst_error *error);

/* checkpoint.c: takes it up again; refuses a checkpoint of other options or another stream. */
PST_CHECKED enum pst_status load_checkpoint(struct pst_run *run, const struct pst_header *header,
                                            struct pst_error *error);

/* resumed.c: refuses the state of a checkpoint of other options or another stream, and says what differs. */
PST_CHECKED enum pst_status check_resumed(const struct pst_run *run, const struct json_t *state,
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

/* ---- state.c ---- */

/* Adds a state to an object, as texts. Returns false if memory is short. */
PST_CHECKED bool state_to_json(const struct state *state, struct json_t *object);
/* Takes a state from an object of texts; each of its numbers must be there. path: of the checkpoint, for
 * messages. Returns PST_OK or PST_BAD_DATA. */
PST_CHECKED enum pst_status state_from_json(struct state *state, const struct json_t *object,
                                            const char *path, struct pst_error *error);

#endif
