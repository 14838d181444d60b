/* exponential.h: the exponential that loops over many numbers share, in a form that can be vectorised. */
#ifndef PIPESTILL_NN_EXPONENTIAL_H
#define PIPESTILL_NN_EXPONENTIAL_H

#include "pipestill/vectorised.h"

#include <math.h>

/* ln 2 in two parts; the first has so few bits that whole multiples of it are exact. */
#define LN2_HIGH 0x1.62e42fefa3800p-1
#define LN2_LOW 0x1.ef35793c76730p-45
#define LOG2_E 0x1.71547652b82fep+0

/* Added to a number below 2^51 and taken off again, it rounds to a whole one, which then stands in its last
 * bits. */
#define ROUNDS 0x1.8p52

/* exp x = 2^n · exp r with |r| ≤ ln 2 / 2, and exp r by its Taylor series: the first term left out is below
 * 2^-57. */
INLINE double exponential(double x)
{
    double bounded = pst_chosen(x < -708, -708, x);
    double whole = fma(bounded, LOG2_E, ROUNDS);
    double n = whole - ROUNDS;
    double r = fma(-n, LN2_LOW, fma(-n, LN2_HIGH, bounded));
    double series = fma(r, 1.0 / 6227020800, 1.0 / 479001600);
    series = fma(series, r, 1.0 / 39916800);
    series = fma(series, r, 1.0 / 3628800);
    series = fma(series, r, 1.0 / 362880);
    series = fma(series, r, 1.0 / 40320);
    series = fma(series, r, 1.0 / 5040);
    series = fma(series, r, 1.0 / 720);
    series = fma(series, r, 1.0 / 120);
    series = fma(series, r, 1.0 / 24);
    series = fma(series, r, 1.0 / 6);
    series = fma(series, r, 1.0 / 2);
    series = fma(fma(series, r, 1), r, 1);
    double scale = pst_of_bits((pst_bits_of(whole) << 52) + pst_bits_of(1.0));
    return pst_chosen(x < -708, 0, series * scale);
}

#endif
