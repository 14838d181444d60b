/*
 * products.h: the matrix products of layers, by the library and in the precision that the user chose. Kinds
 * of kernels are a table (table.c), one file each: a workspace opens one, and layers call it through the
 * pass. What a kind does not have, a layer computes by itself.
 */
#ifndef PIPESTILL_NN_PRODUCTS_H
#define PIPESTILL_NN_PRODUCTS_H

#include "lib/nn/layers/window.h"
#include "pipestill/nn.h"

/* Kernels that are open, for the passes of one workspace at a time. */
struct pst_kernels {
    const struct pst_kernel_type *type;
    struct pst_arithmetic arithmetic;
    size_t threads;        /* of this pass, 1 or more */
    struct pst_team *team; /* of these threads; owned; NULL: there is only one */
    struct pst_idle idle;
    bool waits;             /* in the last pass a thread waited for others, which may have had no processor */
    enum pst_status status; /* PST_OK, or the error of the first product that failed */
    struct pst_error error;
    void *own; /* the type's */
};

/* Threads that a pass may use; NULL: one. */
static inline struct pst_team *pst_pass_team(const struct pst_pass *pass)
{
    return pass->kernels->team;
}

/* Who takes rows of a weight's gradient while the others are computed. */
struct pst_taking {
    const struct pst_pass *pass; /* with rows */
    const struct pst_parameter *weight;
    bool done; /* all rows were taken */
};

/* What follows a product, for kernels that can add it to sums which they have at hand. */
struct pst_finishing {
    const float *bias; /* [out]; NULL: none */
    bool relu;
    bool done; /* it is in the outputs */
};

/* A product of n samples with a weight [out, in]. */
struct pst_dense_product {
    const struct pst_layer *layer; /* which layer's product it is, and the key of what is prepared for it */

    size_t n, in, out;
    const float *weight;
    struct pst_finishing *finishing; /* of forward, which may do it; or NULL */
    struct pst_taking *taking;       /* of weight_gradient, which may use it; or NULL */
};

/* A convolution of n samples with a weight [maps, channels / groups, height, width]. */
struct pst_convolution {
    const struct pst_layer *layer;
    size_t n, channels, maps, groups;
    const struct pst_window *window;
    const float *weight;
    bool channels_last; /* inputs and outputs are [n, height, width, channels] */
};

/*
 * A kind of kernels. A product that fails leaves its outputs as they were, and sets kernels->status.
 *
 * bf16_is_faster: NULL, or whether bf16 is faster than f32 on this processor, which has it then. begin: NULL,
 * or takes over kernels->threads. open: makes `own`. close: frees it; NULL: there is nothing to free.
 * forward: outputs[n, out] = inputs[n, in] · weightᵀ. input_gradient: input_gradient[n, in] = gradient[n,
 * out] · weight. weight_gradient: weight_gradient[out, in] = gradientᵀ · inputs. convolve: the same of a
 * convolution; NULL: this kind has none. convolve_back: input_gradient and weight_gradient of one; the first
 * may be NULL. plan: NULL, or says how many layers at the start of a chain, whose parameters do not change,
 * run goes through at once; 0: none. run: does it for the chain of the last plan: inputs [n, in], channels
 * first, to the outputs of the last of these layers, whose channels are last.
 */
struct pst_kernel_type {
    const char *name;
    enum pst_status (*check)(const struct pst_arithmetic *arithmetic, struct pst_error *error);
    bool (*bf16_is_faster)(void);
    enum pst_status (*open)(struct pst_kernels *kernels, struct pst_error *error);
    void (*close)(struct pst_kernels *kernels);
    void (*begin)(const struct pst_kernels *kernels);
    void (*forward)(struct pst_kernels *kernels, const struct pst_dense_product *product, const float *inputs,
                    float *outputs);
    void (*input_gradient)(struct pst_kernels *kernels, const struct pst_dense_product *product,
                           const float *gradient, float *input_gradient);
    void (*weight_gradient)(struct pst_kernels *kernels, const struct pst_dense_product *product,
                            const float *gradient, const float *inputs, float *weight_gradient);
    void (*convolve)(struct pst_kernels *kernels, const struct pst_convolution *convolution,
                     const float *inputs, float *outputs);
    void (*convolve_back)(struct pst_kernels *kernels, const struct pst_convolution *convolution,
                          const float *gradient, const float *inputs, float *input_gradient,
                          float *weight_gradient);
    size_t (*plan)(struct pst_kernels *kernels, const struct pst_chain *chain, const struct pst_pass *pass,
                   const float *inputs);
    void (*run)(struct pst_kernels *kernels, const float *inputs, float *outputs);
};

/* The table, in the order of pst_kernel_names. */
extern const struct pst_kernel_type pst_kernels_openblas, pst_kernels_onednn;

/* Opens kernels for a workspace. Returns what pst_arithmetic_check returns, or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_kernels_open(struct pst_kernels *kernels,
                                             const struct pst_arithmetic *arithmetic,
                                             struct pst_error *error);
void pst_kernels_close(struct pst_kernels *kernels);

/* Decides how many threads a pass has, forward and back. */
void pst_kernels_begin(struct pst_kernels *kernels);

#endif
