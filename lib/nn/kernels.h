/*
 * kernels.h: the loops over single numbers that stand between the matrix products. They are written so that a
 * compiler turns them into vector instructions, and never change the order of a sum, so every clone of a
 * kernel gives the same bits. plain.c says the same in plain loops.
 */
#ifndef PIPESTILL_NN_KERNELS_H
#define PIPESTILL_NN_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* values[n, width] += bias[width] */
void pst_kernel_bias(float *values, const float *bias, size_t n, size_t width);

/* values[n, width] = max(0, values + bias[width]); NaN stays NaN, for the loss to show it. */
void pst_kernel_bias_relu(float *values, const float *bias, size_t n, size_t width);

/* Dropout of the units of one layer in one epoch; scale is that of what is kept. */
struct pst_drop {
    uint32_t key[2];
    uint32_t epoch;
    uint32_t threshold; /* of 65536; units whose 16 bits are below are dropped */
    float scale;        /* 65536 / (65536 - threshold) */
};

/* Sets up the dropout of a share of a layer's inputs; pst_dropout in nn.h has the rule. */
struct pst_drop pst_drop_start(double share, uint64_t seed, size_t layer, uint64_t epoch);

/* row[width] = 0 where the unit is dropped for sample id, row · scale where it is kept. */
void pst_kernel_drop(float *row, size_t width, const struct pst_drop *drop, uint64_t id);

/* sums[width] = the sum of values[n, width] over its rows, first row first. */
void pst_kernel_column_sums(const float *values, float *sums, size_t n, size_t width);

/*
 * The way back through dropout and ReLU: gradient[n, width] = gradient · scale where activation > 0, 0
 * elsewhere (a dropped unit's activation is 0), and sums[width] as pst_kernel_column_sums of the result.
 */
void pst_kernel_relu_gradient(float *gradient, const float *activation, float scale, float *sums, size_t n,
                              size_t width);

/* The same of one long row, without the sums. */
void pst_kernel_relu_mask(float *gradient, const float *activation, float scale, size_t count);

/* values[channels, spread] += bias[channels] */
void pst_kernel_spread_bias(float *values, const float *bias, size_t channels, size_t spread);

/* sums[channels] = the sum of values[n, channels, spread] over samples and what is spread. */
void pst_kernel_spread_sums(const float *values, float *sums, size_t n, size_t channels, size_t spread);

/* The sum of values[count], of its squares around a middle, and of its products with others, in lanes of
 * double that are added in one order. */
double pst_kernel_sum(const float *values, size_t count);
double pst_kernel_squares(const float *values, size_t count, float middle);
double pst_kernel_products(const float *values, const float *others, size_t count, float middle);

/* outputs[count] = (values - middle) · scale + offset; both may be the same memory. */
void pst_kernel_rescale(float *outputs, const float *values, size_t count, float middle, float scale,
                        float offset);

/* result[count] = a · gradient + b · (values - middle) + c; gradient and result may be the same memory. */
void pst_kernel_blend(float *result, const float *gradient, const float *values, size_t count, float a,
                      float b, float middle, float c);

/* A statistic moves the share of the way to what was measured. */
void pst_kernel_follow(float *statistic, const float *measured, size_t count, float share);

/* sums[count] += values[count] */
void pst_kernel_add(float *sums, const float *values, size_t count);

/* One step of an optimiser, in single precision. Not every kind looks at every number. */
struct pst_step {
    float rate;     /* learning rate; Adam: divided by 1 - beta1^step */
    float decay;    /* weight decay; Adam: times the learning rate */
    float momentum; /* SGD and Nesterov */
    float beta1, beta2;
    float rest1, rest2;      /* 1 - beta1 and 1 - beta2 */
    float second_correction; /* 1 / (1 - beta2^step) */
    float epsilon;
};

/* The updates of nn.h's enum pst_optimiser_kind, each in one pass over `count` parameters. */
void pst_kernel_sgd(float *weight, float *velocity, const float *gradient, size_t count,
                    const struct pst_step *step);
void pst_kernel_nesterov(float *weight, float *velocity, const float *gradient, size_t count,
                         const struct pst_step *step);
void pst_kernel_adam(float *weight, float *first, float *second, const float *gradient, size_t count,
                     const struct pst_step *step);

/* Scales row[width] down to an L2 norm of most where it is longer. The square is summed in double. */
void pst_kernel_limit_norm(float *row, size_t width, double most);

#endif
