/*
 * training.h: how a network learns: optimisers, rates, and steps of training with all that a step needs.
 */
#ifndef PIPESTILL_TRAINING_H
#define PIPESTILL_TRAINING_H

#include "pipestill/nn.h"

/* ---- optimisers and rates ---------------------------------------------------------------------------- */

enum pst_optimiser_kind {
    PST_SGD,      /* v ← μ v + g;  w ← w − η v (Polyak 1964) */
    PST_NESTEROV, /* v ← μ v + g;  w ← w − η (g + μ v) (Nesterov 1983, as in Sutskever et al. 2013) */
    PST_ADAM,     /* Kingma, Ba 2015, bias-corrected; weight decay decoupled (Loshchilov, Hutter 2019) */
};

struct pst_optimiser_settings {
    enum pst_optimiser_kind kind;
    double momentum;     /* μ of SGD and Nesterov at the start, [0, 1); each step is given its own */
    double beta1, beta2; /* of Adam, [0, 1) */
    double epsilon;      /* of Adam, > 0 */
    double weight_decay; /* λ ≥ 0, on weights of dense layers and convolutions: g + λ w for SGD, decoupled for
                            Adam */
    double max_norm;     /* largest L2 norm of the weights into a unit, hidden layers only; 0: no limit.
                            Longer ones are scaled down to it after each step (Srivastava et al. 2014). */
    size_t first;        /* place in the flat vector; all before it stays as it is, statistics too */
};

/* Settings with the usual values: SGD, momentum 0.9, beta 0.9 and 0.999, epsilon 1e-8, no decay, no limit. */
struct pst_optimiser_settings pst_optimiser_defaults(void);

/*
 * An optimiser with its state, flat vectors laid out as the network's parameters. {0} is empty. These
 * vectors, step, and the parameters are all that the next step depends on. Elements of the state smaller than
 * 2^-100 are kept as 0, because arithmetic on subnormal numbers is slow.
 */
struct pst_optimiser {
    struct pst_optimiser_settings settings;
    struct pst_network *network; /* borrowed */
    float *first;                /* velocity, or Adam's mean of gradients: [parameter_count]; owned */
    float *second;               /* Adam's mean of squared gradients; owned; NULL for the others */
    uint64_t step;               /* steps begun */
    double rate, momentum;       /* of the current step */
    struct pst_team *team;       /* whose threads update parameters; NULL: the caller's alone; borrowed */
};

/* Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_optimiser_new(struct pst_optimiser *optimiser, struct pst_network *network,
                                              const struct pst_optimiser_settings *settings,
                                              struct pst_error *error);
void pst_optimiser_free(struct pst_optimiser *optimiser);

/*
 * Begins a step; then hand pst_optimiser_take to pst_backward, or both takers to pst_backward_by_rows, with
 * the optimiser as context. learning_rate: 0 or more; momentum: of SGD and Nesterov, [0, 1); Adam does not
 * use it.
 */
void pst_optimiser_begin(struct pst_optimiser *optimiser, double learning_rate, double momentum);
pst_gradient_taker pst_optimiser_take;
extern const struct pst_rows_taker pst_optimiser_rows;

enum pst_schedule_kind {
    PST_CONSTANT,
    PST_STEP,   /* times gamma after every step_epochs */
    PST_LINEAR, /* to final_rate at the end */
    PST_COSINE, /* to final_rate at the end, along half a cosine (Loshchilov, Hutter 2017) */
};

struct pst_schedule {
    enum pst_schedule_kind kind;
    double rate;            /* > 0 */
    double final_rate;      /* ≥ 0 */
    double warm_up;         /* epochs during which the rate rises linearly from 0 */
    double step_epochs;     /* > 0 for PST_STEP */
    double gamma;           /* > 0 for PST_STEP */
    double epochs;          /* of the whole run; > 0 for linear and cosine */
    double final_momentum;  /* [0, 1) */
    double momentum_epochs; /* epochs during which the momentum changes to the final one; 0: it stays */
    bool by_momentum;       /* a step's rate is multiplied by 1 less its momentum */
};

/*
 * The learning rate at a time: the kind's rate times min(1, epoch / warm_up). Steps are counted from the
 * start of the run; linear and cosine go from rate at the end of the warm-up to final_rate at `epochs` and
 * stay there. epoch: fractional, from 0: samples passed / samples in an epoch.
 */
double pst_schedule_rate(const struct pst_schedule *schedule, double epoch);

/*
 * The momentum at a time: from the optimiser's in a straight line to final_momentum at momentum_epochs, where
 * it stays (Hinton, Srivastava, Krizhevsky, Sutskever, Salakhutdinov 2012, appendix A.1, which also
 * multiplies the rate by 1 less the momentum). momentum: the optimiser's, [0, 1); epoch: as above.
 */
double pst_schedule_momentum(const struct pst_schedule *schedule, double momentum, double epoch);

/* ---- training ---------------------------------------------------------------------------------------- */

/* A term of the loss that compares a layer of the network with a hint. */
struct pst_match {
    size_t term; /* of the loss */
    const struct pst_layer *layer;
    size_t hint;                     /* elements of a sample's hint */
    struct pst_network projection;   /* of the layer's outputs; {0} if the type of loss has none; owned */
    struct pst_optimiser optimiser;  /* of the projection; owned */
    struct pst_workspace *workspace; /* of the projection; owned */
    float *memory; /* of the layer's outputs, if nothing projects them, and of their gradient; owned */
    float *kept;   /* gradients of the projection, if they are clipped; owned */
};

/* A network that learns, with all that a step needs. Fill in settings and network, then pst_training_begin.
 */
struct pst_training {
    struct pst_network network; /* owned */
    struct pst_optimiser_settings optimiser_settings;
    struct pst_arithmetic arithmetic;
    struct pst_loss loss;
    struct pst_dropout dropout;
    struct pst_schedule schedule;
    double clip;     /* largest L2 norm of all gradients together; longer ones are scaled down to
                        it before a step (Pascanu et al. 2013); 0: no limit */
    float *gradient; /* all of them, [parameter_count], if they are clipped; owned */
    double ema;      /* decay of an exponential moving average of the parameters, [0, 1); 0: there is none */
    float *average;  /* that average, [parameter_count], if there is one; owned */
    struct pst_optimiser optimiser;  /* owned */
    struct pst_workspace *workspace; /* owned */
    size_t room;                     /* samples that the workspace holds */
    struct pst_match *matches;       /* [match_count]; owned */
    size_t match_count;
    struct pst_tap taps[PST_MAX_TERMS]; /* of the matches */
    /* If the targets have the logit of a class that the network has no output for: the classes of the loss,
     * with that class as the last; 0: the classes of the loss are the outputs. */
    size_t given_classes;
    uint32_t *given_outputs; /* the outputs of the other classes, [given_classes - 1]; owned */
    float *given;            /* their logits, and the gradient: [2, room, given_classes]; owned */
    double *scratch;         /* of the loss, for all threads; NULL if no term needs any; owned */
};

/* Bytes that a training with batches of n samples takes in all: workspace, parameters, and the optimiser's
 * state; SIZE_MAX if a size_t cannot hold their number. */
size_t pst_training_memory(const struct pst_training *training, size_t n);

/* Makes the optimiser for the network, and the memory of gradients to clip and of the average. Returns PST_OK
 * or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_training_begin(struct pst_training *training, struct pst_error *error);

/*
 * Makes a term of the loss compare its layer with a hint; to be called after pst_training_begin and before
 * the first step. A projection, if the term's type has one, begins with random numbers and learns as the
 * network does; it is a part of checkpoints, and not of models. k: the term, whose layer and tensor are set.
 * hint: the shape of a sample's hint. Returns PST_OK; PST_USAGE if there is no such layer, or neither it nor
 * a layer before it learns; PST_BAD_DATA if its shape and the hint's do not fit; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_training_match(struct pst_training *training, size_t k,
                                               const struct pst_shape *hint, uint64_t seed,
                                               struct pst_error *error);

/* Makes room for n samples and returns where their inputs go, [n, inputs]; NULL if memory is short. */
PST_CHECKED float *pst_training_input(struct pst_training *training, size_t n, struct pst_error *error);

/*
 * One step on the n samples whose inputs are in place: forward, loss, backward, update.
 * targets: of the n samples. ids: [n].
 * epoch: for dropout; position: for the learning rate, epochs passed with their fraction.
 * If the loss is not finite, no update is made.
 */
void pst_training_step(struct pst_training *training, size_t n, const struct pst_loss_targets *targets,
                       const uint64_t *ids, uint64_t epoch, double position, struct pst_loss_sums *sums);

/*
 * The parameters that are the result of training, [parameter_count]: the network's own, or their average, in
 * which those after step i of k count (1 - ema) · ema^(k - i) / (1 - ema^k), statistics of batches as well.
 */
const float *pst_training_result(const struct pst_training *training);

/* Checks if all products of the steps so far were computed, as pst_workspace_check. */
PST_CHECKED enum pst_status pst_training_check(const struct pst_training *training, struct pst_error *error);

/* Frees all that a training owns. */
void pst_training_free(struct pst_training *training);

/*
 * Writes a checkpoint: parameters and their average, the optimiser's vectors and step, those of projections,
 * and the caller's state. It appears under its name only when whole. best: [parameter_count] or NULL. state:
 * object of strings; borrowed.
 */
PST_CHECKED enum pst_status pst_checkpoint_write(const char *path, const struct pst_training *training,
                                                 const float *best, const struct json_t *state,
                                                 struct pst_error *error);

/* What exists under the name of a checkpoint. */
enum pst_checkpoint_place {
    PST_CHECKPOINT_NONE, /* nothing, so one can be written */
    PST_CHECKPOINT_THERE,
    PST_CHECKPOINT_OTHER /* what must not be replaced or removed, or cannot be read */
};

/* Reads as much of a file as is needed to tell a checkpoint from other files. */
PST_CHECKED enum pst_checkpoint_place pst_checkpoint_look(const char *path);

/*
 * Reads a checkpoint into a training that has begun with the same architecture and optimiser.
 * best: receives [parameter_count] if the checkpoint has one; may be NULL.
 * state: receives an object of strings, owned by the caller; also that of another network or optimiser, so
 * that the caller can report what differs; NULL if the file is not a checkpoint.
 * Returns PST_OK; PST_NO_INPUT; PST_BAD_DATA if it is damaged or of another network or optimiser.
 */
PST_CHECKED enum pst_status pst_checkpoint_read(const char *path, struct pst_training *training, float *best,
                                                struct json_t **state, struct pst_error *error);

#endif
