/*
 * nn.h: networks and how they learn: passes, optimisers, rates, model files. What a network is made of is in
 * layers.h, what it minimises in losses.h. Knows nothing of streams. docs/training.md writes out every
 * formula with its gradient.
 */
#ifndef PIPESTILL_NN_H
#define PIPESTILL_NN_H

#include "pipestill/base.h"
#include "pipestill/layers.h"
#include "pipestill/losses.h"

struct json_t; /* jansson's value */

/*
 * Names the kernels that multiply matrices in this process, such as "Haswell".
 * unused: receives the instructions of this processor that would multiply much faster and that these kernels
 * leave unused, "AVX-512" or "AVX2"; NULL: none are known.
 * Returns the name, which stays; NULL if the library of matrix products does not tell.
 */
const char *pst_blas_kernel(const char **unused);

/* ---- networks ---------------------------------------------------------------------------------------- */

/* A chain of layers and what it has learned. {0} is empty. */
struct pst_network {
    struct pst_chain chain;
    char *architecture;             /* as text, in the one way that pst_network_new would write it; owned */
    float *parameters;              /* all that is learned, [parameter_count], aligned; owned */
    size_t parameter_count;         /* including padding between parameters, which stays 0 */
    struct pst_parameter **tensors; /* every parameter, [tensor_count], in the order of the vector; owned */
    size_t tensor_count;
    /* How inputs were made from what the data held: scale · x + offset. 0 channels: not known; 1: the same
     * for all; otherwise a pair for each channel, as many as divide the inputs. */
    size_t input_channels;
    double *input_scale;  /* [2, input_channels]: scales, then offsets; owned */
    struct json_t *about; /* what inputs and outputs stand for, as in stream.h; {} if nothing is said; owned;
                             NULL: the model is not of this project, and does not know */
    struct json_t *lineage; /* what it learned from, as its file says: "from", origins, and "entries"; owned;
                               NULL: not known */
};

/*
 * Makes a network with all parameters 0.
 * architecture: the shape of an input and the words of its layers (layers.h), with "-" between:
 * "784-800-800-10".
 * Returns PST_OK; PST_USAGE if the text is not that (the message names the word); PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_network_new(struct pst_network *network, const char *architecture,
                                            struct pst_error *error);

/*
 * The same, and tells where in the text the fault is, which the message then does not quote.
 * place: receives that of the word at fault; of length 0 if there is no such word.
 */
PST_CHECKED enum pst_status pst_network_parse(struct pst_network *network, const char *architecture,
                                              struct pst_place *place, struct pst_error *error);

/* An architecture that was written in a file. {0} is empty. */
struct pst_architecture_file {
    char *text;    /* in one line, as pst_network_parse takes it; owned */
    size_t *lines; /* of each byte of the text, its end included, the line in the file, from 1; owned */
};

/*
 * Reads an architecture from a file. There "#" begins a comment, up to the end of its line, and white space
 * separates words as "-" does; beside "-", "(", ")", "|", "*", "," and ":" it means nothing.
 * Returns PST_OK; PST_NO_INPUT, PST_BAD_DATA (not a text, or above a megabyte); PST_IO_ERROR; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_architecture_read(const char *path, struct pst_architecture_file *file,
                                                  struct pst_error *error);
void pst_architecture_file_free(struct pst_architecture_file *file);

#define PST_EXCERPT 96 /* bytes of a line below */

/* Makes two lines that show a place of an architecture: an excerpt of the text, and carets below the place.
 */
void pst_architecture_mark(const char *architecture, struct pst_place place, char excerpt[PST_EXCERPT],
                           char mark[PST_EXCERPT]);

/*
 * Makes a network, as pst_network_parse does, of an architecture or of the file whose name is behind "@".
 * option: what the message names if the text is no file's. excerpt, mark: receive the lines of
 * pst_architecture_mark for the fault; empty if there is none, or no text.
 * Returns PST_OK; PST_USAGE, or of a file PST_BAD_DATA, if the text is not that of layers; what
 * pst_architecture_read and pst_network_parse return.
 */
PST_CHECKED enum pst_status pst_network_written(struct pst_network *network, const char *architecture,
                                                const char *option, char excerpt[PST_EXCERPT],
                                                char mark[PST_EXCERPT], struct pst_error *error);

/*
 * Initial weights: normal with variance 2 / inputs before ReLU (He et al. 2015), 1 / inputs in the last
 * layer; the table of activations has the others; biases 0. The weights into unit u of the l-th layer with
 * weights, from 0, are the sequence (seed, PST_RANDOM_INITIAL, epoch l, id u), so a layer of the same shape
 * starts alike in every network.
 */
void pst_network_initialise(struct pst_network *network, uint64_t seed);

/* Elements of one sample's inputs and outputs. */
size_t pst_network_inputs(const struct pst_network *network);
size_t pst_network_outputs(const struct pst_network *network);

/* What layers take. multiply_adds: of a sample in a forward pass. */
struct pst_layer_counts {
    size_t parameters; /* numbers that are learned */
    size_t statistics; /* and that follow the training */
    double multiply_adds;
};

/* Adds the parameters and statistics of a layer and of what it holds. */
void pst_layer_count(const struct pst_layer *layer, struct pst_layer_counts *counts);

/* Counts those of a whole network. */
void pst_network_count(const struct pst_network *network, struct pst_layer_counts *counts);

/* Bytes that a workspace for `most` samples takes; SIZE_MAX if they are more than can be counted. */
size_t pst_network_memory(const struct pst_network *network, size_t most, bool training);

/*
 * Records how inputs were made. channels: 1, or as many as divide the inputs. scale: [2, channels]: scales,
 * then offsets; copied. Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_network_set_scale(struct pst_network *network, size_t channels,
                                                  const double *scale, struct pst_error *error);

/*
 * Makes each output z into scale · z + offset, by the weights and biases of the last layer.
 * scale, offset: [outputs]; a scale of NULL changes nothing. Returns false, and changes nothing, if that
 * layer has an activation or no biases.
 */
PST_CHECKED bool pst_network_scale_outputs(struct pst_network *network, const double *scale,
                                           const double *offset);

/* Frees what a network holds and makes it {0}. */
void pst_network_free(struct pst_network *network);

/* ---- forward and backward ---------------------------------------------------------------------------- */

/* Memory of forward and backward passes for up to `most` samples at once. */
struct pst_workspace;

/*
 * Makes a workspace for networks of one shape.
 * network: gives the shape; not kept. most: samples in the largest batch, ≥ 1. training: also room for a
 * backward pass.
 * Returns PST_OK; PST_TRY_AGAIN where memory is short, or most is more than BLAS can count.
 */
PST_CHECKED enum pst_status pst_workspace_new(struct pst_workspace **workspace,
                                              const struct pst_network *network, size_t most, bool training,
                                              struct pst_error *error);
void pst_workspace_free(struct pst_workspace *workspace);

/* Where to write a batch's inputs before a pass: [most, inputs]. A training pass with input dropout changes
 * them. */
float *pst_workspace_input(struct pst_workspace *workspace);

/* Logits of the last pass: [n, outputs]. */
const float *pst_workspace_logits(const struct pst_workspace *workspace);

/* Where to write the loss's gradient with respect to the logits before a backward pass: [most, outputs]. */
float *pst_workspace_logits_gradient(struct pst_workspace *workspace);

/* A forward pass as in use: fills the workspace's logits for n samples, 1 to most. Allocates nothing, as all
 * passes; the same inputs give the same bits, whatever the workspace was used for before. */
void pst_forward(const struct pst_network *network, struct pst_workspace *workspace, size_t n);

/* A forward pass as in training. ids: [n] sample ids, for dropout; may be NULL if nothing drops. dropout:
 * what is dropped beside the architecture's own dropout layers, which have its seed. If nothing is dropped
 * the logits are those of pst_forward, bit for bit. */
void pst_forward_training(const struct pst_network *network, struct pst_workspace *workspace, size_t n,
                          const struct pst_dropout *dropout, uint64_t epoch, const uint64_t *ids);

/*
 * A backward pass after pst_forward_training of the same n samples, from the workspace's logits gradient.
 * ReLU passes a gradient on if its output is above 0. The gradient of the network's own input is not
 * computed. workspace: made for training. take: called once for each parameter.
 */
void pst_backward(struct pst_network *network, struct pst_workspace *workspace, size_t n,
                  pst_gradient_taker *take, void *context);

/* ---- softmax ----------------------------------------------------------------------------------------- */

/*
 * The highest temperature of targets to learn from. Rounding a probability to f32 moves T times its logarithm
 * by up to T · 2^-24: at 10^6 that is 0.06 of a logit, and above, what tells the classes apart is lost.
 */
#define PST_MOST_TEMPERATURE 1e6

/*
 * softmax(logits / T), computed stably (Hinton et al. 2015, eq. 1). Rows of `classes` numbers. Does not need
 * BLAS. probabilities: [n, classes]; may be the same memory as logits.
 */
void pst_softmax(const float *logits, float *probabilities, size_t n, size_t classes, double temperature);

/* log softmax(logits / T) of one row, in double. */
void pst_log_softmax(const float *logits, double *log_probabilities, size_t classes, double temperature);

/* ---- biases of classes ---------------------------------------------------------------------------------
 *
 * A student whose transfer set lacked classes, or held too much of some, has wrong biases for these (Hinton
 * et al. 2015, section 3). Both functions find better ones from its predictions and leave the network alone.
 */

/* Predictions of which some classes' biases are to be found. */
struct pst_class_bias_problem {
    const float *scores; /* [samples, classes], logits or log-probabilities, finite; borrowed */
    size_t samples;      /* 1 or more */
    size_t classes;      /* 2 or more */
    const bool *free;    /* [classes], which biases may change; at least one; borrowed */
};

/*
 * Finds the one number that, added to the scores of all free classes, makes errors fewest: exactly, and the
 * middle of the widest such interval that is bounded; where the best is unbounded, one unit beyond its end.
 * labels: [samples], each 0 … classes - 1. shift: receives the number.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_class_bias_fewest_errors(const struct pst_class_bias_problem *problem,
                                                         const int32_t *labels, double *shift,
                                                         struct pst_error *error);

/*
 * Finds the biases that give each free class the share `mass` of the probability, on average over the
 * samples: no label is needed, only how much there is of each class. It is a convex problem, solved by
 * generalised iterative scaling (Darroch, Ratcliff 1972); biases that are not free stay 0. mass: [classes];
 * of free classes above 0, together at most 1, and below 1 unless all classes are free. bias: receives
 * [classes]. Returns PST_OK; PST_BAD_DATA where mass is not so; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_class_bias_match_mass(const struct pst_class_bias_problem *problem,
                                                      const double *mass, double *bias,
                                                      struct pst_error *error);

/* ---- optimisers and rates ---------------------------------------------------------------------------- */

enum pst_optimiser_kind {
    PST_SGD,      /* v ← μ v + g;  w ← w − η v (Polyak 1964) */
    PST_NESTEROV, /* v ← μ v + g;  w ← w − η (g + μ v) (Nesterov 1983, as in Sutskever et al. 2013) */
    PST_ADAM,     /* Kingma, Ba 2015, bias-corrected; weight decay decoupled (Loshchilov, Hutter 2019) */
};

struct pst_optimiser_settings {
    enum pst_optimiser_kind kind;
    double momentum;     /* μ of SGD and Nesterov, [0, 1) */
    double beta1, beta2; /* of Adam, [0, 1) */
    double epsilon;      /* of Adam, > 0 */
    double weight_decay; /* λ ≥ 0, on weights of dense layers and convolutions: g + λ w for SGD, decoupled for
                            Adam */
    double max_norm;     /* largest L2 norm of the weights into a unit, hidden layers only; 0: no limit.
                            Longer ones are scaled down to it after each step (Srivastava et al. 2014). */
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
    double rate;                 /* of the step under way */
};

/* Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_optimiser_new(struct pst_optimiser *optimiser, struct pst_network *network,
                                              const struct pst_optimiser_settings *settings,
                                              struct pst_error *error);
void pst_optimiser_free(struct pst_optimiser *optimiser);

/* Begins a step with a learning rate; then hand pst_optimiser_take to pst_backward with the optimiser as
 * context. */
void pst_optimiser_begin(struct pst_optimiser *optimiser, double learning_rate);
pst_gradient_taker pst_optimiser_take;

enum pst_schedule_kind {
    PST_CONSTANT,
    PST_STEP,   /* times gamma after every step_epochs */
    PST_LINEAR, /* to final_rate at the end */
    PST_COSINE, /* to final_rate at the end, along half a cosine (Loshchilov, Hutter 2017) */
};

struct pst_schedule {
    enum pst_schedule_kind kind;
    double rate;        /* > 0 */
    double final_rate;  /* ≥ 0 */
    double warm_up;     /* epochs during which the rate rises linearly from 0 */
    double step_epochs; /* > 0 for PST_STEP */
    double gamma;       /* > 0 for PST_STEP */
    double epochs;      /* of the whole run; > 0 for linear and cosine */
};

/*
 * The learning rate at a time: the kind's rate times min(1, epoch / warm_up). Steps are counted from the
 * start of the run; linear and cosine go from rate at the end of the warm-up to final_rate at `epochs` and
 * stay there. epoch: fractional, from 0: samples passed / samples in an epoch.
 */
double pst_schedule_rate(const struct pst_schedule *schedule, double epoch);

/* ---- model files: safetensors ------------------------------------------------------------------------ */

/* A tensor to write to or read from a safetensors file. */
struct pst_named_tensor {
    char name[128];
    const char *dtype; /* "F32" */
    size_t rank;
    size_t shape[8];
    const void *data; /* borrowed; in files made elsewhere not always aligned to its elements */
    size_t bytes;
};

/* A safetensors file, read whole. */
struct pst_safetensors {
    struct json_t *metadata;          /* object of strings; owned; never NULL after a read */
    struct pst_named_tensor *tensors; /* sorted by offset; data leads into bytes; owned */
    size_t count;
    void *bytes;                  /* the file, placed so that its data section is aligned; owned */
    char digest[PST_DIGEST_TEXT]; /* SHA-256 of the file */
};

/*
 * Writes a safetensors file that appears under its name only when whole. The same content gives the same
 * bytes. metadata: object of strings; borrowed; NULL is allowed. tensors: no two of the same name; stored in
 * this order. Returns PST_OK; PST_IO_ERROR; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_safetensors_write(const char *path, const struct json_t *metadata,
                                                  const struct pst_named_tensor *tensors, size_t count,
                                                  struct pst_error *error);

/*
 * Reads a safetensors file and trusts nothing in it: the size of the header, overlaps, holes, shapes and
 * types. Returns PST_OK; PST_NO_INPUT; PST_BAD_DATA (the message names the tensor); PST_IO_ERROR;
 * PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_safetensors_read(const char *path, struct pst_safetensors *file,
                                                 struct pst_error *error);
void pst_safetensors_free(struct pst_safetensors *file);

/*
 * Writes a network as a model: "layers.0.weight", "layers.0.bias", … and metadata format, architecture,
 * activation, input_scale, input_offset and lineage if they are known, and what extra holds. extra: object of
 * strings; borrowed; may be NULL.
 */
PST_CHECKED enum pst_status pst_model_write(const char *path, const struct pst_network *network,
                                            const struct json_t *extra, struct pst_error *error);

/*
 * What a model of this project says of its inputs and outputs, as struct pst_network has it; needs no BLAS.
 * about: receives a new object, also on failure; owned. Returns PST_OK; PST_BAD_DATA, also for a model of
 * another tool; what pst_safetensors_read returns.
 */
PST_CHECKED enum pst_status pst_model_about(const char *path, struct json_t **about, struct pst_error *error);

/*
 * Reads a model, in F32, F16, BF16 or F64: one of this project, or dense layers that another tool wrote.
 * activation: the word of what stands between the layers of another tool's model that does not name it in its
 * metadata ("activation"); NULL if the user named none. digest: receives the SHA-256 of the file; may be
 * NULL. Returns PST_OK; PST_NO_INPUT; PST_USAGE if the activation is not known or contradicts the file;
 * PST_BAD_DATA (layers that do not fit each other, a value that is not finite, an activation that is not
 * named); PST_IO_ERROR; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_model_read(const char *path, const char *activation,
                                           struct pst_network *network, char digest[PST_DIGEST_TEXT],
                                           struct pst_error *error);

/* ---- training ---------------------------------------------------------------------------------------- */

/* A network that learns, with all that a step needs. Fill in settings and network, then pst_training_begin.
 */
struct pst_training {
    struct pst_network network; /* owned */
    struct pst_optimiser_settings optimiser_settings;
    struct pst_loss loss;
    struct pst_dropout dropout;
    struct pst_schedule schedule;
    double clip;     /* largest L2 norm of all gradients together; longer ones are scaled down to
                        it before a step (Pascanu et al. 2013); 0: no limit */
    float *gradient; /* all of them, [parameter_count], if they are clipped; owned */
    struct pst_optimiser optimiser;  /* owned */
    struct pst_workspace *workspace; /* owned */
    size_t room;                     /* samples that the workspace holds */
};

/* Bytes that a training with batches of n samples takes in all: workspace, parameters, and the optimiser's
 * state; SIZE_MAX if they are more than can be counted. */
size_t pst_training_memory(const struct pst_training *training, size_t n);

/* Makes the optimiser for the network, and the memory of gradients to clip. Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_training_begin(struct pst_training *training, struct pst_error *error);

/* Makes room for n samples and returns where their inputs go, [n, inputs]; NULL where memory is short. */
PST_CHECKED float *pst_training_input(struct pst_training *training, size_t n, struct pst_error *error);

/*
 * One step on the n samples whose inputs are in place: forward, loss, backward, update.
 * targets: of the n samples. ids: [n].
 * epoch: for dropout; position: for the learning rate, epochs passed with their fraction.
 * Where the loss is not finite, no update is made.
 */
void pst_training_step(struct pst_training *training, size_t n, const struct pst_loss_targets *targets,
                       const uint64_t *ids, uint64_t epoch, double position, struct pst_loss_sums *sums);

/* Frees all that a training owns. */
void pst_training_free(struct pst_training *training);

/*
 * Writes a checkpoint: parameters, the optimiser's vectors and step, and what the caller wants to find again.
 * It appears under its name only when whole. best: [parameter_count] or NULL. state: object of strings;
 * borrowed.
 */
PST_CHECKED enum pst_status pst_checkpoint_write(const char *path, const struct pst_training *training,
                                                 const float *best, const struct json_t *state,
                                                 struct pst_error *error);

/* What has the name of a checkpoint. */
enum pst_checkpoint_place {
    PST_CHECKPOINT_NONE, /* nothing, so one can be written */
    PST_CHECKPOINT_THERE,
    PST_CHECKPOINT_OTHER /* what is not to be replaced or removed, or cannot be looked at */
};

/* Looks at what has a name, as far as it takes to tell a checkpoint from other files. */
PST_CHECKED enum pst_checkpoint_place pst_checkpoint_look(const char *path);

/*
 * Reads a checkpoint into a training that has begun with the same architecture and optimiser.
 * best: receives [parameter_count] where the checkpoint has one; NULL where none is wanted.
 * state: receives an object of strings, owned by the caller; also that of another network or optimiser, so
 * that what differs can be told; NULL if the file is not a checkpoint.
 * Returns PST_OK; PST_NO_INPUT; PST_BAD_DATA where it is damaged or of another network or optimiser.
 */
PST_CHECKED enum pst_status pst_checkpoint_read(const char *path, struct pst_training *training, float *best,
                                                struct json_t **state, struct pst_error *error);

#endif
