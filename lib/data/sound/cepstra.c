/* Cepstra: the cosine transform of log energies, DCT-II with orthonormal rows, and the lifter of HTK and
 * Kaldi. */
#include "lib/data/sound/features.h"

#include <math.h>

#define PI 3.14159265358979323846
#define LIFTER 22.0

void pst_cepstra_matrix(size_t coefficients, size_t bands, float *matrix)
{
    for (size_t k = 0; k < coefficients; k++) {
        double scale = sqrt((k == 0 ? 1 : 2) / (double)bands);
        double lifter = 1 + LIFTER / 2 * sin(PI * (double)k / LIFTER);
        for (size_t i = 0; i < bands; i++)
            matrix[k * bands + i] =
                (float)(lifter * scale * cos(PI / (double)bands * ((double)i + 0.5) * (double)k));
    }
}

void pst_cepstra_make(const float *matrix, size_t coefficients, size_t bands, const float *energies,
                      float *cepstra)
{
    for (size_t k = 0; k < coefficients; k++) {
        double sum = 0;
        for (size_t i = 0; i < bands; i++)
            sum += (double)matrix[k * bands + i] * (double)energies[i];
        cepstra[k] = (float)sum;
    }
}
