/* bn.h: batch normalisation in two files: bn.c has the layer, and its passes over maps whose channels are
 * first; bn_rows.c those over maps whose channels are last, alone or together with the pooling behind it. */
#ifndef PIPESTILL_NN_BN_H
#define PIPESTILL_NN_BN_H

#include "lib/nn/layers/finish.h"

struct pst_bn {
    double momentum, epsilon;
    struct pst_taken_activation taken;
    size_t channels, area; /* settled */
};

/* Its parameters. */
enum { PST_BN_SCALE, PST_BN_OFFSET, PST_BN_MEAN, PST_BN_VARIANCE };

/* What was measured of a batch, each a row of channels. */
enum { PST_BN_BATCH_MEAN, PST_BN_BATCH_VARIANCE, PST_BN_BATCH_SCALE, PST_BN_BATCH_ROWS };

/* One of these rows in the layer's memory. */
float *pst_bn_batch(const struct pst_layer *layer, const struct pst_pass *pass, float *memory, size_t row);

/* Notes the mean of channel c of a batch, and the sum of the squares around it. */
void pst_bn_note(const struct pst_layer *layer, const struct pst_pass *pass, float *memory, size_t c,
                 double mean, double squares);

/* What channel c is multiplied by in use. */
float pst_bn_scale_for_use(const struct pst_layer *layer, const struct pst_pass *pass, size_t c);

/* What follows the normalisation. */
struct pst_finish pst_bn_finish(const struct pst_layer *layer);

/* Floats of scratch that the functions below need for so many channels. */
size_t pst_bn_rows_scratch(size_t channels);

/* As forward and backward of pst_layer_type, without handing over the gradients of parameters. */
void pst_bn_forward_rows(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                         float *outputs, float *memory);
void pst_bn_backward_rows(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                          const float *outputs, float *gradient, float *input_gradient, float *memory);

/* The same of a layer and the one behind it, as pst_layer_type says. */
bool pst_bn_joins(const struct pst_layer *layer, const struct pst_layer *next);
void pst_bn_forward_joined(const struct pst_joined *joined, const struct pst_pass *pass, const float *inputs,
                           float *outputs);
void pst_bn_backward_joined(const struct pst_joined *joined, const struct pst_pass *pass, const float *inputs,
                            const float *outputs, float *gradient, float *input_gradient);

/* Hands over the gradients of the layer's parameters, and what its statistics follow. */
void pst_bn_hand_over(const struct pst_layer *layer, const struct pst_pass *pass, float *memory);

#endif
