/* Windows of sound, as Kaldi's ProcessWindow has them. */
#include "lib/data/sound/features.h"

#include <math.h>

void pst_window_make(enum pst_feature_window window, size_t length, float *factors)
{
    const double step = 2 * 3.14159265358979323846 / (double)(length - 1);
    for (size_t i = 0; i < length; i++) {
        double wave = cos(step * (double)i);
        factors[i] = (float)(window == PST_HAMMING ? 0.54 - 0.46 * wave : pow(0.5 - 0.5 * wave, 0.85));
    }
}

/* In several sums, which the processor adds at once. */
#define SUMS 8

static float mean_of(const float *wave, size_t length)
{
    double sums[SUMS] = { 0 }, sum = 0;
    size_t whole = length / SUMS * SUMS;
    for (size_t i = 0; i < whole; i += SUMS)
        for (size_t j = 0; j < SUMS; j++)
            sums[j] += (double)wave[i + j];
    for (size_t i = whole; i < length; i++)
        sum += (double)wave[i];
    for (size_t j = 0; j < SUMS; j++)
        sum += sums[j];
    return (float)(sum / (double)length);
}

void pst_window_take(const float *wave, const float *factors, size_t length, double pre_emphasis,
                     float *taken)
{
    const float mean = mean_of(wave, length), emphasis = (float)pre_emphasis;
    /* Nothing is before the first sample, so it stands for that, too. */
    taken[0] = ((wave[0] - mean) - emphasis * (wave[0] - mean)) * factors[0];
    for (size_t i = 1; i < length; i++)
        taken[i] = ((wave[i] - mean) - emphasis * (wave[i - 1] - mean)) * factors[i];
}
