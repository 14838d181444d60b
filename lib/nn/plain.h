/*
 * plain.h: passes and updates in plain loops and double precision, slow and easy to check. Tests compare the
 * fast ones with these, and these with finite differences. Parameters, gradients and optimiser states are
 * flat vectors laid out as a network's parameters.
 */
#ifndef PIPESTILL_NN_PLAIN_H
#define PIPESTILL_NN_PLAIN_H

#include "pipestill/training.h"

/*
 * The factor by which dropout multiplies a unit in training: 0 or 1 / (share kept).
 * layer: 0 for the network's input, l for the units behind the l-th activation.
 */
double pst_plain_drop_factor(double share, uint64_t seed, uint64_t epoch, uint64_t id, size_t layer,
                             size_t unit);

/* The factor for a sample of a pass; 1 if the share is 0. */
double pst_plain_drop(const struct pst_plain_pass *pass, double share, size_t sample, size_t layer,
                      size_t unit);

/* Goes through a chain: inputs [n, in] to outputs [n, out]. Returns false if memory is short. */
PST_CHECKED bool pst_plain_chain_forward(const struct pst_chain *chain, const struct pst_plain_pass *pass,
                                         const double *inputs, double *outputs);

/*
 * And back, from the gradient of its outputs [n, out] to that of its inputs [n, in].
 * parameter_gradient: [parameters of the network]; is added to. Returns false if memory is short.
 */
PST_CHECKED bool pst_plain_chain_backward(const struct pst_chain *chain, const struct pst_plain_pass *pass,
                                          const double *inputs, const double *gradient,
                                          double *input_gradient, double *parameter_gradient);

/* Drops a network's inputs, [n, inputs], in place, as a training pass does before its first layer. */
void pst_plain_drop_inputs(const struct pst_network *network, const struct pst_plain_pass *pass,
                           double *inputs);

/* One step, the step-th from 1, over all parameters. first, second: the state; second is for Adam only. */
void pst_plain_step(const struct pst_network *network, const struct pst_optimiser_settings *settings,
                    double *parameters, const double *gradient, double *first, double *second, uint64_t step,
                    double learning_rate);

#endif
