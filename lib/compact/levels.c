/*
 * Logits in 8 bits: level q stands for q steps below the largest. Softmax does not change if all logits grow
 * by the same number, so for probabilities the largest need not be kept: it has level 0.
 */
#include "lib/compact/codec.h"

#include <math.h>

#define LEVELS 256

/*
 * A class with a probability of 1e-30 must not make the steps coarse for the others, so log-probabilities end
 * here. All classes that are lifted to this end together get at most e^-12, or 6e-6, of the largest.
 */
double pst_u8_reach(size_t classes)
{
    return 12 + log((double)classes);
}

/* The smallest half that is at least the number; infinite beyond 65504. */
static uint16_t half_not_below(double number)
{
    uint16_t half = pst_half_from_f32((float)number);
    if ((double)pst_half_to_f32(half) >= number)
        return half;
    return (uint16_t)(half & 0x8000U ? half - 1U : half + 1U);
}

static bool is_finite(uint16_t half)
{
    return (half & 0x7FFFU) < 0x7C00U;
}

/* Writes log-probabilities, or the logits themselves. Returns the largest. */
static double take_logs(const struct pst_target *target, const float *row, double *logs)
{
    double largest = -INFINITY;
    for (size_t c = 0; c < target->classes; c++) {
        logs[c] = target->logits ? (double)row[c] : log((double)row[c]);
        largest = fmax(largest, logs[c]);
    }
    return largest;
}

pst_fault pst_u8_pack(const struct pst_target *target, const float *row, uint8_t *levels, uint16_t *step,
                      uint16_t *largest, double *scratch)
{
    double top = take_logs(target, row, scratch), range = 0;
    double reach = target->logits ? (double)INFINITY : pst_u8_reach(target->classes);
    if (target->logits) {
        *largest = half_not_below(top);
        if (!is_finite(*largest))
            return "its largest logit is beyond the largest f16, 65504";
        top = (double)pst_half_to_f32(*largest);
    }
    for (size_t c = 0; c < target->classes; c++) {
        scratch[c] = fmin(top - scratch[c], reach);
        range = fmax(range, scratch[c]);
    }
    /* Rounded up, so that the lowest class has a level, too. */
    *step = half_not_below(range / (LEVELS - 1));
    if (!is_finite(*step))
        return "its logits are too far apart for 256 levels";
    double unit = (double)pst_half_to_f32(*step), inverse = unit > 0 ? 1 / unit : 0;
    for (size_t c = 0; c < target->classes; c++)
        levels[c] = (uint8_t)fmin(floor(scratch[c] * inverse + 0.5), LEVELS - 1);
    return NULL;
}

void pst_u8_powers_plain(const uint8_t *levels, double step, size_t classes, double *powers)
{
    for (size_t c = 0; c < classes; c++)
        powers[c] = exp(-step * levels[c]);
}

void pst_u8_powers(const uint8_t *levels, double step, size_t classes, double *powers)
{
    if (classes <= LEVELS) {
        pst_u8_powers_plain(levels, step, classes, powers);
        return;
    }
    double table[LEVELS];
    for (int level = 0; level < LEVELS; level++)
        table[level] = exp(-step * level);
    for (size_t c = 0; c < classes; c++)
        powers[c] = table[levels[c]];
}

pst_fault pst_u8_restore(const struct pst_target *target, const uint8_t *levels, uint16_t step,
                         uint16_t largest, float *row, double *scratch)
{
    double unit = (double)pst_half_to_f32(step), sum = 0;
    if (!is_finite(step) || unit < 0)
        return "its step is NaN, infinite or below 0";
    if (!is_finite(largest))
        return "its largest logit is NaN or infinite";
    if (target->logits) {
        double top = (double)pst_half_to_f32(largest);
        for (size_t c = 0; c < target->classes; c++)
            row[c] = (float)(top - unit * levels[c]);
        return NULL;
    }
    pst_u8_powers(levels, unit, target->classes, scratch);
    for (size_t c = 0; c < target->classes; c++)
        sum += scratch[c];
    if (!(sum >= 1))
        return "no class has level 0";
    for (size_t c = 0; c < target->classes; c++)
        row[c] = (float)(scratch[c] / sum);
    return NULL;
}
