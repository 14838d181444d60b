/* conv.h: convolution in two files: conv.c has the layer and its fast passes, conv_plain.c the plain ones. */
#ifndef PIPESTILL_NN_CONV_H
#define PIPESTILL_NN_CONV_H

#include "lib/nn/layers/finish.h"
#include "lib/nn/layers/window.h"

struct pst_conv {
    struct pst_window window;
    size_t maps, groups; /* both 0 if depthwise, until settling counts the channels */
    bool depthwise, no_bias, bias;
    bool implied_no_bias; /* because batch normalisation follows, which takes every mean away */
    struct pst_taken_activation taken;
    size_t depth, area,
        together; /* rows and columns of a sample's matrix for a group; samples side by side */
};

/* Its parameters. The weight is [maps, channels / groups, height, width]. */
enum { PST_CONV_WEIGHT, PST_CONV_BIAS };

/* What follows the sums, if the channels are first. */
struct pst_finish pst_conv_finish(const struct pst_layer *layer);

/* A layer's functions plain_forward and plain_backward. */
void pst_conv_plain_forward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                            const double *inputs, double *outputs);
void pst_conv_plain_backward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                             const double *inputs, const double *gradient, double *input_gradient,
                             double *parameter_gradient);

#endif
