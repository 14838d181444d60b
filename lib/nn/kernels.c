/* The loops between the matrix products, for vector instructions; kernels.h says what each computes. */
#include "lib/nn/kernels.h"
#include "pipestill/vectorised.h"

#include "pipestill/base.h"

#include <math.h>
#include <string.h>

VECTORISED void pst_kernel_bias(float *values, const float *restrict bias, size_t n, size_t width)
{
    for (size_t sample = 0; sample < n; sample++) {
        float *restrict row = values + sample * width;
        for (size_t i = 0; i < width; i++)
            row[i] += bias[i];
    }
}

VECTORISED void pst_kernel_bias_relu(float *values, const float *restrict bias, size_t n, size_t width)
{
    for (size_t sample = 0; sample < n; sample++) {
        float *restrict row = values + sample * width;
        for (size_t i = 0; i < width; i++) {
            float sum = row[i] + bias[i];
            row[i] = sum < 0 ? 0 : sum;
        }
    }
}

struct pst_drop pst_drop_start(double share, uint64_t seed, size_t layer, uint64_t epoch)
{
    /* 65535 at most, so that the divisor below is not 0. */
    double threshold = fmin(round(share * 65536), 65535);
    struct pst_drop drop = { .epoch = (uint32_t)epoch,
                             .threshold = (uint32_t)threshold,
                             .scale = (float)(65536 / (65536 - threshold)) };
    pst_random_key(seed, PST_RANDOM_DROPOUT + (uint32_t)layer, drop.key);
    return drop;
}

/* Units for one block of Philox, and for all blocks that are computed side by side. */
#define DROP_BITS 8
#define DROP_UNITS (PST_PHILOX_BLOCKS * DROP_BITS)

VECTORISED void pst_kernel_drop(float *restrict row, size_t width, const struct pst_drop *drop, uint64_t id)
{
    uint32_t words[4][PST_PHILOX_BLOCKS], bits[DROP_UNITS];
    uint32_t counter[4] = { 0, drop->epoch, (uint32_t)id, (uint32_t)(id >> 32) };
    uint32_t threshold = drop->threshold;
    float scale = drop->scale;
    for (size_t at = 0; at < width; at += DROP_UNITS, counter[0] += PST_PHILOX_BLOCKS) {
        pst_philox_blocks(counter, drop->key, words);
        for (size_t block = 0; block < PST_PHILOX_BLOCKS; block++)
            for (size_t word = 0; word < 4; word++) {
                bits[block * DROP_BITS + 2 * word] = words[word][block] & 0xffff;
                bits[block * DROP_BITS + 2 * word + 1] = words[word][block] >> 16;
            }
        size_t here = width - at < DROP_UNITS ? width - at : DROP_UNITS;
        for (size_t i = 0; i < here; i++)
            row[at + i] = bits[i] < threshold ? 0 : row[at + i] * scale;
    }
}

VECTORISED void pst_kernel_column_sums(const float *values, size_t apart, float *restrict sums, size_t n,
                                       size_t width)
{
    memset(sums, 0, width * sizeof *sums);
    for (size_t sample = 0; sample < n; sample++) {
        const float *row = values + sample * apart;
        for (size_t i = 0; i < width; i++)
            sums[i] += row[i];
    }
}

VECTORISED void pst_kernel_relu_gradient(float *restrict gradient, const float *restrict activation,
                                         size_t apart, float scale, float *restrict sums, size_t n,
                                         size_t width)
{
    memset(sums, 0, width * sizeof *sums);
    for (size_t sample = 0; sample < n; sample++) {
        float *restrict row = gradient + sample * apart;
        const float *restrict reached = activation + sample * apart;
        for (size_t i = 0; i < width; i++) {
            row[i] *= reached[i] > 0 ? scale : 0;
            sums[i] += row[i];
        }
    }
}

VECTORISED void pst_kernel_relu_mask(float *restrict gradient, const float *restrict activation, float scale,
                                     size_t count)
{
    for (size_t i = 0; i < count; i++)
        gradient[i] *= activation[i] > 0 ? scale : 0;
}

VECTORISED void pst_kernel_spread_bias(float *values, const float *restrict bias, size_t channels,
                                       size_t spread)
{
    for (size_t c = 0; c < channels; c++) {
        float *restrict map = values + c * spread;
        for (size_t i = 0; i < spread; i++)
            map[i] += bias[c];
    }
}

void pst_kernel_spread_sums(const float *values, float *sums, size_t n, size_t channels, size_t spread)
{
    for (size_t c = 0; c < channels; c++) {
        double sum = 0;
        for (size_t sample = 0; sample < n; sample++)
            sum += pst_sum(values + (sample * channels + c) * spread, spread);
        sums[c] = (float)sum;
    }
}

/* Sums side by side, so that the loop can be vectorised without changing the order of any of them. */
#define SUMS 8

INLINE double total(const double sums[SUMS])
{
    double all = 0;
    for (size_t sum = 0; sum < SUMS; sum++)
        all += sums[sum];
    return all;
}

VECTORISED double pst_kernel_add_up(const double *values, size_t count, double sum)
{
    double sums[SUMS] = { sum };
    size_t i = 0;
    for (; count >= PST_FEW && i + SUMS <= count; i += SUMS)
        for (size_t lane = 0; lane < SUMS; lane++)
            sums[lane] += values[i + lane];
    for (; i < count; i++)
        sums[0] += values[i];
    return total(sums);
}

/* Without their signs, floats have the order of their bits, and NaN is above all of them. */
INLINE uint32_t magnitude(const float *value)
{
    return pst_bits_of_float(*value) & 0x7fffffffU;
}

VECTORISED bool pst_kernel_within(const float *values, size_t count, float most)
{
    uint32_t largest[2 * SUMS] = { 0 };
    size_t i = 0;
    for (; i + 2 * SUMS <= count; i += 2 * SUMS)
        for (size_t lane = 0; lane < 2 * SUMS; lane++) {
            uint32_t here = magnitude(values + i + lane);
            largest[lane] = here > largest[lane] ? here : largest[lane];
        }
    for (; i < count; i++)
        largest[0] = magnitude(values + i) > largest[0] ? magnitude(values + i) : largest[0];
    for (size_t lane = 1; lane < 2 * SUMS; lane++)
        largest[0] = largest[lane] > largest[0] ? largest[lane] : largest[0];
    return largest[0] <= magnitude(&most);
}

VECTORISED double pst_kernel_squares(const float *values, size_t count, float middle)
{
    double sums[SUMS] = { 0 };
    size_t i = 0;
    for (; i + SUMS <= count; i += SUMS)
        for (size_t sum = 0; sum < SUMS; sum++) {
            double away = (double)(values[i + sum] - middle);
            sums[sum] += away * away;
        }
    for (; i < count; i++)
        sums[0] += (double)(values[i] - middle) * (double)(values[i] - middle);
    return total(sums);
}

VECTORISED double pst_kernel_products(const float *values, const float *others, size_t count, float middle)
{
    double sums[SUMS] = { 0 };
    size_t i = 0;
    for (; i + SUMS <= count; i += SUMS)
        for (size_t sum = 0; sum < SUMS; sum++)
            sums[sum] += (double)(values[i + sum] - middle) * (double)others[i + sum];
    for (; i < count; i++)
        sums[0] += (double)(values[i] - middle) * (double)others[i];
    return total(sums);
}

VECTORISED void pst_kernel_rescale(float *outputs, const float *values, size_t count, float middle,
                                   float scale, float offset)
{
    for (size_t i = 0; i < count; i++)
        outputs[i] = (values[i] - middle) * scale + offset;
}

VECTORISED void pst_kernel_blend(float *result, const float *gradient, const float *values, size_t count,
                                 float a, float b, float middle, float c)
{
    for (size_t i = 0; i < count; i++)
        result[i] = a * gradient[i] + b * (values[i] - middle) + c;
}

VECTORISED void pst_kernel_follow(float *restrict statistic, const float *restrict measured, size_t count,
                                  float share)
{
    for (size_t i = 0; i < count; i++)
        statistic[i] += share * (measured[i] - statistic[i]);
}

VECTORISED void pst_kernel_add(float *restrict sums, const float *restrict values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sums[i] += values[i];
}

/* Makes tiny numbers 0, because arithmetic on subnormal numbers is many times slower on some processors. */
INLINE float faded(float value)
{
    return fabsf(value) < 0x1p-100F ? 0 : value;
}

VECTORISED void pst_kernel_sgd(float *restrict weight, float *restrict velocity,
                               const float *restrict gradient, size_t count, const struct pst_step *step)
{
    float momentum = step->momentum, rate = step->rate, decay = step->decay;
    for (size_t i = 0; i < count; i++) {
        float v = momentum * velocity[i] + (gradient[i] + decay * weight[i]);
        velocity[i] = faded(v);
        weight[i] -= rate * v;
    }
}

VECTORISED void pst_kernel_nesterov(float *restrict weight, float *restrict velocity,
                                    const float *restrict gradient, size_t count, const struct pst_step *step)
{
    float momentum = step->momentum, rate = step->rate, decay = step->decay;
    for (size_t i = 0; i < count; i++) {
        float g = gradient[i] + decay * weight[i];
        float v = momentum * velocity[i] + g;
        velocity[i] = faded(v);
        weight[i] -= rate * (g + momentum * v);
    }
}

VECTORISED void pst_kernel_adam(float *restrict weight, float *restrict first, float *restrict second,
                                const float *restrict gradient, size_t count, const struct pst_step *step)
{
    float beta1 = step->beta1, beta2 = step->beta2, rest1 = step->rest1, rest2 = step->rest2;
    float correction = step->second_correction, epsilon = step->epsilon;
    float rate = step->rate, decay = step->decay;
    for (size_t i = 0; i < count; i++) {
        float g = gradient[i];
        float m = beta1 * first[i] + rest1 * g;
        float v = beta2 * second[i] + rest2 * (g * g);
        first[i] = faded(m);
        second[i] = faded(v);
        weight[i] -= decay * weight[i] + rate * m / (sqrtf(v * correction) + epsilon);
    }
}

VECTORISED void pst_kernel_limit_norm(float *row, size_t width, double most)
{
    double sums[SUMS] = { 0 };
    size_t i = 0;
    for (; i + SUMS <= width; i += SUMS)
        for (size_t sum = 0; sum < SUMS; sum++)
            sums[sum] += (double)row[i + sum] * (double)row[i + sum];
    for (; i < width; i++)
        sums[0] += (double)row[i] * (double)row[i];
    double square = total(sums);
    if (square <= most * most)
        return;
    float scale = (float)(most / sqrt(square));
    for (i = 0; i < width; i++)
        row[i] *= scale;
}
