/* features: ‖p - h‖² / M over the M numbers of a hint h, p a learned projection of a layer, with gradient 2
 * (p - h) / M (Romero et al. 2015, eq. 3, who take half the sum). */
#include "lib/nn/losses/losses.h"

static double row(const struct pst_loss_term *term, const float *outputs, const void *target, size_t count,
                  double weight, float *gradient)
{
    (void)term;
    return pst_squared_row(outputs, target, count, 2 * weight, gradient) / (double)count;
}

const struct pst_loss_type pst_loss_features = {
    .name = "features",
    .help = "mean squared difference of a layer, through a learned projection, from a hint",
    .target = PST_TARGET_HINT,
    .projects = true,
    .row = row,
};
