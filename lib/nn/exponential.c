/* Exponentials and logarithms of many numbers at once. */
#include "lib/nn/exponential.h"
#include "lib/nn/kernels.h"

#include <float.h>

/* log x = e · ln 2 + log m with m from √½ to √2, and log m = 2 artanh s with s = (m - 1) / (m + 1), by its
 * series. */
INLINE double logarithm(double x)
{
    const uint64_t root = pst_bits_of(0x1.6a09e667f3bcdp-1), one = pst_bits_of(1.0);
    uint64_t moved = pst_bits_of(x) - root + one;
    double e = pst_of_bits((moved >> 52) | pst_bits_of(0x1p52)) - (0x1p52 + 1023);
    double m = pst_of_bits((moved & 0x000fffffffffffffULL) + root);
    double s = (m - 1) / (m + 1), z = s * s;
    double z2 = z * z, z4 = z2 * z2, z8 = z4 * z4;
    double low = (1.0 / 3 + z * (1.0 / 5)) + z2 * (1.0 / 7 + z * (1.0 / 9));
    double middle = (1.0 / 11 + z * (1.0 / 13)) + z2 * (1.0 / 15 + z * (1.0 / 17));
    double high = (1.0 / 19 + z * (1.0 / 21)) + z2 * (1.0 / 23);
    double series = low + z4 * middle + z8 * high;
    double small = 2 * s * z * series + e * LN2_LOW;
    return pst_chosen(x > 0, e * LN2_HIGH + (2 * s + small), x - x);
}

/* A vector has at most so many floats. The last numbers of a row are computed in a full vector, because one
 * alone would take as long as a whole vector; the results for the filling are not used. */
#define TOGETHER 16

/* TOGETHER, hidden from the compiler: it would unroll a loop of a constant length instead of making vectors
 * of it. */
INLINE size_t a_vector(void)
{
    size_t count = TOGETHER;
    __asm__("" : "+r"(count));
    return count;
}

/* A row's softmax, without its logits. */
struct softmax {
    double largest, factor, log_sum; /* factor: 1 / T */
};

INLINE void softmax_of(double *restrict results, const float *restrict logits, size_t count,
                       const struct softmax *row)
{
    for (size_t i = 0; i < count; i++)
        results[i] = exponential(fma((double)logits[i] - row->largest, row->factor, -row->log_sum));
}

INLINE void logarithms_of(double *restrict results, const float *restrict values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double value = (double)values[i];
        results[i] = logarithm(pst_chosen(value == 0, 1, value));
    }
}

VECTORISED_STATIC void compute_softmax(double *restrict results, const float *restrict logits, size_t count,
                                       const struct softmax *given)
{
    const struct softmax row = *given;
    size_t rest = count % TOGETHER, whole = count - rest;
    softmax_of(results, logits, whole, &row);
    if (rest == 0)
        return;
    float last[TOGETHER];
    double found[TOGETHER];
    for (size_t i = 0; i < TOGETHER; i++)
        last[i] = i < rest ? logits[whole + i] : 0;
    softmax_of(found, last, a_vector(), &row);
    for (size_t i = 0; i < rest; i++)
        results[whole + i] = found[i];
}

void pst_kernel_softmax(double *restrict results, const float *restrict logits, size_t count, double largest,
                        double temperature, double log_sum)
{
    const struct softmax row = { largest, fmin(1 / temperature, DBL_MAX), log_sum };
    compute_softmax(results, logits, count, &row);
}

VECTORISED void pst_kernel_log(double *restrict results, const float *restrict values, size_t count)
{
    size_t rest = count % TOGETHER, whole = count - rest;
    logarithms_of(results, values, whole);
    if (rest == 0)
        return;
    float last[TOGETHER];
    double found[TOGETHER];
    for (size_t i = 0; i < TOGETHER; i++)
        last[i] = i < rest ? values[whole + i] : 1;
    logarithms_of(found, last, a_vector());
    for (size_t i = 0; i < rest; i++)
        results[whole + i] = found[i];
}
