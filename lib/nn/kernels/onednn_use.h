/*
 * onednn_use.h: networks in use: the first layers of a chain as a row of oneDNN's operations. A normalisation
 * is in the weights before it, ReLU is computed along with the sums, and what lies between two operations is
 * in the product's precision, with the channels of maps last.
 */
#ifndef PIPESTILL_NN_ONEDNN_USE_H
#define PIPESTILL_NN_ONEDNN_USE_H

#include "lib/nn/kernels/products.h"

struct pst_onednn_use;

/* As plan and run of pst_kernel_type. */
size_t pst_onednn_plan(struct pst_kernels *kernels, const struct pst_chain *chain,
                       const struct pst_pass *pass, const float *inputs);
void pst_onednn_run(struct pst_kernels *kernels, const float *inputs, float *outputs);

void pst_onednn_use_free(struct pst_onednn_use *use);

/* The largest elements under windows over maps whose channels are last, n samples, by several threads. All
 * elements are 0 or larger: then their bits, as whole numbers, have the same order. */
struct pst_largest {
    const struct pst_window *window;
    size_t channels, n;
    struct pst_team *team;
    const void *values;
    void *best;
};
void pst_largest_16(const struct pst_largest *largest);
void pst_largest_32(const struct pst_largest *largest);

#endif
