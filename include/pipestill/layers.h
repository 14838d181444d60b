/*
 * layers.h: what a network is made of. A network is a chain of layers over typed shapes. The types of layers
 * are a table (lib/nn/layers/table.c), one file a type; docs/adding-a-layer.md adds one. Everything else
 * (optimisers, checkpoints, model files) loops over parameters and does not depend on types of layers.
 *
 * An architecture is text: the input's shape, then a word for each layer, with "-" between:
 * "784-800-800-10". A dense layer whose next layer is dense has ReLU unless another activation is named
 * behind it. docs/networks.md has the whole grammar.
 */
#ifndef PIPESTILL_LAYERS_H
#define PIPESTILL_LAYERS_H

#include "pipestill/base.h"

#include <stdio.h>

#define PST_MAX_LAYERS 512       /* layers of a network, those inside of others included */
#define PST_MAX_WIDTH (1U << 20) /* elements of a shape, in all; units in a layer */
#define PST_SHAPE_RANK 3         /* dimensions of one sample: channels, height, width */
#define PST_LAYER_PARAMETERS 4   /* parameters of one layer */
#define PST_CHAIN_DEPTH 8        /* parentheses inside of one another */

/* ---- shapes ------------------------------------------------------------------------------------------ */

/* The shape of one sample, channels first: 784, or 3x32x32. */
struct pst_shape {
    size_t rank; /* 1 to PST_SHAPE_RANK */
    size_t size[PST_SHAPE_RANK];
};

/* The product of the sizes. */
size_t pst_shape_elements(const struct pst_shape *shape);

/* Reads "784" or "3x32x32". Returns whether the whole text is a shape of 1 to PST_MAX_WIDTH elements. */
PST_CHECKED bool pst_shape_parse(const char *text, struct pst_shape *shape);

/* Writes a shape as pst_shape_parse reads it. */
void pst_shape_describe(const struct pst_shape *shape, FILE *text);

#define PST_SHAPE_TEXT 32 /* bytes of a shape as text, its end included */

/* The same into text, [PST_SHAPE_TEXT], which is returned. */
const char *pst_shape_text(const struct pst_shape *shape, char *text);

/* ---- parameters -------------------------------------------------------------------------------------- */

/* A tensor that is learned: where it is in a network's flat vectors, and how it is treated. */
struct pst_parameter {
    char name[64]; /* in a layer "weight"; in a network's list "layers.0.weight" */
    size_t rank, shape[4];
    size_t at, count; /* its place and number of elements in a flat vector of the network's parameters */
    double deviation; /* of the normal distribution of its initial values; 0: they are all `initial` */
    float initial;
    uint64_t sequence; /* the epoch of its initial random numbers: one for each layer with parameters */
    bool decays;       /* weight decay applies: to weights, not to biases and not to what normalises */
    bool limited;      /* --max-norm applies to its rows: to the weights into hidden units */
    float follows; /* 0: it is learned. Otherwise it is a statistic, which only passes for use compute with:
                      in place of a gradient a layer hands over the batch's value, and each step moves the
                      statistic this share of the way to it */
};

/* Numbers in a row: what goes into one unit. */
size_t pst_parameter_row(const struct pst_parameter *parameter);

/* ---- activations: a table, lib/nn/activations.c ------------------------------------------------------ */

/* A function of one number, applied to every element. slope: used by leaky only. */
struct pst_activation {
    const char *name;
    double variance; /* initial weights before it have this variance divided by their number of inputs */
    bool has_slope;  /* a number may follow the name: leaky0.2 */
    void (*forward)(float *values, size_t count, float slope); /* values[count] become f(values) */
    /* gradient[count] is multiplied by f'(inputs[count]). */
    void (*backward)(float *gradient, const float *inputs, size_t count, float slope);
    double (*plain)(double input, double slope);       /* f(input) */
    double (*plain_slope)(double input, double slope); /* f'(input) */
};

extern const struct pst_activation pst_activation_relu, pst_activation_none;

/*
 * Reads an activation's word: its name, and a slope if it has one.
 * slope: receives it, or its default. Returns the activation, or NULL if the word is not one.
 */
const struct pst_activation *pst_activation_parse(const char *word, double *slope);

/* Lists the names of all activations, with ", " between. */
void pst_activation_list(char *text, size_t size);

/* Writes the word that pst_activation_parse reads. */
void pst_activation_describe(const struct pst_activation *activation, double slope, FILE *text);

/* ---- layers ------------------------------------------------------------------------------------------ */

struct pst_layer_type;

/* A part of an architecture's text: `length` bytes from byte `at`. */
struct pst_place {
    size_t at, length;
};

/* One layer of a network. Settling determines everything but type and settings. */
struct pst_layer {
    const struct pst_layer_type *type;
    void *settings;           /* the type's own, [type->settings_size]; owned */
    struct pst_shape in, out; /* of one sample */
    size_t parameter_count;
    struct pst_parameter parameters[PST_LAYER_PARAMETERS];
    size_t memory_for_use;          /* floats a sample that a forward pass for use needs */
    size_t memory_for_training;     /* floats a sample that are kept from a forward to a backward pass */
    size_t gradient_count;          /* floats that a backward pass needs for the gradients of parameters */
    size_t scratch[2];              /* floats for any number of samples, whose contents are not kept from one
                                       call to the next: for use and for training */
    double multiply_adds;           /* of a sample in a forward pass, with those of its inner layers */
    size_t out_at[2], memory_at[2]; /* for use and for training: its outputs and its own memory in the chain's
                                       memory, in floats a sample */
    size_t number;                  /* of its activation, from 1, whose units dropout may drop; 0: none */
    bool in_place;                  /* its outputs are its inputs in memory, whatever the order of channels */
    struct pst_place place;         /* of its word */
};

/* Layers one after another. */
struct pst_chain {
    struct pst_layer *layers; /* [count], 1 or more; owned */
    size_t count, room;
    struct pst_shape in, out;
    size_t widest;    /* the most elements between two of its layers */
    size_t memory[2]; /* floats a sample that a pass for use, and one for training, needs */
};

/* What settling counts through a whole network. */
struct pst_settling {
    size_t layers;                     /* with parameters so far */
    size_t activations;                /* so far */
    bool last;                         /* the layer that is settled gives the network's outputs */
    const struct pst_layer_type *next; /* of the next layer that is not transparent; NULL at a chain's end */
    struct pst_place place;            /* receives that of a layer that does not fit */
    char why[160];                     /* for pst_unfit */
};

/* Makes the clause that settle returns if a layer does not fit: printf into settling->why. */
const char *pst_unfit(struct pst_settling *settling, const char *format, ...) PST_PRINTF(2, 3);

/*
 * Dropout (Srivastava et al. 2014), inverted: what is kept is divided by the share kept, so a forward pass
 * for use needs no change. Whether a unit is dropped depends only on (seed, epoch, sample id, layer, unit),
 * not on the batch of its sample:
 *
 * With threshold = min(round(share · 65536), 65535), unit u is dropped if its 16 random bits are below the
 * threshold; what is kept is multiplied by 65536 / (65536 - threshold). The bits come from the Philox block
 * with key pst_random_key(seed, PST_RANDOM_DROPOUT + layer), layer 0 being the network's input and layer l
 * the units behind its l-th activation, and counter {u / 8, epoch, id low, id high}. Unit u has word
 * (u % 8) / 2 of the block's four, its low half if u is even, its high half if u is odd.
 */
struct pst_dropout {
    double input;  /* share of inputs dropped, [0, 1) */
    double hidden; /* share of hidden units dropped, [0, 1) */
    uint64_t seed;
};

/*
 * Receives the gradient of each parameter during a backward pass, last layer first. The pass does not need
 * the parameter's values any more, so this function may change them. gradient: [parameter->count]; valid
 * during the call.
 */
typedef void pst_gradient_taker(void *context, const struct pst_parameter *parameter, const float *gradient);

/*
 * The same for some rows of a weight. take: receives count numbers of its gradient, from number `from` on.
 * Several threads may call it at the same time, each with other rows. changes: the vectors that take changes
 * there, each as long as the network's flat vector: number i of them, or NULL, if there are no more.
 */
struct pst_rows_taker {
    void (*take)(void *context, const struct pst_parameter *parameter, size_t from, size_t count,
                 const float *gradient);
    const float *(*changes)(void *context, size_t i);
};

struct pst_kernels; /* lib/nn/kernels/products.h */

/*
 * A layer whose outputs are taken, beside those of the network; it may be in a chain that another layer
 * holds. A pass may go through several layers at once, but the outputs of a layer with a tap do not change
 * by that.
 */
struct pst_tap {
    const struct pst_layer *layer;
    float *outputs;        /* a forward pass: receives [n, out] */
    const float *gradient; /* a backward pass: the loss's own gradient of these outputs, [n, out], is added
                              to that of the layers behind; NULL: none */
};

/* What all layers share in a pass over n samples. */
struct pst_pass {
    size_t n;
    size_t first; /* samples of the same batch that passed before; 0 in training */
    size_t room;  /* samples that memory is laid out for; a multiple of 16, so that every piece is aligned */
    bool training;
    bool channels_last;         /* maps between layers are [height, width, channels] */
    const float *parameters;    /* the network's flat vector */
    struct pst_dropout dropout; /* both shares 0: none */
    uint64_t epoch;
    const uint64_t *ids; /* [n]; NULL without dropout */
    float *gradients;    /* backward: room for the gradients of one layer's parameters, [gradient_count] */
    float *scratch;      /* room for one layer, [scratch] */
    struct pst_kernels *kernels; /* what multiplies matrices */
    const struct pst_tap *taps;  /* [tap_count] */
    size_t tap_count;
    pst_gradient_taker *take;
    const struct pst_rows_taker *rows; /* NULL: take gets all gradients whole */
    void *context;
};

/* The same in double precision, for the plain twins. */
struct pst_plain_tap {
    const struct pst_layer *layer;
    double *outputs;
    const double *gradient;
};

struct pst_plain_pass {
    size_t n;
    bool use; /* not training */
    const double *parameters;
    struct pst_dropout dropout;
    uint64_t epoch;
    const uint64_t *ids;
    const struct pst_plain_tap *taps; /* [tap_count] */
    size_t tap_count;
};

/* Two layers, one behind the other, that a pass goes through at once. */
struct pst_joined {
    const struct pst_layer *layer, *next;
    float *between;              /* where the outputs of the first one would be, [room, out] */
    float *memory, *next_memory; /* of each */
};

struct pst_window; /* lib/nn/layers/window.h */

/* What a layer comes to in a pass for use, of what kernels can go through together with other layers. */
struct pst_use {
    enum { PST_USE_PRODUCT, PST_USE_CONVOLUTION, PST_USE_CHANGE, PST_USE_LARGEST } kind;
    const struct pst_window *window; /* of a convolution; of the windows whose largest element is taken */
    size_t groups;                   /* of a convolution */
    const float *weight, *bias;      /* of a product and a convolution; bias: NULL: none */
    float *factor;                /* of a change, receives [channels]: (value - middle) · factor + offset */
    const float *middle, *offset; /* [channels] */
    bool relu;                    /* follows */
};

/*
 * A type of layer: one file in lib/nn/layers and one row in its table. Passes allocate nothing.
 *
 * parse: reads a word of an architecture into settings (zeros before). Returns whether it is one of this
 * type. describe: writes the word that parse reads. absorb: NULL, or takes over an activation that follows;
 * returns false if the layer has one already. settle: layer->in is known; settles out, parameters
 * (pst_layer_add), memory, scratch, multiply_adds and number. Returns NULL, or what is wrong, as a clause:
 * "takes a flat input; put flatten before it"; pst_unfit makes one with numbers. forward: inputs [n, in] to
 * outputs [n, out]. memory: [room, memory_for_training] or [room, memory_for_use]. backward: gradient [n,
 * out] is that of the outputs, and may be changed. input_gradient: receives [n, in]; NULL if it is not
 * needed. Hands every parameter's gradient to pass->take, after the last use of its values. plain_forward,
 * plain_backward: the same in the simplest form; parameter_gradient: [parameters of the network], is added
 * to. input_gradient is never NULL. joins: NULL, or whether a pass can go through this layer and the next
 * one at once if channels are last: then forward_joined replaces both forward passes, and backward_joined
 * both backward passes, with the inputs of the first and the outputs of the second. The memory between them
 * then does not hold the first one's outputs. use: NULL, or sets what the layer comes to in a pass for use;
 * false: nothing that pst_use has. inner: NULL, or returns a chain that the layer holds; `which`
 * 0 is the first; NULL behind the last. The chains are read from the parentheses behind the word, with "|"
 * between; one that is left out has no layers. They are settled, with the layer's own input, before the
 * layer is, and freed after it. Their memory is a part of the layer's own. release: NULL, or frees what else
 * the settings own.
 */
struct pst_layer_type {
    const char *name;    /* "dense" */
    const char *grammar; /* the words that parse reads: "800" */
    const char *help;
    const char *example; /* small architectures with it, separated by spaces: tests of gradients use them */
    size_t settings_size;
    bool in_place;      /* outputs are the inputs, under another shape: there is nothing to compute unless the
                           channels of maps are last */
    bool channels_last; /* its passes also take maps whose channels are last */
    bool transparent;   /* the layer before ignores it when it chooses an activation */
    bool (*parse)(const char *word, void *settings);
    void (*describe)(const struct pst_layer *layer, FILE *text);
    bool (*absorb)(struct pst_layer *layer, const struct pst_activation *activation, double slope);
    const char *(*settle)(struct pst_layer *layer, struct pst_settling *settling);
    void (*forward)(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                    float *outputs, float *memory);
    void (*backward)(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                     const float *outputs, float *gradient, float *input_gradient, float *memory);
    void (*plain_forward)(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                          const double *inputs, double *outputs);
    void (*plain_backward)(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                           const double *inputs, const double *gradient, double *input_gradient,
                           double *parameter_gradient);
    bool (*joins)(const struct pst_layer *layer, const struct pst_layer *next);
    void (*forward_joined)(const struct pst_joined *joined, const struct pst_pass *pass, const float *inputs,
                           float *outputs);
    void (*backward_joined)(const struct pst_joined *joined, const struct pst_pass *pass, const float *inputs,
                            const float *outputs, float *gradient, float *input_gradient);
    bool (*use)(const struct pst_layer *layer, const struct pst_pass *pass, struct pst_use *use);
    struct pst_chain *(*inner)(const struct pst_layer *layer, size_t which);
    void (*release)(void *settings);
};

/* The table; ended by NULL. */
extern const struct pst_layer_type *const pst_layer_types[];

/*
 * Declares a parameter of a layer while it is settled; its place is set later, when all are known.
 * shape: [rank]; the first size is the units. deviation: of its initial values.
 * Returns the parameter, so that the caller can set more: initial, decays, limited.
 */
struct pst_parameter *pst_layer_add(struct pst_layer *layer, const char *name, size_t rank,
                                    const size_t *shape, double deviation);

/* The values of a parameter in a pass, and room for its gradient on the way back; parameter: 0 is the first.
 */
const float *pst_layer_values(const struct pst_layer *layer, const struct pst_pass *pass, size_t parameter);
float *pst_layer_gradient(const struct pst_layer *layer, const struct pst_pass *pass, size_t parameter);

/* ---- chains: for networks, and for layers that hold layers ------------------------------------------- */

/*
 * Reads the words of a chain, with "-" between; parentheses keep the words of an inner chain together, and
 * "3*" before a word or before words in parentheses stands for three copies of them.
 * text, at: the words begin at text + at. place: receives that of what is wrong; may be NULL.
 * Returns PST_OK; PST_USAGE with the word that is not a layer; PST_TRY_AGAIN. On failure nothing is owned.
 */
PST_CHECKED enum pst_status pst_chain_parse(struct pst_chain *chain, const char *text, size_t at,
                                            struct pst_place *place, struct pst_error *error);

/*
 * Settles all layers, from the shape of what goes in to that of what comes out.
 * last: whether the chain's outputs are those of the network.
 * Returns PST_OK; PST_USAGE with the layer that does not fit, whose place is in settling then; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_chain_settle(struct pst_chain *chain, const struct pst_shape *in,
                                             struct pst_settling *settling, bool last,
                                             struct pst_error *error);

/* Writes the words that pst_chain_parse reads. */
void pst_chain_describe(const struct pst_chain *chain, FILE *text);

/* Goes through all layers: inputs [n, in] to outputs [n, out]. memory: [room, chain->memory[training]]. */
void pst_chain_forward(const struct pst_chain *chain, const struct pst_pass *pass, const float *inputs,
                       float *outputs, float *memory);

/* And back, after a training pass with the same memory; as pst_layer_type.backward. */
void pst_chain_backward(const struct pst_chain *chain, const struct pst_pass *pass, const float *inputs,
                        const float *outputs, float *gradient, float *input_gradient, float *memory);

#define PST_LAYER_NUMBER 64 /* bytes of a layer's number as text, its end included */

/*
 * Finds a layer by its number, as stream-inspect shows it: "3" is the third layer, "3.2" the second one of
 * the chain that the third one holds. A layer in a shortcut has no number. Returns PST_OK; PST_USAGE if the
 * text is no number, or there is no such layer.
 */
PST_CHECKED enum pst_status pst_chain_find(const struct pst_chain *chain, const char *number,
                                           const struct pst_layer **layer, struct pst_error *error);

/* Whether the layer or one before it learns, so that a loss on its outputs changes the network. */
bool pst_chain_learns_by(const struct pst_chain *chain, const struct pst_layer *layer);

/* A chain that a layer holds; `which` 0 is the first; NULL: there are no more. */
struct pst_chain *pst_layer_inner(const struct pst_layer *layer, size_t which);

/* Frees the layers and makes the chain {0}. */
void pst_chain_free(struct pst_chain *chain);

#endif
