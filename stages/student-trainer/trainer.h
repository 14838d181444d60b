/*
 * trainer.h: what the parts of student-trainer share: the options, the stream, and the state of training.
 */
#ifndef STUDENT_TRAINER_H
#define STUDENT_TRAINER_H

#include "pipestill.h"

enum targets { AUTO, HARD, SOFT, BOTH };
extern const char *const soft_losses[]; /* the words of --soft-loss, ended by NULL */
enum validate_by { BY_ERRORS, BY_LOSS };

/* The options. */
struct settings {
    const char *architecture, *hidden, *from_path, *activation, *output_path, *soft_name, *class_weights,
        *validate_endpoint, *checkpoint_path, *classes, *dustbin;
    int targets, soft_loss, optimiser, schedule, validate_by; /* places in the options' lists of words */
    double hard_weight, soft_weight;
    uint64_t seed;
    size_t patience, checkpoint_every, learn_last;
    bool resume, restart, keep_last, keep_oversampling, dustbin_unit;
};

/* The tensor that a term of a loss is computed from. */
struct target {
    size_t index;
    struct pst_tensor_spec spec;
    struct pst_buffer numbers; /* of a batch, f32, if they are numbers or bits */
};

/* The contents of the stream's header. */
struct stream {
    size_t id_index, labels_index, weight_index, dustbin_index; /* PST_NONE if there is no such tensor */
    struct pst_binding binding;                                 /* of x to the network; owned */
    struct pst_tensor_spec dustbin;
    struct target targets[PST_MAX_TERMS]; /* of the terms of the loss */
    double epochs, batches;               /* in the whole stream; 0: unknown */
    char *description, *lineage; /* as JSON: the stream, the same for every way that it comes, and its
                                    lineage; owned */
};

/* The state of training, which a checkpoint keeps beside the vectors. */
struct state {
    uint64_t next_seq; /* the next batch to learn from */
    uint64_t epoch;
    bool epoch_open; /* some of its batches were learned */
    struct pst_loss_sums sums;
    uint64_t samples; /* in the epoch */
    uint64_t best_epoch, epochs_since_best;
    double best_value;
    bool has_best, stopped;
    bool saved;        /* this run has written the checkpoint, or resumed from it */
    bool spoiled;      /* the run has diverged, or could not compute: a checkpoint must not keep its state */
    double first_loss; /* of the first batch with weight above 0 */
};

/* The samples of --validate, held in memory. */
struct validation {
    float *x; /* [n, inputs] */
    void *y;  /* targets of the loss: int32_t [n] or float [n, outputs] */
    size_t n, room;
    struct pst_loss loss; /* of one term */
};

/* The stage. */
struct trainer {
    struct settings settings;
    struct pst_training training;      /* has fields that are settings, too */
    char from_digest[PST_DIGEST_TEXT]; /* of the model of --from */
    char *class_map; /* with --classes: the map that labels must have gone through, as in a lineage; owned */
    struct stream stream;
    struct state state;
    bool shorthand;           /* the terms are not those of --loss, but of --targets and similar options */
    double *output_scale;     /* [2, outputs], scales, then offsets, by which numbers to predict are
                                 standardised; NULL: they are not standardised; owned */
    double *class_weight;     /* [outputs] with --class-weight, else NULL; owned */
    double *log_oversampling; /* [classes] if some come more often than in the data set, else NULL; owned */
    struct validation validation;
    float *best_parameters; /* [parameter_count] with --validate, else NULL; owned */
    uint64_t *made_up_ids;  /* [made_up_room], for a stream without ids; owned */
    size_t made_up_room;
};

/* Classes of the loss: the network's outputs, or some of them and the dustbin, whose logit is in the
 * stream. */
static inline size_t trainer_classes(const struct trainer *trainer)
{
    const struct pst_training *training = &trainer->training;
    return training->given_classes > 0 ? training->given_classes : pst_network_outputs(&training->network);
}

/* outset.c: chooses the outputs of the loss beside the dustbin, unless --classes has chosen them. */
PST_CHECKED enum pst_status settle_given(struct trainer *trainer, struct pst_error *error);

/* outset.c: reads the model of --from, and selects its outputs by --classes. */
PST_CHECKED enum pst_status read_start(struct pst_run *run, struct pst_error *error);

/* outset.c: decides which layers learn, by --learn-last. */
PST_CHECKED enum pst_status settle_learned(struct trainer *trainer, struct pst_error *error);

/* outset.c: checks that targets went through the map of --classes, if the lineage shows a map. */
PST_CHECKED enum pst_status check_class_map(const struct trainer *trainer, const struct pst_header *header,
                                            struct pst_error *error);

/* architecture.c: makes the network of a text, or of the file of "@FILE". option: its name, for messages. */
PST_CHECKED enum pst_status make_network(struct pst_run *run, const char *architecture, const char *option,
                                         struct pst_error *error);

/* stream.c: the architecture of --hidden with the inputs and outputs that a stream has; to be freed. */
PST_CHECKED enum pst_status name_network(const struct trainer *trainer, const struct pst_header *header,
                                         char **architecture, struct pst_error *error);

/* stream.c: finds in the header everything about inputs, targets and length. */
PST_CHECKED enum pst_status settle_stream(struct pst_run *run, const struct pst_header *header,
                                          struct pst_error *error);

/* stream.c: finds how a stream's x becomes the network's inputs. */
PST_CHECKED enum pst_status bind_network(const struct trainer *trainer, const struct pst_header *header,
                                         struct pst_binding *binding, struct pst_error *error);

/* lineage.c: checks that targets were computed from the stream's inputs, if origins show that. */
PST_CHECKED enum pst_status check_origins(const struct trainer *trainer, const struct pst_header *header,
                                          struct pst_error *error);

/* lineage.c: gives the network the lineage of the tensors that it will learn from. */
PST_CHECKED enum pst_status settle_lineage(struct trainer *trainer, const struct pst_header *header,
                                           struct pst_error *error);

/* terms.c: adds a term for --loss. */
enum pst_status take_loss(void *self, const char *value, struct pst_error *error);

/* terms.c: checks that the options that make terms go together. */
PST_CHECKED enum pst_status check_loss_options(const struct pst_run *run, struct pst_error *error);

/* terms.c: makes the terms of the shorthands, unless --loss has made some. */
PST_CHECKED enum pst_status make_terms(struct pst_run *run, const struct pst_header *header,
                                       struct pst_error *error);

/* targets.c: finds the tensor of each term, and those of labels and weights. */
PST_CHECKED enum pst_status settle_targets(struct pst_run *run, const struct pst_header *header,
                                           struct pst_error *error);

/* targets.c: checks that a term of this kind can be computed from a tensor. */
PST_CHECKED enum pst_status use_tensor(struct target *target, enum pst_loss_target kind,
                                       const struct pst_header *header, size_t index, size_t outputs,
                                       struct pst_error *error);

/* targets.c: checks the targets of n samples. data: receives them: int32_t [n], or float [n, outputs], of
 * hints [n, elements]. */
PST_CHECKED enum pst_status read_target(const struct trainer *trainer, struct target *target,
                                        enum pst_loss_target kind, const struct pst_tensor *tensor, size_t n,
                                        const void **data, struct pst_error *error);

/* targets.c: finds the tensor of --dustbin. */
PST_CHECKED enum pst_status settle_dustbin(struct trainer *trainer, const struct pst_header *header,
                                           struct pst_error *error);

/* targets.c: reads and checks all that the loss of a batch is computed from. */
PST_CHECKED enum pst_status read_targets(struct trainer *trainer, const struct pst_batch *batch,
                                         struct pst_loss_targets *targets, struct pst_error *error);

/* outputs.c: decides how numbers to predict are standardised, after the terms of the loss are known. Returns
 * PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status settle_outputs(struct trainer *trainer, struct pst_error *error);

/* outputs.c: standardises the targets of n samples, in place. numbers: [n, outputs]. */
void standardise_targets(const struct trainer *trainer, size_t n, float *numbers);

/* outputs.c: makes the network give numbers in their own unit, after training. Returns PST_OK;
 * PST_TRY_AGAIN. */
PST_CHECKED enum pst_status restore_outputs(struct trainer *trainer, struct pst_error *error);

/* weights.c: reads --class-weight, after the network was made. */
PST_CHECKED enum pst_status parse_class_weights(struct trainer *trainer, struct pst_error *error);

/* weights.c: computes --class-weight balanced, and finds the tensor of weights. */
PST_CHECKED enum pst_status settle_weights(struct trainer *trainer, const struct pst_header *header,
                                           struct pst_error *error);

/* oversampling.c: makes the loss on labels correct for classes that come more often than in the data set. */
PST_CHECKED enum pst_status settle_oversampling(struct pst_run *run, const struct pst_header *header,
                                                struct pst_error *error);

/* weights.c: checks the weights of a batch. */
PST_CHECKED enum pst_status check_sample_weights(const struct trainer *trainer,
                                                 const struct pst_loss_targets *targets, size_t n,
                                                 struct pst_error *error);

/* validation.c: reads the stream of --validate into memory and makes best_parameters. */
PST_CHECKED enum pst_status read_validation(struct pst_run *run, struct pst_error *error);

/* validation.c: whether there are validation samples. */
bool has_validation(const struct trainer *trainer);

/* validation.c: counts the errors (for numbers: the mean loss) and the mean loss of validation samples. */
PST_CHECKED enum pst_status validate(struct trainer *trainer, double *errors, double *loss,
                                     struct pst_error *error);
void free_validation(struct trainer *trainer);

/* checkpoint.c: refuses another file in the checkpoint's place, or a checkpoint without --resume. */
PST_CHECKED enum pst_status check_checkpoint(const struct settings *settings, struct pst_error *error);

/* checkpoint.c: removes the file in the checkpoint's place, if it is a checkpoint. */
void discard_checkpoint(const struct trainer *trainer);

/* checkpoint.c: writes all that a resumed run needs to end as this one would. */
PST_CHECKED enum pst_status save_checkpoint(struct pst_run *run, struct pst_error *error);

/* checkpoint.c: restores it; refuses a checkpoint of other options or another stream. */
PST_CHECKED enum pst_status load_checkpoint(struct pst_run *run, const struct pst_header *header,
                                            struct pst_error *error);

/* resumed.c: refuses a checkpoint of other options or another stream; the message says what differs. */
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
/* Reads a state from an object of texts, which must have all its numbers. path: of the checkpoint, for
 * messages. Returns PST_OK or PST_BAD_DATA. */
PST_CHECKED enum pst_status state_from_json(struct state *state, const struct json_t *object,
                                            const char *path, struct pst_error *error);

#endif
