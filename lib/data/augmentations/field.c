/*
 * Smooth random fields: a sum of Gaussians, one about each of many random numbers, which stand on a grid. The
 * sum is as smooth as with a number at every pixel if the grid's step is not above sigma: the correlation of
 * two pixels then differs from exp(-distance² / 4 sigma²) by less than 1e-4. Sums have one order, so every
 * processor gives the same bits.
 */
#include "lib/data/augmentations/field.h"

#include "pipestill/vectorised.h"

#include <math.h>
#include <string.h>

#define ROWS 4          /* made side by side: they share what is loaded */
#define LEAST_NUMBERS 8 /* along an edge, if it is long enough: a sum of few is not like a normal number */
#define MIDDLE (2 * EDGE)

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The numbers that reach pixels first … last: from … end - 1. */
INLINE void find_near(const struct pst_axis *axis, size_t reach, size_t first, size_t last, size_t *from,
                      size_t *end)
{
    size_t before = reach + axis->first;
    *from = first > before ? (first - before + axis->step - 1) / axis->step : 0;
    *end = smaller((last + reach - smaller(axis->first, last + reach)) / axis->step + 1, axis->count);
}

/* ---- settling ------------------------------------------------------------------------------------------ */

/* Finds the factor that gives each pixel, a sum of independent numbers of variance 1, the variance 1. Near
 * the edge the sum has fewer numbers. */
VECTORISED static void find_scales(const float taps[4 * EDGE], struct pst_axis *axis)
{
    float powers[EDGE] = { 0 };
    size_t whole = pst_whole_blocks(axis->length);
    for (size_t k = 0; k < axis->count; k++) {
        const float *tap = taps + MIDDLE - axis->first - k * axis->step;
        for (size_t i = 0; i < whole; i++)
            powers[i] += tap[i] * tap[i];
    }
    for (size_t i = 0; i < axis->length; i++)
        axis->scales[i] = 1 / sqrtf(powers[i]);
    for (size_t i = axis->length; i < EDGE; i++)
        axis->scales[i] = 0;
}

static void settle_axis(struct pst_axis *axis, double sigma, size_t length)
{
    size_t step = larger(smaller((size_t)(0.75 * sigma), length / LEAST_NUMBERS), 1);
    size_t count = (length - 1) / step + 1;
    axis->length = length;
    axis->count = count;
    axis->step = step;
    axis->first = (length - 1 - (count - 1) * step) / 2;
}

void pst_smoothing_settle(struct pst_smoothing *smoothing, double sigma, size_t height, size_t width)
{
    float *taps = smoothing->taps;
    memset(taps, 0, sizeof smoothing->taps);
    smoothing->reach = sigma >= EDGE / 3.0 ? EDGE - 1 : (size_t)ceil(3 * sigma);
    for (size_t i = 0; i <= smoothing->reach; i++)
        taps[MIDDLE + i] = taps[MIDDLE - i] = (float)exp(-0.5 * (double)(i * i) / (sigma * sigma));
    settle_axis(&smoothing->down, sigma, height);
    settle_axis(&smoothing->right, sigma, width);
    find_scales(taps, &smoothing->down);
    if (width == height)
        smoothing->right = smoothing->down;
    else
        find_scales(taps, &smoothing->right);
}

/* ---- one field ----------------------------------------------------------------------------------------- */

/* Independent numbers of variance 1, evenly distributed, two from each 32 bits, and behind them zeros. */
VECTORISED static void make_noise(struct pst_random *random, float *noise, size_t count, size_t zeros)
{
    const float unit = 3.4641016F / 65536;
    uint32_t words[EDGE * EDGE / 2];
    size_t pairs = (count + 1) / 2;
    pst_random_fill(random, words, pairs);
    for (size_t i = 0; i < pairs; i++) {
        noise[2 * i] = ((float)(int)(words[i] & 0xffff) - 32768) * unit;
        noise[2 * i + 1] = ((float)(int)(words[i] >> 16) - 32768) * unit;
    }
    for (size_t i = count; i < count + zeros; i++)
        noise[i] = 0;
}

/* Spreads each row of numbers over the pixels of a row. noise: [down.count + ROWS - 1, right.count]. */
VECTORISED static void spread_right(const struct pst_smoothing *smoothing, const float *restrict noise,
                                    float *restrict rows)
{
    const struct pst_axis *axis = &smoothing->right;
    size_t whole = pst_whole_blocks(axis->length), numbers = axis->count, step = axis->step, from, end;
    for (size_t block = 0; block < whole; block += BLOCK) {
        find_near(axis, smoothing->reach, block, block + BLOCK - 1, &from, &end);
        const float *scales = axis->scales + block;
        for (size_t row = 0; row < smoothing->down.count; row += ROWS) {
            float a[BLOCK] = { 0 }, b[BLOCK] = { 0 }, c[BLOCK] = { 0 }, d[BLOCK] = { 0 };
            for (size_t k = from; k < end; k++) {
                const float *tap = smoothing->taps + MIDDLE + block - axis->first - k * step;
                const float *number = noise + row * numbers + k;
                for (size_t j = 0; j < BLOCK; j++) {
                    /* make_noise has filled count and zeros.
                     * NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
                    a[j] += tap[j] * number[0];
                    b[j] += tap[j] * number[numbers];
                    c[j] += tap[j] * number[2 * numbers];
                    d[j] += tap[j] * number[3 * numbers];
                }
            }
            float *to = rows + row * whole + block;
            for (size_t j = 0; j < BLOCK; j++) {
                to[j] = scales[j] * a[j];
                to[whole + j] = scales[j] * b[j];
                to[2 * whole + j] = scales[j] * c[j];
                to[3 * whole + j] = scales[j] * d[j];
            }
        }
    }
}

/* Spreads such rows over the rows of the field. */
VECTORISED static void spread_down(const struct pst_smoothing *smoothing, const float *restrict rows,
                                   float *restrict field)
{
    const struct pst_axis *axis = &smoothing->down;
    size_t whole = pst_whole_blocks(smoothing->right.length), step = axis->step, from, end;
    for (size_t row = 0; row < axis->length; row += ROWS) {
        find_near(axis, smoothing->reach, row, row + ROWS - 1, &from, &end);
        const float *scales = axis->scales + row;
        for (size_t block = 0; block < whole; block += BLOCK) {
            float a[BLOCK] = { 0 }, b[BLOCK] = { 0 }, c[BLOCK] = { 0 }, d[BLOCK] = { 0 };
            for (size_t k = from; k < end; k++) {
                const float *tap = smoothing->taps + MIDDLE + row - axis->first - k * step;
                const float *values = rows + k * whole + block;
                for (size_t j = 0; j < BLOCK; j++) {
                    a[j] += tap[0] * values[j];
                    b[j] += tap[1] * values[j];
                    c[j] += tap[2] * values[j];
                    d[j] += tap[3] * values[j];
                }
            }
            float *to = field + row * whole + block;
            for (size_t j = 0; j < BLOCK; j++) {
                to[j] = scales[0] * a[j];
                to[whole + j] = scales[1] * b[j];
                to[2 * whole + j] = scales[2] * c[j];
                to[3 * whole + j] = scales[3] * d[j];
            }
        }
    }
}

void pst_smooth_field(const struct pst_smoothing *smoothing, struct pst_random *random, float *field)
{
    size_t down = smoothing->down.count, right = smoothing->right.count;
    float noise[(EDGE + ROWS) * EDGE], rows[EDGE * EDGE];
    make_noise(random, noise, down * right, (ROWS - 1) * right);
    spread_right(smoothing, noise, rows);
    spread_down(smoothing, rows, field);
}
