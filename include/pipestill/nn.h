/*
 * nn.h: networks: their passes and model files. What a network is made of is in layers.h, how it learns in
 * training.h, what it minimises in losses.h. Independent of streams. docs/training.md writes out every
 * formula with its gradient.
 */
#ifndef PIPESTILL_NN_H
#define PIPESTILL_NN_H

#include "pipestill/base.h"
#include "pipestill/layers.h"
#include "pipestill/losses.h"

struct json_t; /* jansson's value */
struct pst_class_map;

/*
 * Names the kernels that multiply matrices in this process, such as "Haswell".
 * unused: receives the instructions of this processor that would multiply much faster and that these kernels
 * leave unused, "AVX-512" or "AVX2"; NULL: none are known.
 * Returns the name, which stays valid; NULL if the library of matrix products does not report it.
 */
const char *pst_blas_kernel(const char **unused);

/* ---- arithmetic -------------------------------------------------------------------------------------- */

/* Places in pst_precision_names. bf16: operands of products have 8 bits of precision, sums and all the rest
 * are f32. */
enum pst_precision { PST_F32, PST_BF16, PST_PRECISION_AUTO };

/* The names of libraries that multiply matrices, and of precisions; each ended by NULL. */
extern const char *const pst_kernel_names[];
extern const char *const pst_precision_names[];

/* Which library multiplies matrices, and how. {0}: OpenBLAS, in f32. */
struct pst_arithmetic {
    int kernels;    /* place in pst_kernel_names */
    int precision;  /* enum pst_precision */
    size_t threads; /* of oneDNN, for the thread that makes passes; 0: one for each idle processor (the bits
                       are the same). OpenBLAS does not use this number. */
    bool constant;  /* the parameters will not change, so what is prepared from them may be kept */
};

/*
 * Checks if this build and processor can do that; PST_PRECISION_AUTO becomes bf16 if that is faster,
 * otherwise f32. Returns PST_OK; PST_USAGE if the library has no such precision; PST_UNAVAILABLE if the
 * library was not built in, or the processor lacks instructions.
 */
PST_CHECKED enum pst_status pst_arithmetic_settle(struct pst_arithmetic *arithmetic, struct pst_error *error);

/*
 * What a settled arithmetic is, for lineages: "onednn bf16"; NULL for OpenBLAS, which lineages do not name.
 */
const char *pst_arithmetic_name(const struct pst_arithmetic *arithmetic);

/* ---- networks ---------------------------------------------------------------------------------------- */

/* A chain of layers and what it has learned. {0} is empty. */
struct pst_network {
    struct pst_chain chain;
    char *architecture;             /* as canonical text; owned */
    float *parameters;              /* all that is learned, [parameter_count], aligned; owned */
    size_t parameter_count;         /* including padding between parameters, which stays 0 */
    struct pst_parameter **tensors; /* every parameter, [tensor_count], in the order of the vector; owned */
    size_t tensor_count;
    /* How inputs were made from the numbers of the data: scale · x + offset. 0 channels: not known; 1: the
     * same for all; otherwise a pair for each channel, and the channels divide the inputs. */
    size_t input_channels;
    double *input_scale;  /* [2, input_channels]: scales, then offsets; owned */
    struct json_t *about; /* the meaning of inputs and outputs, as in stream.h; {} if it is not given; owned;
                             NULL: another tool's model, which has none */
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
 * The same, but returns the place of a fault in the text, and the message does not quote the text.
 * place: receives that of the word at fault; of length 0 if there is no such word.
 */
PST_CHECKED enum pst_status pst_network_parse(struct pst_network *network, const char *architecture,
                                              struct pst_place *place, struct pst_error *error);

/* An architecture that was written in a file. {0} is empty. */
struct pst_architecture_file {
    char *text;    /* in one line, as pst_network_parse takes it; owned */
    size_t *lines; /* for each byte of the text, its end included: its line in the file, from 1; owned */
};

/*
 * Reads an architecture from a file. There "#" begins a comment, up to the end of its line, and white space
 * separates words as "-" does; next to "-", "(", ")", "|", "*", "," and ":" it is ignored.
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
 * Makes a network, as pst_network_parse does, from an architecture or from the file whose name follows "@".
 * option: what the message names if the text is not from a file. excerpt, mark: receive the lines of
 * pst_architecture_mark for the fault; empty if there is none, or no text.
 * Returns PST_OK; PST_USAGE, or PST_BAD_DATA for a file, if the text is not an architecture; what
 * pst_architecture_read and pst_network_parse return.
 */
PST_CHECKED enum pst_status pst_network_written(struct pst_network *network, const char *architecture,
                                                const char *option, char excerpt[PST_EXCERPT],
                                                char mark[PST_EXCERPT], struct pst_error *error);

/*
 * Initial weights: normal with variance 2 / inputs before ReLU (He et al. 2015), 1 / inputs in the last
 * layer; the table of activations has the others; biases 0. The weights into unit u of the l-th layer with
 * weights, from 0, are the sequence (seed, PST_RANDOM_INITIAL, epoch l, id u), so a layer of the same shape
 * starts with the same weights in every network.
 */
void pst_network_initialise(struct pst_network *network, uint64_t seed);

/* Elements of one sample's inputs and outputs. */
size_t pst_network_inputs(const struct pst_network *network);
size_t pst_network_outputs(const struct pst_network *network);

/* The size of layers, and their work. multiply_adds: of a sample in a forward pass. */
struct pst_layer_counts {
    size_t parameters; /* numbers that are learned */
    size_t statistics; /* numbers that follow the training */
    double multiply_adds;
};

/* Adds the parameters and statistics of a layer and of its inner layers. */
void pst_layer_count(const struct pst_layer *layer, struct pst_layer_counts *counts);

/* Counts those of a whole network. */
void pst_network_count(const struct pst_network *network, struct pst_layer_counts *counts);

/* Bytes that a workspace for `most` samples takes; SIZE_MAX if a size_t cannot hold their number. */
size_t pst_network_memory(const struct pst_network *network, size_t most, bool training);

/*
 * Records how inputs were made. channels: 1, or as many as divide the inputs. scale: [2, channels]: scales,
 * then offsets; copied. Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_network_set_scale(struct pst_network *network, size_t channels,
                                                  const double *scale, struct pst_error *error);

/*
 * Changes each output z to scale · z + offset, by the weights and biases of the last layer.
 * scale, offset: [outputs]; a scale of NULL changes nothing. Returns false, and changes nothing, if that
 * layer has an activation or no biases.
 */
PST_CHECKED bool pst_network_scale_outputs(struct pst_network *network, const double *scale,
                                           const double *offset);

/*
 * Changes the outputs of a network from old classes to new ones. In the last layer, a new class that is one
 * old class gets a copy of its unit; a merged one gets the mean of its classes' units, with log n added to
 * the bias. All other layers stay. What `about` says of outputs is removed. map: its old classes are the
 * outputs. Returns PST_OK; PST_BAD_DATA if the last layer has an activation or no biases; PST_TRY_AGAIN. On
 * failure nothing changes.
 */
PST_CHECKED enum pst_status pst_network_map_outputs(struct pst_network *network,
                                                    const struct pst_class_map *map, struct pst_error *error);

/* Frees what a network holds and makes it {0}. */
void pst_network_free(struct pst_network *network);

/* ---- forward and backward ---------------------------------------------------------------------------- */

/* Memory of forward and backward passes for up to `most` samples at once. */
struct pst_workspace;

/*
 * Makes a workspace for networks of one shape.
 * network: gives the shape; not kept. most: samples in the largest batch, ≥ 1. training: also room for a
 * backward pass. arithmetic: settled; constant only for one network, which stays where it is.
 * Returns PST_OK; PST_TRY_AGAIN if memory is short, or most is more than BLAS can count; what
 * pst_arithmetic_settle returns.
 */
PST_CHECKED enum pst_status pst_workspace_new(struct pst_workspace **workspace,
                                              const struct pst_network *network, size_t most, bool training,
                                              const struct pst_arithmetic *arithmetic,
                                              struct pst_error *error);
void pst_workspace_free(struct pst_workspace *workspace);

/* Where to write a batch's inputs before a pass: [most, inputs]. A training pass with input dropout changes
 * them. */
float *pst_workspace_input(struct pst_workspace *workspace);

/* The threads of the last pass; NULL: the caller's alone. */
struct pst_team *pst_workspace_team(const struct pst_workspace *workspace);

/* Logits of the last pass: [n, outputs]. */
const float *pst_workspace_logits(const struct pst_workspace *workspace);

/* Where to write the loss's gradient with respect to the logits before a backward pass: [most, outputs]. */
float *pst_workspace_logits_gradient(struct pst_workspace *workspace);

/* All passes from now on use these taps on layers of the network. taps: [count]; borrowed. */
void pst_workspace_tap(struct pst_workspace *workspace, const struct pst_tap *taps, size_t count);

/*
 * A forward pass for use: fills the workspace's logits for n samples, 1 to most. The same inputs give the
 * same bits, whatever the workspace was used for before. Passes allocate nothing, except that oneDNN
 * prepares its products when a size n of batch first occurs.
 */
void pst_forward(const struct pst_network *network, struct pst_workspace *workspace, size_t n);

/* The same with a place for the logits, [n, outputs]; the workspace's own are not changed. */
void pst_forward_to(const struct pst_network *network, struct pst_workspace *workspace, size_t n,
                    float *logits);

/*
 * Checks if all products of the passes so far were computed; if not, their results are not valid. Returns
 * PST_OK, or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_workspace_check(const struct pst_workspace *workspace,
                                                struct pst_error *error);

/*
 * A forward pass for training. ids: [n] sample ids, for dropout; may be NULL if nothing is dropped. dropout:
 * in addition to the architecture's own dropout layers, which use its seed. If nothing is dropped the logits
 * are those of pst_forward, bit for bit.
 */
void pst_forward_training(const struct pst_network *network, struct pst_workspace *workspace, size_t n,
                          const struct pst_dropout *dropout, uint64_t epoch, const uint64_t *ids);

/*
 * A backward pass after pst_forward_training of the same n samples, from the workspace's logits gradient.
 * ReLU passes a gradient on if its output is above 0. The gradient of the network's own input is not
 * computed. workspace: made for training. take: called once for each parameter.
 */
void pst_backward(struct pst_network *network, struct pst_workspace *workspace, size_t n,
                  pst_gradient_taker *take, void *context);

/* The same, in which a weight may go to rows->take in parts, as soon as their gradients are there and still
 * in a processor's cache. Then take does not get it. */
void pst_backward_by_rows(struct pst_network *network, struct pst_workspace *workspace, size_t n,
                          pst_gradient_taker *take, const struct pst_rows_taker *rows, void *context);

/* The same as pst_backward, with the gradient of the network's input. input_gradient: receives [n, inputs].
 */
void pst_backward_to_input(struct pst_network *network, struct pst_workspace *workspace, size_t n,
                           pst_gradient_taker *take, void *context, float *input_gradient);

/* ---- softmax ----------------------------------------------------------------------------------------- */

/*
 * The highest temperature of targets to learn from. Rounding a probability to f32 moves T times its
 * logarithm by up to T · 2^-24: at 10^6 that is 0.06 of a logit, and above, the differences between classes
 * are lost.
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
 * et al. 2015, section 3). Both functions find better ones from its predictions, and do not change the
 * network.
 */

/* The predictions from which the biases of some classes are found. */
struct pst_class_bias_problem {
    const float *scores; /* [samples, classes], logits or log-probabilities, finite; borrowed */
    size_t samples;      /* 1 or more */
    size_t classes;      /* 2 or more */
    const bool *free;    /* [classes], which biases may change; at least one; borrowed */
};

/*
 * Finds, exactly, the number that gives the fewest errors if it is added to the scores of all free classes:
 * the middle of the widest bounded interval of such numbers; if the best interval is unbounded, one unit
 * beyond its end. labels: [samples], each 0 … classes - 1. shift: receives the number.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_class_bias_fewest_errors(const struct pst_class_bias_problem *problem,
                                                         const int32_t *labels, double *shift,
                                                         struct pst_error *error);

/*
 * Finds the biases that give each free class the share `mass` of the probability, on average over the
 * samples: no labels are needed, only the share of each class. It is a convex problem, solved by generalised
 * iterative scaling (Darroch, Ratcliff 1972); biases that are not free stay 0. mass: [classes]; of free
 * classes above 0, together at most 1, and below 1 unless all classes are free. bias: receives [classes].
 * Returns PST_OK; PST_BAD_DATA if mass breaks these rules; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_class_bias_match_mass(const struct pst_class_bias_problem *problem,
                                                      const double *mass, double *bias,
                                                      struct pst_error *error);

/* ---- model files: safetensors ------------------------------------------------------------------------ */

/* A tensor to write to or read from a safetensors file. */
struct pst_named_tensor {
    char name[128];
    const char *dtype; /* "F32" */
    size_t rank;
    size_t shape[8];
    const void *data; /* borrowed; in files of other tools not always aligned to its elements */
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
 * Reads a safetensors file and checks all of it: the size of the header, overlaps, holes, shapes and types.
 * Returns PST_OK; PST_NO_INPUT; PST_BAD_DATA (the message names the tensor); PST_IO_ERROR; PST_TRY_AGAIN.
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
 * Reads the meaning of a model's inputs and outputs, as in struct pst_network; needs no BLAS. about:
 * receives a new object, also on failure; owned. Returns PST_OK; PST_BAD_DATA, also for a model of another
 * tool; what pst_safetensors_read returns.
 */
PST_CHECKED enum pst_status pst_model_about(const char *path, struct json_t **about, struct pst_error *error);

/*
 * Reads a model, in F32, F16, BF16 or F64: one of this project, or dense layers that another tool wrote.
 * activation: the word of the activation between layers, for another tool's model that does not name it in
 * its metadata ("activation"); NULL: not given. digest: receives the SHA-256 of the file; may be NULL.
 * Returns PST_OK; PST_NO_INPUT; PST_USAGE if the activation is not known or contradicts the file;
 * PST_BAD_DATA (layers that do not fit each other, a value that is not finite, an activation that is not
 * named); PST_IO_ERROR; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_model_read(const char *path, const char *activation,
                                           struct pst_network *network, char digest[PST_DIGEST_TEXT],
                                           struct pst_error *error);

#endif
