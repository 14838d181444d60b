/* Waves that are played faster, made louder, or put into noise. */
#include "lib/data/sound/read.h"

#include <math.h>
#include <string.h>

enum pst_status pst_sound_speed(const float *wave, size_t samples, double speed, struct pst_buffer *out,
                                size_t *count, struct pst_error *error)
{
    if (!(speed >= 0.5 && speed <= 2))
        return pst_fail(error, PST_USAGE, "speed %g: it lies in 0.5 … 2", speed);
    if (speed < 1 || speed > 1)
        return pst_sound_resample(wave, samples, 1 / speed, out, count, error);
    enum pst_status status = pst_buffer_reserve(out, samples * sizeof(float), 0, error);
    if (status == PST_OK && samples > 0)
        memcpy(out->data, wave, samples * sizeof(float));
    *count = samples;
    return status;
}

/* The standard deviation of some samples. */
static double deviation_of(const float *wave, size_t samples)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < samples; i++)
        mean += (double)wave[i] / (double)samples;
    for (size_t i = 0; i < samples; i++)
        squares += ((double)wave[i] - mean) * ((double)wave[i] - mean);
    return samples > 0 ? sqrt(squares / (double)samples) : 0;
}

void pst_sound_noise(float *wave, size_t samples, double ratio, struct pst_random *random)
{
    double deviation = deviation_of(wave, samples) * pow(10, -ratio / 20);
    for (size_t i = 0; i < samples; i++)
        wave[i] = (float)((double)wave[i] + deviation * pst_random_normal(random));
}

void pst_sound_gain(float *wave, size_t samples, double gain)
{
    const float factor = (float)pow(10, gain / 20);
    for (size_t i = 0; i < samples; i++)
        wave[i] *= factor;
}
