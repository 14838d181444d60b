/* What types of losses share: soft targets at a temperature, and squared differences. */
#include "lib/nn/losses/losses.h"

#include "lib/nn/softmax.h"

#include <math.h>

/*
 * The gradient is T · (Σt · q - t) (Hinton et al. 2015, section 2.1, times T²); Σt is 1 up to the rounding of
 * the targets, which T would make large, and the divergence is that of targets that add up to 1, times Σt,
 * for the same reason: T² Σt log Σt is larger than all else at T = 10^6.
 */
double pst_soft_row(const struct pst_loss_term *term, const float *logits, const float *targets,
                    size_t classes, bool divergence, double weight, float *gradient)
{
    double temperature = term->temperature, sum = 0, mass = 0;
    struct pst_normaliser row = pst_normalise(logits, classes, temperature);
    for (size_t j = 0; j < classes; j++) {
        double target = (double)targets[j];
        mass += target;
        if (target == 0) /* 0 · log 0 is 0 */
            continue;
        /* T times the logarithms: neither can a small T overflow them, nor T² vanish */
        double log_q = (double)logits[j] - row.largest - temperature * row.log_sum;
        sum += target * ((divergence ? temperature * log(target) : 0) - log_q);
    }
    if (divergence && mass > 0)
        sum -= temperature * (mass * log(mass));
    for (size_t j = 0; gradient != NULL && j < classes; j++) {
        double q = exp(((double)logits[j] - row.largest) / temperature - row.log_sum);
        gradient[j] += (float)(weight * temperature * (mass * q - (double)targets[j]));
    }
    return temperature * sum;
}

double pst_squared_row(const float *outputs, const float *targets, size_t count, double weight,
                       float *gradient)
{
    double sum = 0;
    for (size_t j = 0; j < count; j++) {
        double difference = (double)outputs[j] - (double)targets[j];
        sum += difference * difference;
        if (gradient != NULL)
            gradient[j] += (float)(weight * difference / (double)count);
    }
    return sum;
}
