/*
 * onednn_operation.h: one product of oneDNN, and the conversion of its operands: the caller has plain
 * floats, and they are converted to the precision and the layout that the product takes. Versions 2 and 3 of
 * the library describe a product differently; only onednn_operation.c depends on that.
 */
#ifndef PIPESTILL_NN_ONEDNN_OPERATION_H
#define PIPESTILL_NN_ONEDNN_OPERATION_H

#include "lib/nn/kernels/products.h"

#include <dnnl.h>

enum { PST_ONEDNN_OPERANDS = 3 };

/* A tensor as the caller has it, f32, and as the product takes it. */
struct pst_onednn_operand {
    int argument;                  /* DNNL_ARG_… */
    bool result, kept;             /* kept: it never changes, so it is converted once */
    bool ready;                    /* kept, and already converted */
    dnnl_memory_t outside, inside; /* the same one if nothing is to be done */
    dnnl_primitive_t reorder;      /* from one to the other; NULL if they are the same */
    size_t size;                   /* bytes of inside */
    void *memory;                  /* of the inside of an operand that is kept or lent; owned; or NULL */
};

struct pst_onednn_operation {
    dnnl_primitive_t primitive;
    dnnl_memory_t bias;       /* NULL: none */
    dnnl_memory_t scratchpad; /* the library's own; its memory is given with each call */
    size_t scratchpad_size;   /* bytes */
    struct pst_onednn_operand operands[PST_ONEDNN_OPERANDS];
};

/* A tensor in a description: sizes, and how many elements lie between neighbours along each dimension. */
struct pst_onednn_tensor {
    int argument;
    int rank;
    dnnl_dims_t sizes, strides;
    bool fixed; /* the product takes it in this layout, in its precision */
    bool moved; /* maps whose channels are first for the caller, and last for the product */
    bool inner; /* the caller has it in the product's precision, too, and not in f32 */
};

/* What is done to the results of a product or a convolution on the way forward. {0}: nothing. */
struct pst_onednn_finish {
    const float *bias; /* [columns or maps], added; stays; NULL: none */
    bool relu;
};

/* What a convolution does along the two sides of its maps. */
struct pst_onednn_window {
    dnnl_dims_t stride, dilation, pad;
};

enum pst_onednn_kind {
    PST_ONEDNN_PRODUCT, /* operands: source, weights, destination */
    PST_ONEDNN_CONVOLVE,
    PST_ONEDNN_CONVOLVE_INPUT,
    PST_ONEDNN_CONVOLVE_WEIGHT,
};

/* What an operation is to do. */
struct pst_onednn_purpose {
    enum pst_onednn_kind kind;
    const struct pst_onednn_tensor *tensors; /* the inputs first, the result last */
    const struct pst_onednn_window *window;  /* of a convolution, or NULL */
    struct pst_onednn_finish finish;
    bool bf16;
    bool keep; /* the weights never change */
    bool lend; /* the converted weights stay until the next call, for another operation */
};

/* Makes an operation. Returns a status of oneDNN; of an operation that is not made nothing is owned. */
PST_CHECKED dnnl_status_t pst_onednn_make(struct pst_onednn_operation *operation, dnnl_engine_t engine,
                                          const struct pst_onednn_purpose *purpose);
void pst_onednn_free(struct pst_onednn_operation *operation);

/* Where an operation's data are: each operand; memory for the converted one, of the size that the operand
 * says; and the scratchpad. brought: which operands are converted already. */
struct pst_onednn_places {
    float *values[PST_ONEDNN_OPERANDS];
    void *scratch[PST_ONEDNN_OPERANDS];
    void *scratchpad;
    bool brought[PST_ONEDNN_OPERANDS];
};

/* Computes. Several threads may compute at the same time, each its own operation. */
PST_CHECKED dnnl_status_t pst_onednn_compute(struct pst_onednn_operation *operation, dnnl_stream_t stream,
                                             const struct pst_onednn_places *places);

#endif
