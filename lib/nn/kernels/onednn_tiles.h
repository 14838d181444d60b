/*
 * onednn_tiles.h: dense layers by tiles.h, which threads share without waiting for one another, and which is
 * faster than oneDNN's products on processors with AVX-512 and without AMX. All functions return false if
 * they did nothing, and oneDNN is to do it. If memory is short, they return true and set kernels->status.
 */
#ifndef PIPESTILL_NN_ONEDNN_TILES_H
#define PIPESTILL_NN_ONEDNN_TILES_H

#include "lib/nn/kernels/products.h"

/* Whether products are better made by tiles. */
bool pst_tiles_multiply_for(const struct pst_kernels *kernels);

/* As those of pst_kernel_type. */
PST_CHECKED bool pst_tiles_forward(struct pst_kernels *kernels, const struct pst_dense_product *product,
                                   const float *inputs, float *outputs);
PST_CHECKED bool pst_tiles_input_gradient(struct pst_kernels *kernels,
                                          const struct pst_dense_product *product, const float *gradient,
                                          float *input_gradient);
PST_CHECKED bool pst_tiles_weight_gradient(struct pst_kernels *kernels,
                                           const struct pst_dense_product *product, const float *gradient,
                                           const float *inputs, float *weight_gradient);

/* A dense layer in use; the weight is [out, in], and the bias is [out] or NULL. */
struct pst_tiles_layer {
    size_t in, out;
    const float *weight, *bias;
    bool relu;
};

/* Layers that follow each other, with their weights as words. Owned by the caller. */
struct pst_tiles_chain;

/* Makes a chain of [count] layers; biases stay borrowed. NULL: memory is short. */
struct pst_tiles_chain *pst_tiles_chain_new(bool bf16, const struct pst_tiles_layer *layers, size_t count);
void pst_tiles_chain_free(struct pst_tiles_chain *chain);

/* outputs[n, out of the last layer], f32, of inputs[n, in of the first one]. */
void pst_tiles_chain_run(struct pst_kernels *kernels, const struct pst_tiles_chain *chain, size_t n,
                         const float *inputs, float *outputs);

#endif
