/* What types of losses share: soft targets at a temperature, and squared differences. */
#include "lib/nn/losses/losses.h"

#include "lib/nn/kernels.h"
#include "lib/nn/softmax.h"
#include "pipestill/vectorised.h"

#include <math.h>

/* Some classes of one row. */
struct piece {
    const float *logits, *targets;
    size_t count;
    struct pst_normaliser row;
    double temperature;
};

static void take_piece(struct piece *piece, const float *logits, const float *targets, size_t at,
                       size_t classes)
{
    piece->logits = logits + at;
    piece->targets = targets + at;
    piece->count = classes - at < PST_AT_ONCE ? classes - at : PST_AT_ONCE;
}

/* What one class adds to the divergence. Of a target of 0 that is 0. T times the logarithms: neither can a
 * small T overflow them, nor T² vanish. */
INLINE double divergence_of(const struct piece *piece, const double *logs, size_t j)
{
    double target = (double)piece->targets[j];
    double log_q = (double)piece->logits[j] - piece->row.largest - piece->temperature * piece->row.log_sum;
    return pst_chosen(target == 0, 0, target * (piece->temperature * logs[j] - log_q));
}

/* Sums side by side. */
enum { LANES = 8 };

/* Σ t · (T log t - T log q), the logarithms given, and Σ t into mass: of few classes one after another. */
VECTORISED static double sum_divergence(const struct piece *piece, const double *logs, double *mass)
{
    double sums[LANES] = { 0 }, masses[LANES] = { *mass };
    size_t j = 0;
    for (; piece->count >= PST_FEW && j + LANES <= piece->count; j += LANES)
        for (size_t lane = 0; lane < LANES; lane++) {
            sums[lane] += divergence_of(piece, logs, j + lane);
            masses[lane] += (double)piece->targets[j + lane];
        }
    for (; j < piece->count; j++) {
        sums[0] += divergence_of(piece, logs, j);
        masses[0] += (double)piece->targets[j];
    }
    for (size_t lane = 1; lane < LANES; lane++) {
        sums[0] += sums[lane];
        masses[0] += masses[lane];
    }
    *mass = masses[0];
    return sums[0];
}

/* The same, or without Σ t · T log t. */
static double add_divergence(const struct piece *piece, bool divergence, double *mass)
{
    double logs[PST_AT_ONCE] = { 0 };
    if (divergence)
        pst_kernel_log(logs, piece->targets, piece->count);
    return sum_divergence(piece, logs, mass);
}

/* gradient += weight · T · (mass · q - t) */
static void add_gradient(const struct piece *piece, double weight, double mass, float *gradient)
{
    double q[PST_AT_ONCE], temperature = piece->temperature;
    pst_kernel_softmax(q, piece->logits, piece->count, piece->row.largest, temperature, piece->row.log_sum);
    for (size_t j = 0; j < piece->count; j++)
        gradient[j] += (float)(weight * temperature * (mass * q[j] - (double)piece->targets[j]));
}

/*
 * The gradient is T · (Σt · q - t) (Hinton et al. 2015, section 2.1, times T²). Σt is 1 except for the
 * rounding of the targets, but T would make that error large. For the same reason the divergence is that of
 * targets that sum to 1, times Σt: at T = 10^6 the term T² Σt log Σt would be larger than all others.
 */
double pst_soft_row(const struct pst_loss_term *term, const float *logits, const float *targets,
                    size_t classes, bool divergence, double weight, float *gradient)
{
    double temperature = term->temperature, sum = 0, mass = 0;
    struct piece piece = { .row = pst_normalise(logits, classes, temperature), .temperature = temperature };
    for (size_t at = 0; at < classes; at += PST_AT_ONCE) {
        take_piece(&piece, logits, targets, at, classes);
        sum += add_divergence(&piece, divergence, &mass);
    }
    if (divergence && mass > 0)
        sum -= temperature * (mass * log(mass));
    for (size_t at = 0; gradient != NULL && at < classes; at += PST_AT_ONCE) {
        take_piece(&piece, logits, targets, at, classes);
        add_gradient(&piece, weight, mass, gradient + at);
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
