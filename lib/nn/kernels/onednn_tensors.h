/* onednn_tensors.h: matrices, maps and weights as oneDNN describes them. */
#ifndef PIPESTILL_NN_ONEDNN_TENSORS_H
#define PIPESTILL_NN_ONEDNN_TENSORS_H

#include "lib/nn/kernels/onednn_operation.h"

/* A matrix of rows · columns, in memory as it is, or transposed. Another layout is worth its making only if
 * that is kept. */
struct pst_onednn_tensor pst_onednn_matrix(int argument, size_t rows, size_t columns, bool transposed,
                                           bool kept);

/* Maps of n samples. Those whose channels are last stay as they are. */
struct pst_onednn_tensor pst_onednn_maps(int argument, size_t n, size_t maps, const size_t size[2],
                                         bool channels_last);

/* The weights of a convolution. */
struct pst_onednn_tensor pst_onednn_weights(int argument, const struct pst_convolution *convolution);

struct pst_onednn_window pst_onednn_window_of(const struct pst_window *window);

#endif
