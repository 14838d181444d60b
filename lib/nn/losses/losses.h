/* losses.h: what types of losses share: soft targets at a temperature, and squared differences. */
#ifndef PIPESTILL_LIB_NN_LOSSES_H
#define PIPESTILL_LIB_NN_LOSSES_H

#include "pipestill/losses.h"

/*
 * T² · cross-entropy(t, q), q = softmax(z / T), or, if `divergence`, the KL divergence, which has the entropy
 * of t taken off. Their gradient is the same. Arguments and result as those of a type's row.
 */
double pst_soft_row(const struct pst_loss_term *term, const float *logits, const float *targets,
                    size_t classes, bool divergence, double weight, float *gradient);

/*
 * Σ (z - v)²; weight · (z - v) / count is added to the gradient, if there is one. Half of it over count is
 * the loss on logits, all of it over count, with twice the weight, the mean squared error.
 */
double pst_squared_row(const float *outputs, const float *targets, size_t count, double weight,
                       float *gradient);

#endif
