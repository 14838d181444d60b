/*
 * plain.h: passes and updates in plain loops and double precision, slow and easy to check: what the fast ones
 * are compared with, and what finite differences are taken of. Parameters, gradients and optimiser states are
 * flat vectors laid out as a network's parameters.
 */
#ifndef PIPESTILL_NN_PLAIN_H
#define PIPESTILL_NN_PLAIN_H

#include "pipestill/nn.h"

/* What a pass is made over. */
struct pst_plain_batch {
    size_t n;
    const double *input;               /* [n, inputs], before dropout */
    const struct pst_dropout *dropout; /* NULL for none */
    uint64_t epoch;
    const uint64_t *ids; /* [n]; may be NULL without dropout */
};

/*
 * By what dropout multiplies a unit: 0 or 1 / (share kept).
 * layer: 0 for the network's input, l for the units of hidden layer l.
 */
double pst_plain_drop_factor(double share, uint64_t seed, uint64_t epoch, uint64_t id, size_t layer,
                             size_t unit);

/* What a layer gives, in doubles: layer 0 is the input after dropout, the last the logits. Each is [n,
 * width]. parameters: [parameter_count]; the network gives only the shapes. */
void pst_plain_forward(const struct pst_network *network, const double *parameters,
                       const struct pst_plain_batch *batch, double *const values[PST_MAX_LAYERS + 1]);

/*
 * The gradient of a loss with respect to every parameter: [parameter_count], 0 in the padding.
 * values: of pst_plain_forward. gradients: [n, width] for each layer as in values; that of the last is given,
 * the others are filled.
 */
void pst_plain_backward(const struct pst_network *network, const double *parameters,
                        const struct pst_plain_batch *batch, double *const values[PST_MAX_LAYERS + 1],
                        double *const gradients[PST_MAX_LAYERS + 1], double *parameter_gradient);

/* One step, the step-th from 1, over all parameters. first, second: the state; second is for Adam only. */
void pst_plain_step(const struct pst_network *network, const struct pst_optimiser_settings *settings,
                    double *parameters, const double *gradient, double *first, double *second, uint64_t step,
                    double learning_rate);

#endif
