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

void pst_window_take(const float *wave, const float *factors, size_t length, double pre_emphasis,
                     float *taken)
{
    const float emphasis = (float)pre_emphasis;
    float sum = 0; /* one after the other, as in Kaldi, so that the transform gets the same bits */
    for (size_t i = 0; i < length; i++)
        sum += wave[i];
    const float mean = sum / (float)length;
    /* No sample is before the first one, so the first one replaces it. */
    taken[0] = ((wave[0] - mean) - emphasis * (wave[0] - mean)) * factors[0];
    for (size_t i = 1; i < length; i++)
        taken[i] = ((wave[i] - mean) - emphasis * (wave[i - 1] - mean)) * factors[i];
}
