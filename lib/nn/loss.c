/* What training minimises, with its gradient: cross-entropy with labels, soft targets at a temperature,
 * squared error on logits. docs/training.md writes the formulas out. */
#include "lib/nn/softmax.h"

#include "pipestill/nn.h"

#include <math.h>
#include <string.h>

/*
 * The classic loss of a label: - log softmax(z)_y, with gradient softmax(z) - [j = y].
 * gradient: weight times the gradient is added to it; may be NULL.
 */
static double hard_loss(const float *logits, size_t classes, int32_t label, double weight, float *gradient)
{
    struct pst_normaliser row = pst_normalise(logits, classes, 1);
    if (gradient != NULL) {
        for (size_t j = 0; j < classes; j++) {
            double probability = exp((double)logits[j] - row.largest - row.log_sum);
            gradient[j] += (float)(weight * (probability - (j == (size_t)label ? 1.0 : 0.0)));
        }
    }
    return row.log_sum - ((double)logits[label] - row.largest);
}

/*
 * T² · cross-entropy(t, q), q = softmax(z / T), or the KL divergence, which has the entropy of t taken off.
 * The gradient of both is T · (Σt · q - t) (Hinton et al. 2015, section 2.1, times T²); Σt is 1 up to the
 * rounding of the targets, which T would make large.
 */
static double soft_loss(const float *logits, const float *targets, size_t classes, bool divergence,
                        double temperature, double weight, float *gradient)
{
    struct pst_normaliser row = pst_normalise(logits, classes, temperature);
    double sum = 0, mass = 0;
    for (size_t j = 0; j < classes; j++) {
        double target = (double)targets[j];
        mass += target;
        if (target == 0) /* 0 · log 0 is 0 */
            continue;
        /* T times the logarithms: neither can a small T overflow them, nor T² vanish */
        double log_q = (double)logits[j] - row.largest - temperature * row.log_sum;
        sum += target * ((divergence ? temperature * log(target) : 0) - log_q);
    }
    if (gradient != NULL) {
        for (size_t j = 0; j < classes; j++) {
            double q = exp(((double)logits[j] - row.largest) / temperature - row.log_sum);
            gradient[j] += (float)(weight * temperature * (mass * q - (double)targets[j]));
        }
    }
    return temperature * sum;
}

/* ½ ‖z - v‖² / classes, with gradient (z - v) / classes (Bucilă et al. 2006). */
static double logits_loss(const float *logits, const float *targets, size_t classes, double weight,
                          float *gradient)
{
    double sum = 0;
    for (size_t j = 0; j < classes; j++) {
        double difference = (double)logits[j] - (double)targets[j];
        sum += difference * difference;
        if (gradient != NULL)
            gradient[j] += (float)(weight * difference / (double)classes);
    }
    return 0.5 * sum / (double)classes;
}

static bool is_error(const float *logits, size_t classes, int32_t label)
{
    size_t best = 0;
    for (size_t j = 1; j < classes; j++)
        if (logits[j] > logits[best])
            best = j;
    return best != (size_t)label;
}

void pst_loss_compute(const struct pst_loss *loss, const float *logits, const int32_t *labels,
                      const float *targets, size_t n, size_t classes, float *gradient,
                      struct pst_loss_sums *sums)
{
    *sums = (struct pst_loss_sums){ 0 };
    if (gradient != NULL)
        memset(gradient, 0, n * classes * sizeof *gradient);
    double hard_weight = loss->hard_weight / (double)n, soft_weight = loss->soft_weight / (double)n;
    for (size_t i = 0; i < n; i++) {
        const float *z = logits + i * classes;
        float *g = gradient != NULL ? gradient + i * classes : NULL;
        if (labels != NULL) {
            sums->hard += hard_loss(z, classes, labels[i], hard_weight, loss->hard_weight > 0 ? g : NULL);
            sums->errors += is_error(z, classes, labels[i]);
        }
        if (loss->soft_weight > 0) {
            const float *t = targets + i * classes;
            sums->soft += loss->soft == PST_SOFT_LOGITS ? logits_loss(z, t, classes, soft_weight, g)
                                                        : soft_loss(z, t, classes, loss->soft == PST_SOFT_KL,
                                                                    loss->temperature, soft_weight, g);
        }
    }
    if (loss->hard_weight > 0)
        sums->total += loss->hard_weight * sums->hard;
    if (loss->soft_weight > 0)
        sums->total += loss->soft_weight * sums->soft;
}
