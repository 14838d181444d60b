/* kl: T² · KL(t ‖ softmax(z / T)), which is 0 if student and teacher agree. */
#include "lib/nn/losses/losses.h"

static double row(const struct pst_loss_term *term, const float *logits, const void *target, size_t classes,
                  double weight, float *gradient)
{
    return pst_soft_row(term, logits, target, classes, true, weight, gradient);
}

static double row_of_logits(const struct pst_loss_term *term, const float *outputs, const float *logits,
                            size_t classes, double weight, float *gradient, double *scratch)
{
    return pst_soft_logits_row(term, outputs, logits, classes, true, weight, gradient, scratch);
}

const struct pst_loss_type pst_loss_kl = {
    .name = "kl",
    .help = "T^2 times the Kullback-Leibler divergence from soft targets",
    .target = PST_TARGET_DISTRIBUTION,
    .has_temperature = true,
    .row = row,
    .row_of_logits = row_of_logits,
};
