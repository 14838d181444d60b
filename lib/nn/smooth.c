/* Activations that need an exponential, for many numbers at once; activations.c has their plain forms. */
#include "lib/nn/exponential.h"
#include "lib/nn/kernels.h"

#include <math.h>

#define HALF_SQRT 0.70710678118654752440 /* 1 / sqrt(2) */
#define DENSITY 0.39894228040143267794   /* 1 / sqrt(2 pi) */

/* Exponents are never positive, so nothing overflows: large numbers of either sign use the same exponential.
 */

INLINE double sigmoid(double x)
{
    double e = exponential(-fabs(x));
    return pst_chosen(x < 0, e, 1) / (1 + e);
}

INLINE double sigmoid_slope(double x)
{
    double e = exponential(-fabs(x));
    return e / ((1 + e) * (1 + e));
}

INLINE double silu(double x)
{
    return x * sigmoid(x);
}

INLINE double silu_slope(double x)
{
    double y = sigmoid(x);
    return y + x * y * (1 - y);
}

/* Near 0 the difference 1 - e has few digits; there it is the series of tanh. */
INLINE double hyperbolic(double x)
{
    double e = exponential(-2 * fabs(x)), square = x * x;
    double series =
        x * (1 + square * (-1.0 / 3 + square * (2.0 / 15 + square * (-17.0 / 315 + square * (62.0 / 2835)))));
    return pst_chosen(square < 0x1p-10, series, copysign((1 - e) / (1 + e), x));
}

INLINE double hyperbolic_slope(double x)
{
    double e = exponential(-2 * fabs(x));
    return 4 * e / ((1 + e) * (1 + e));
}

/* The series of erfc z · exp z² / t in y = (t - 0.5423…) · 2.185…, where t = 1 / (1 + 0.4 z): a fit of
 * Chebyshev polynomials for z from 0 to 27, with a relative error of 8e-13. */
#define Y_SCALE (59.0 / 27)
#define Y_OFFSET (-32.0 / 27)

INLINE double tail_series(double y)
{
    double y2 = y * y, y4 = y2 * y2, y8 = y4 * y4;
    double a = (0x1.cd0a7b7abd9e4p-2 + y * 0x1.4be7908802f80p-2) +
               y2 * (0x1.562bbf3dfa28fp-3 + y * 0x1.c4bb750a67213p-5);
    double b = (0x1.bef7ab4ad5c4dp-8 + y * -0x1.6a1a3724d8efep-9) +
               y2 * (-0x1.108281acc97b4p-10 + y * 0x1.92db4f03ea02ap-13);
    double c = (0x1.01e6c64bcff84p-13 + y * -0x1.b2191b0c71420p-16) +
               y2 * (-0x1.e3fbd38e7b799p-17 + y * 0x1.506afc1171746p-18);
    double d = (0x1.85f31d624c0c6p-20 + y * -0x1.e4e3c04fd5f52p-21) +
               y2 * (-0x1.72af00bd78e03p-24 + y * 0x1.a627109876410p-24);
    return (a + y4 * b) + y8 * (c + y4 * d);
}

/* The normal distribution function. power: receives exp(-x² / 2). */
INLINE double normal(double x, double *power)
{
    *power = exponential(-0.5 * x * x);
    double t = 1 / (1 + 0.4 * HALF_SQRT * fabs(x));
    double tail = 0.5 * *power * t * tail_series(t * Y_SCALE + Y_OFFSET);
    return pst_chosen(x < 0, tail, 1 - tail);
}

INLINE double gelu(double x)
{
    double power;
    return x * normal(x, &power);
}

INLINE double gelu_slope(double x)
{
    double power, below = normal(x, &power);
    return below + x * DENSITY * power;
}

#define LOOPS(KERNEL, NAME)                                                                                \
    VECTORISED_STATIC void NAME##_all(float *values, size_t count)                                         \
    {                                                                                                      \
        for (size_t i = 0; i < count; i++)                                                                 \
            values[i] = (float)NAME((double)values[i]);                                                    \
    }                                                                                                      \
    VECTORISED_STATIC void NAME##_slopes(float *restrict gradient, const float *restrict inputs,           \
                                         size_t count)                                                     \
    {                                                                                                      \
        for (size_t i = 0; i < count; i++)                                                                 \
            gradient[i] *= (float)NAME##_slope((double)inputs[i]);                                         \
    }                                                                                                      \
    void pst_kernel_##KERNEL(float *values, size_t count, float slope)                                     \
    {                                                                                                      \
        (void)slope;                                                                                       \
        NAME##_all(values, count);                                                                         \
    }                                                                                                      \
    void pst_kernel_##KERNEL##_slope(float *restrict gradient, const float *restrict inputs, size_t count, \
                                     float slope)                                                          \
    {                                                                                                      \
        (void)slope;                                                                                       \
        NAME##_slopes(gradient, inputs, count);                                                            \
    }

LOOPS(tanh, hyperbolic)
LOOPS(sigmoid, sigmoid)
LOOPS(gelu, gelu)
LOOPS(silu, silu)
