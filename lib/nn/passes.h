/* passes.h: what settling and passing through chains share. */
#ifndef PIPESTILL_NN_PASSES_H
#define PIPESTILL_NN_PASSES_H

#include "pipestill/layers.h"

/* Settles where the layers' outputs and their own memory stand in a chain's memory. */
void pst_chain_lay_out(struct pst_chain *chain);

/* Floats that the gradients of one layer's parameters take at the most, in a chain and those inside of it. */
size_t pst_chain_gradient_count(const struct pst_chain *chain);

/* The same of the scratch of one layer. */
size_t pst_chain_scratch(const struct pst_chain *chain, bool training);

/* Whether a layer has parameters, or layers that have some. */
bool pst_layer_learns(const struct pst_layer *layer);

/* count, up to the next multiple of what keeps floats aligned. */
size_t pst_aligned(size_t count);

#endif
