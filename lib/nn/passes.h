/* passes.h: what settling and passing through chains share. */
#ifndef PIPESTILL_NN_PASSES_H
#define PIPESTILL_NN_PASSES_H

#include "pipestill/layers.h"

/* Sets the places of the layers' outputs and of their own memory in a chain's memory. */
void pst_chain_lay_out(struct pst_chain *chain);

/* As pst_chain_forward, from a layer on; the outputs of the one before it are where it leaves them. */
void pst_chain_forward_from(const struct pst_chain *chain, const struct pst_pass *pass, size_t first,
                            const float *inputs, float *outputs, float *memory);

/* The most floats that the gradients of one layer's parameters need, in a chain and those inside of it. */
size_t pst_chain_gradient_count(const struct pst_chain *chain);

/* The most floats that the scratch of one layer needs. */
size_t pst_chain_scratch(const struct pst_chain *chain, bool training);

/* Whether all layers can take maps whose channels are last. */
bool pst_chain_takes_channels_last(const struct pst_chain *chain);

/* Whether a layer has parameters, or layers that have some. */
bool pst_layer_learns(const struct pst_layer *layer);

/* count, rounded up so that the floats behind are aligned. */
size_t pst_aligned(size_t count);

#endif
