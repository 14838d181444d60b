/*
 * bce: the mean over the M outputs of - t log σ(z) - (1 - t) log(1 - σ(z)), σ(z) = 1 / (1 + exp(-z)), with
 * gradient (σ(z) - t) / M: several labels a sample. It is computed as max(z, 0) - z t + log(1 + exp(-|z|)),
 * in which nothing overflows.
 */
#include "lib/nn/losses/losses.h"

#include <math.h>

static double row(const struct pst_loss_term *term, const float *outputs, const void *target, size_t count,
                  double weight, float *gradient)
{
    (void)term;
    const float *bits = target;
    double sum = 0;
    for (size_t j = 0; j < count; j++) {
        double z = (double)outputs[j], bit = (double)bits[j], small = exp(-fabs(z));
        sum += (z > 0 ? z : 0) - z * bit + log1p(small);
        if (gradient != NULL)
            gradient[j] += (float)(weight * ((z > 0 ? 1 : small) / (1 + small) - bit) / (double)count);
    }
    return sum / (double)count;
}

const struct pst_loss_type pst_loss_bce = {
    .name = "bce",
    .help = "binary cross-entropy with bits, mean over outputs: several labels a sample",
    .target = PST_TARGET_BITS,
    .row = row,
};
