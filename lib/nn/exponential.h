/* exponential.h: the exponential that loops over many numbers share, in a form that can be vectorised. */
#ifndef PIPESTILL_NN_EXPONENTIAL_H
#define PIPESTILL_NN_EXPONENTIAL_H

#include "pipestill/vectorised.h"

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
    double whole = bounded * LOG2_E + ROUNDS;
    double n = whole - ROUNDS;
    double r = (bounded - n * LN2_HIGH) - n * LN2_LOW;
    double r2 = r * r, r4 = r2 * r2, r8 = r4 * r4;
    double low = (1.0 / 2 + r * (1.0 / 6)) + r2 * (1.0 / 24 + r * (1.0 / 120));
    double middle = (1.0 / 720 + r * (1.0 / 5040)) + r2 * (1.0 / 40320 + r * (1.0 / 362880));
    double high = (1.0 / 3628800 + r * (1.0 / 39916800)) + r2 * (1.0 / 479001600 + r * (1.0 / 6227020800));
    double series = 1 + (r + r2 * (low + r4 * middle + r8 * high));
    double scale = pst_of_bits((pst_bits_of(whole) << 52) + pst_bits_of(1.0));
    return pst_chosen(x < -708, 0, series * scale);
}

#endif
