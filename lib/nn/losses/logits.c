/* logits: ½ ‖z - v‖² / N, v a teacher's logits, with gradient (z - v) / N (Bucilă et al. 2006). */
#include "lib/nn/losses/losses.h"

static double row(const struct pst_loss_term *term, const float *outputs, const void *target, size_t count,
                  double weight, float *gradient)
{
    (void)term;
    return 0.5 * pst_squared_row(outputs, target, count, weight, gradient) / (double)count;
}

const struct pst_loss_type pst_loss_logits = {
    .name = "logits",
    .help = "half the mean squared difference from a teacher's logits",
    .target = PST_TARGET_LOGITS,
    .row = row,
};
