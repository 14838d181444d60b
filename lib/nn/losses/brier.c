/*
 * brier: T² · Σ (q - t)², q = softmax(z / T): the squared difference of probabilities (Brier 1950). With d =
 * q - t the gradient is 2 T q_j (d_j - Σ q_k d_k), which is small if q is near 0 or 1, right or not.
 */
#include "lib/nn/losses/losses.h"
#include "lib/nn/softmax.h"

#include <math.h>

static double row(const struct pst_loss_term *term, const float *logits, const void *target, size_t classes,
                  double weight, float *gradient)
{
    const float *targets = target;
    double temperature = term->temperature, squares = 0, mean = 0;
    struct pst_normaliser normaliser = pst_normalise(logits, classes, temperature);
    for (size_t j = 0; j < classes; j++) {
        double q = exp(((double)logits[j] - normaliser.largest) / temperature - normaliser.log_sum);
        double difference = q - (double)targets[j];
        squares += difference * difference;
        mean += q * difference;
    }
    for (size_t j = 0; gradient != NULL && j < classes; j++) {
        double q = exp(((double)logits[j] - normaliser.largest) / temperature - normaliser.log_sum);
        gradient[j] += (float)(2 * weight * temperature * q * (q - (double)targets[j] - mean));
    }
    return temperature * temperature * squares;
}

const struct pst_loss_type pst_loss_brier = {
    .name = "brier",
    .help = "T^2 times the squared difference of probabilities",
    .target = PST_TARGET_DISTRIBUTION,
    .has_temperature = true,
    .row = row,
};
