/* losses.h: what types of losses share: soft targets at a temperature, and squared differences. */
#ifndef PIPESTILL_LIB_NN_LOSSES_H
#define PIPESTILL_LIB_NN_LOSSES_H

#include "pipestill/losses.h"

/*
 * T² · cross-entropy(t, q), q = softmax(z / T), or, if `divergence`, the KL divergence, which is less by the
 * entropy of t. Their gradient is the same. Arguments and result as those of a type's row.
 */
double pst_soft_row(const struct pst_loss_term *term, const float *logits, const float *targets,
                    size_t classes, bool divergence, double weight, float *gradient);

/* The same with a teacher's logits, whose softmax at T is t. scratch: [2, classes]. */
double pst_soft_logits_row(const struct pst_loss_term *term, const float *outputs, const float *logits,
                           size_t classes, bool divergence, double weight, float *gradient, double *scratch);

/*
 * Σ (z - v)². Adds weight · (z - v) / count to the gradient, if there is one. The loss on logits is the half
 * of it over count; the mean squared error is all of it over count, with twice the weight.
 */
double pst_squared_row(const float *outputs, const float *targets, size_t count, double weight,
                       float *gradient);

#endif
