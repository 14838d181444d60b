/*
 * kernels.h: the loops over single numbers that stand between the matrix products. They are written so that a
 * compiler turns them into vector instructions, and never change the order of a sum, so every clone of a
 * kernel gives the same bits. plain.c says the same in plain loops.
 */
#ifndef PIPESTILL_NN_KERNELS_H
#define PIPESTILL_NN_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fewer numbers than this are added up one after another. */
enum { PST_FEW = 32 };

/* values[n, width] += bias[width] */
void pst_kernel_bias(float *values, const float *bias, size_t n, size_t width);

/* values[n, width] = max(0, values + bias[width]); NaN stays NaN, so that the loss shows it. */
void pst_kernel_bias_relu(float *values, const float *bias, size_t n, size_t width);

/* Dropout of the units of one layer in one epoch. */
struct pst_drop {
    uint32_t key[2];
    uint32_t epoch;
    uint32_t threshold; /* of 65536; units whose 16 bits are below are dropped */
    float scale;        /* of units that are kept: 65536 / (65536 - threshold) */
};

/* Sets up the dropout of a share of a layer's inputs; pst_dropout in nn.h has the rule. */
struct pst_drop pst_drop_start(double share, uint64_t seed, size_t layer, uint64_t epoch);

/* row[width] = 0 if the unit is dropped for sample id, row · scale if it is kept. */
void pst_kernel_drop(float *row, size_t width, const struct pst_drop *drop, uint64_t id);

/* sums[width] = the sum of values[n, width] over its rows, first row first. Rows are `apart` numbers apart.
 */
void pst_kernel_column_sums(const float *values, size_t apart, float *sums, size_t n, size_t width);

/*
 * The way back through dropout and ReLU: gradient[n, width] = gradient · scale if activation > 0, otherwise
 * 0 (a dropped unit's activation is 0), and sums[width] as pst_kernel_column_sums of the result. Rows of both
 * are `apart` numbers apart.
 */
void pst_kernel_relu_gradient(float *gradient, const float *activation, size_t apart, float scale,
                              float *sums, size_t n, size_t width);

/* The same for one long row, without the sums. */
void pst_kernel_relu_mask(float *gradient, const float *activation, float scale, size_t count);

/* values[channels, spread] += bias[channels] */
void pst_kernel_spread_bias(float *values, const float *bias, size_t channels, size_t spread);

/* sums[channels] = the sum of values[n, channels, spread] over samples and places. */
void pst_kernel_spread_sums(const float *values, float *sums, size_t n, size_t channels, size_t spread);

/* The sum of the squares of values[count] around a middle, and of their products with others, in lanes of
 * double that are added in one order. */
double pst_kernel_squares(const float *values, size_t count, float middle);
double pst_kernel_products(const float *values, const float *others, size_t count, float middle);

/* sum + the sum of values[count]: of up to 31 one after another, of more in lanes. */
double pst_kernel_add_up(const double *values, size_t count, double sum);

/* Whether every one of values[count] is a number between -most and most. */
bool pst_kernel_within(const float *values, size_t count, float most);

/* outputs[count] = (values - middle) · scale + offset; both may be the same memory. */
void pst_kernel_rescale(float *outputs, const float *values, size_t count, float middle, float scale,
                        float offset);

/* result[count] = a · gradient + b · (values - middle) + c; gradient and result may be the same memory. */
void pst_kernel_blend(float *result, const float *gradient, const float *values, size_t count, float a,
                      float b, float middle, float c);

/* statistic[count] moves a share of the way to measured[count]. */
void pst_kernel_follow(float *statistic, const float *measured, size_t count, float share);

/*
 * Exponentials and logarithms of many numbers at once, in double, within 2 units in the last place of the
 * true ones, and the same bits on every processor. results must be other memory than the arguments. NaN
 * stays NaN.
 */

/* results[count] = exp((logits - largest) / temperature - log_sum); 0 if the exponent is below -708. It must
 * be at most 700. */
void pst_kernel_softmax(double *results, const float *logits, size_t count, double largest,
                        double temperature, double log_sum);

/* results[count] = log values, which are finite and at least 0. The result for 0 is 0, because 0 · log 0
 * counts as 0. */
void pst_kernel_log(double *results, const float *values, size_t count);

/*
 * Smooth activations, in place, and gradient[count] times their slopes at inputs[count]: within 1 unit in the
 * last place of the true ones, or within 1e-11 of those near 0. gelu has the normal distribution function,
 * not its approximation by tanh. They are called through layers.h's table of activations; slope is not used.
 */
void pst_kernel_tanh(float *values, size_t count, float slope);
void pst_kernel_tanh_slope(float *gradient, const float *inputs, size_t count, float slope);
void pst_kernel_sigmoid(float *values, size_t count, float slope);
void pst_kernel_sigmoid_slope(float *gradient, const float *inputs, size_t count, float slope);
void pst_kernel_gelu(float *values, size_t count, float slope);
void pst_kernel_gelu_slope(float *gradient, const float *inputs, size_t count, float slope);
void pst_kernel_silu(float *values, size_t count, float slope);
void pst_kernel_silu_slope(float *gradient, const float *inputs, size_t count, float slope);

/* sums[count] += values[count] */
void pst_kernel_add(float *sums, const float *values, size_t count);

/* One step of an optimiser, in single precision. Not every kind uses every number. */
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

/* Scales row[width] down to an L2 norm of `most` if it is longer. The square is summed in double. */
void pst_kernel_limit_norm(float *row, size_t width, double most);

#endif
