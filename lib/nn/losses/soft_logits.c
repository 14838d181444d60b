/*
 * Losses of a teacher's logits at a temperature: both softmaxes stay in double, so neither rounding of the
 * targets nor their logarithm is needed, and each exponential is computed once. With d_j = T log t_j - T log
 * q_j, which is a difference of logits, the divergence is Σ t_j d_j.
 */
#include "lib/nn/losses/losses.h"

#include "lib/nn/softmax.h"
#include "pipestill/vectorised.h"

#include <math.h>

/* One of the two rows. */
struct side {
    const float *logits;
    double *powers; /* [classes]: exp((logits - largest) / T) */
    double factor;  /* 1 / Σ powers */
    double shift;   /* what T log softmax is less than the logits */
};

static struct side exponentiate(const float *logits, double *powers, size_t classes, double temperature)
{
    struct pst_normaliser row = pst_normalise_into(powers, logits, classes, temperature);
    return (struct side){ logits, powers, exp(-row.log_sum), row.largest + temperature * row.log_sum };
}

/* Sums side by side. */
enum { LANES = 8 };

/* Of classes j … j + LANES - 1, or fewer: adds t · T log t, if wanted, and - t · T log q. */
INLINE void add_classes(const struct side *teacher, const struct side *student, size_t j, size_t count,
                        double share, double sums[LANES])
{
    for (size_t lane = 0; lane < count; lane++) {
        double target = teacher->powers[j + lane] * teacher->factor;
        double log_q = (double)student->logits[j + lane] - student->shift;
        double log_t = (double)teacher->logits[j + lane] - teacher->shift;
        sums[lane] += target * (share * log_t - log_q);
    }
}

/* Σ t · (share · T log t - T log q) */
VECTORISED static double sum_differences(const struct side *teacher, const struct side *student,
                                         size_t classes, double share)
{
    double sums[LANES] = { 0 };
    size_t j = 0;
    for (; j + LANES <= classes; j += LANES)
        add_classes(teacher, student, j, LANES, share, sums);
    add_classes(teacher, student, j, classes - j, share, sums);
    for (size_t lane = 1; lane < LANES; lane++)
        sums[0] += sums[lane];
    return sums[0];
}

/* gradient += scale · (q - t) */
VECTORISED static void add_gradient(const struct side *teacher, const struct side *student, size_t classes,
                                    double scale, float *gradient)
{
    for (size_t j = 0; j < classes; j++)
        gradient[j] +=
            (float)(scale * (student->powers[j] * student->factor - teacher->powers[j] * teacher->factor));
}

double pst_soft_logits_row(const struct pst_loss_term *term, const float *outputs, const float *logits,
                           size_t classes, bool divergence, double weight, float *gradient, double *scratch)
{
    double temperature = term->temperature;
    struct side student = exponentiate(outputs, scratch, classes, temperature);
    struct side teacher = exponentiate(logits, scratch + classes, classes, temperature);
    if (gradient != NULL)
        add_gradient(&teacher, &student, classes, weight * temperature, gradient);
    return temperature * sum_differences(&teacher, &student, classes, divergence ? 1 : 0);
}
