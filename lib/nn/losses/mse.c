/* mse: ‖z - v‖² / M over the M outputs, with gradient 2 (z - v) / M: regression. */
#include "lib/nn/losses/losses.h"

static double row(const struct pst_loss_term *term, const float *outputs, const void *target, size_t count,
                  double weight, float *gradient)
{
    (void)term;
    return pst_squared_row(outputs, target, count, 2 * weight, gradient) / (double)count;
}

const struct pst_loss_type pst_loss_mse = {
    .name = "mse",
    .help = "mean squared difference from numbers: regression",
    .target = PST_TARGET_NUMBERS,
    .row = row,
};
