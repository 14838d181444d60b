/* Activations: functions of one number. Each has a row of the table and two short functions. */
#include "lib/nn/kernels.h"
#include "pipestill/layers.h"

#include <math.h>
#include <string.h>

#define HALF_SQRT 0.70710678118654752440 /* 1 / sqrt(2) */
#define DENSITY 0.39894228040143267794   /* 1 / sqrt(2 pi) */

/* ---- the functions and their derivatives ------------------------------------------------------------- */

static double relu(double x, double slope)
{
    (void)slope;
    return x < 0 ? 0 : x;
}

static double relu_slope(double x, double slope)
{
    (void)slope;
    return x > 0 ? 1 : 0;
}

static double leaky(double x, double slope)
{
    return x < 0 ? slope * x : x;
}

static double leaky_slope(double x, double slope)
{
    return x > 0 ? 1 : slope;
}

static double hyperbolic(double x, double slope)
{
    (void)slope;
    return tanh(x);
}

static double hyperbolic_slope(double x, double slope)
{
    (void)slope;
    double y = tanh(x);
    return 1 - y * y;
}

static double sigmoid(double x, double slope)
{
    (void)slope;
    return 1 / (1 + exp(-x));
}

static double sigmoid_slope(double x, double slope)
{
    double y = sigmoid(x, slope);
    return y * (1 - y);
}

/* x times the normal distribution function (Hendrycks, Gimpel 2016), not its approximation by tanh. */
static double gelu(double x, double slope)
{
    (void)slope;
    return 0.5 * x * (1 + erf(x * HALF_SQRT));
}

static double gelu_slope(double x, double slope)
{
    (void)slope;
    return 0.5 * (1 + erf(x * HALF_SQRT)) + x * DENSITY * exp(-0.5 * x * x);
}

static double silu(double x, double slope)
{
    return x * sigmoid(x, slope);
}

static double silu_slope(double x, double slope)
{
    double y = sigmoid(x, slope);
    return y + x * y * (1 - y);
}

static double none(double x, double slope)
{
    (void)slope;
    return x;
}

static double none_slope(double x, double slope)
{
    (void)x, (void)slope;
    return 1;
}

/* ---- whole rows -------------------------------------------------------------------------------------- */

/* The loops of an activation that needs no exponential: rows are in single precision, the computation in
 * double. */
#define ROWS(NAME)                                                                               \
    static void NAME##_forward(float *values, size_t count, float slope)                         \
    {                                                                                            \
        for (size_t i = 0; i < count; i++)                                                       \
            values[i] = (float)NAME((double)values[i], (double)slope);                           \
    }                                                                                            \
    static void NAME##_backward(float *gradient, const float *inputs, size_t count, float slope) \
    {                                                                                            \
        for (size_t i = 0; i < count; i++)                                                       \
            gradient[i] *= (float)NAME##_slope((double)inputs[i], (double)slope);                \
    }

ROWS(relu)
ROWS(leaky)
ROWS(none)

/* Those of the others are kernels. */
#define KERNELS(KERNEL, NAME)                                                                 \
    .forward = pst_kernel_##KERNEL, .backward = pst_kernel_##KERNEL##_slope, .plain = (NAME), \
    .plain_slope = NAME##_slope

#define FUNCTIONS(NAME) \
    .forward = NAME##_forward, .backward = NAME##_backward, .plain = (NAME), .plain_slope = NAME##_slope

/* ---- the table --------------------------------------------------------------------------------------- */

#define LEAKY_SLOPE 0.01

/* ReLU halves the mean square of its inputs (He et al. 2015); gelu and silu do about the same. */
const struct pst_activation pst_activation_relu = { .name = "relu", .variance = 2, FUNCTIONS(relu) };
const struct pst_activation pst_activation_none = { .name = "none", .variance = 1, FUNCTIONS(none) };

static const struct pst_activation activation_leaky = {
    .name = "leaky", .variance = 2, .has_slope = true, FUNCTIONS(leaky)
};
static const struct pst_activation activation_tanh = { .name = "tanh",
                                                       .variance = 1,
                                                       KERNELS(tanh, hyperbolic) };
static const struct pst_activation activation_sigmoid = { .name = "sigmoid",
                                                          .variance = 1,
                                                          KERNELS(sigmoid, sigmoid) };
static const struct pst_activation activation_gelu = { .name = "gelu", .variance = 2, KERNELS(gelu, gelu) };
static const struct pst_activation activation_silu = { .name = "silu", .variance = 2, KERNELS(silu, silu) };

static const struct pst_activation *const activations[] = {
    &pst_activation_relu, &activation_leaky, &activation_tanh,     &activation_sigmoid,
    &activation_gelu,     &activation_silu,  &pst_activation_none, NULL,
};

const struct pst_activation *pst_activation_parse(const char *word, double *slope)
{
    for (size_t i = 0; activations[i] != NULL; i++) {
        const struct pst_activation *activation = activations[i];
        size_t length = strlen(activation->name);
        if (strncmp(word, activation->name, length) != 0)
            continue;
        *slope = activation->has_slope ? LEAKY_SLOPE : 0;
        if (word[length] == '\0' ||
            (activation->has_slope && pst_parse_double(word + length, 1e-6, 1, slope)))
            return activation;
    }
    return NULL;
}

void pst_activation_describe(const struct pst_activation *activation, double slope, FILE *text)
{
    fputs(activation->name, text);
    char number[32];
    if (!activation->has_slope || slope == LEAKY_SLOPE)
        return;
    pst_print_plain(number, sizeof number, "%.15g", slope);
    fputs(number, text);
}

void pst_activation_list(char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; activations[i] != NULL && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i == 0 ? "" : ", ", activations[i]->name);
}
