/* cross-entropy: - T² · Σ t log softmax(z / T), with the gradient of kl. */
#include "lib/nn/losses/losses.h"

static double row(const struct pst_loss_term *term, const float *logits, const void *target, size_t classes,
                  double weight, float *gradient)
{
    return pst_soft_row(term, logits, target, classes, false, weight, gradient);
}

static double row_of_logits(const struct pst_loss_term *term, const float *outputs, const float *logits,
                            size_t classes, double weight, float *gradient, double *scratch)
{
    return pst_soft_logits_row(term, outputs, logits, classes, false, weight, gradient, scratch);
}

const struct pst_loss_type pst_loss_cross_entropy = {
    .name = "cross-entropy",
    .help = "T^2 times the cross-entropy with soft targets; the gradient is that of kl",
    .target = PST_TARGET_DISTRIBUTION,
    .has_temperature = true,
    .row = row,
    .row_of_logits = row_of_logits,
};
