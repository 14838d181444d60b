/* Bias, activation and dropout. ReLU behind a bias has kernels that do two of the three at once. */
#include "lib/nn/layers/finish.h"

#include "lib/nn/kernels.h"
#include "lib/nn/plain.h"

#include <string.h>

static bool is_relu(const struct pst_finish *finish)
{
    return finish->activation == &pst_activation_relu;
}

static bool drops(const struct pst_finish *finish, const struct pst_pass *pass)
{
    return pass->training && finish->number > 0 && pass->dropout.hidden > 0;
}

bool pst_take_activation(struct pst_taken_activation *taken, const struct pst_activation *activation,
                         double slope)
{
    if (taken->activation != NULL || activation == &pst_activation_none)
        return taken->activation == NULL;
    *taken = (struct pst_taken_activation){ activation, slope };
    return true;
}

void pst_taken_describe(const struct pst_taken_activation *taken, FILE *text)
{
    if (taken->activation == NULL)
        return;
    fputc('-', text);
    pst_activation_describe(taken->activation, taken->slope, text);
}

bool pst_use_activation(struct pst_use *use, const struct pst_activation *activation)
{
    use->relu = activation == &pst_activation_relu;
    return use->relu || activation == NULL || activation == &pst_activation_none;
}

/* ReLU needs no inputs: its outputs show its slope, even if units were dropped. */
size_t pst_finish_memory(const struct pst_finish *finish)
{
    return finish->activation == NULL || is_relu(finish) ? 0 : finish->width;
}

static void add_bias(const struct pst_finish *finish, const float *bias, float *row)
{
    if (finish->spread > 1)
        pst_kernel_spread_bias(row, bias, finish->width / finish->spread, finish->spread);
    else
        pst_kernel_bias(row, bias, 1, finish->width);
}

/* Bias and activation of one row. */
static void finish_row(const struct pst_finish *finish, const float *bias, float *row, float *kept)
{
    if (is_relu(finish) && bias != NULL && finish->spread <= 1) {
        pst_kernel_bias_relu(row, bias, 1, finish->width);
        return;
    }
    if (bias != NULL)
        add_bias(finish, bias, row);
    if (kept != NULL)
        memcpy(kept, row, finish->width * sizeof *kept);
    if (finish->activation != NULL)
        finish->activation->forward(row, finish->width, (float)finish->slope);
}

void pst_finish_forward(const struct pst_finish *finish, const struct pst_pass *pass, const float *bias,
                        float *values, float *kept)
{
    size_t width = finish->width;
    bool dropping = drops(finish, pass), keeping = pass->training && pst_finish_memory(finish) > 0;
    struct pst_drop drop = { 0 };
    if (dropping)
        drop = pst_drop_start(pass->dropout.hidden, pass->dropout.seed, finish->number, pass->epoch);
    for (size_t sample = 0; sample < pass->n; sample++) {
        float *row = values + sample * width;
        finish_row(finish, bias, row, keeping ? kept + sample * width : NULL);
        if (dropping)
            pst_kernel_drop(row, width, &drop, pass->ids[sample]);
    }
}

static void sum_bias(const struct pst_finish *finish, const struct pst_pass *pass, const float *gradient,
                     float *sums)
{
    if (finish->spread > 1)
        pst_kernel_spread_sums(gradient, sums, pass->n, finish->width / finish->spread, finish->spread);
    else
        pst_kernel_column_sums(gradient, sums, pass->n, finish->width);
}

void pst_finish_backward(const struct pst_finish *finish, const struct pst_pass *pass, const float *outputs,
                         const float *kept, float *gradient, float *bias_gradient)
{
    size_t width = finish->width;
    struct pst_drop drop = { .scale = 1 };
    if (drops(finish, pass))
        drop = pst_drop_start(pass->dropout.hidden, pass->dropout.seed, finish->number, pass->epoch);
    if (is_relu(finish) && bias_gradient != NULL && finish->spread <= 1) {
        pst_kernel_relu_gradient(gradient, outputs, drop.scale, bias_gradient, pass->n, width);
        return;
    }
    if (is_relu(finish))
        pst_kernel_relu_mask(gradient, outputs, drop.scale, pass->n * width);
    for (size_t sample = 0; finish->activation != NULL && !is_relu(finish) && sample < pass->n; sample++) {
        float *row = gradient + sample * width;
        if (drops(finish, pass))
            pst_kernel_drop(row, width, &drop, pass->ids[sample]);
        finish->activation->backward(row, kept + sample * width, width, (float)finish->slope);
    }
    if (bias_gradient != NULL)
        sum_bias(finish, pass, gradient, bias_gradient);
}

/* The factor by which dropout multiplies element `at` of [n, width]. */
static double plain_drop(const struct pst_finish *finish, const struct pst_plain_pass *pass, size_t at)
{
    size_t sample = at / finish->width, unit = at % finish->width;
    return finish->number == 0 ? 1 : pst_plain_drop(pass, pass->dropout.hidden, sample, finish->number, unit);
}

double pst_finish_plain(const struct pst_finish *finish, const struct pst_plain_pass *pass, size_t at,
                        double sum)
{
    if (finish->activation == NULL)
        return sum;
    return finish->activation->plain(sum, finish->slope) * plain_drop(finish, pass, at);
}

double pst_finish_plain_slope(const struct pst_finish *finish, const struct pst_plain_pass *pass, size_t at,
                              double sum)
{
    if (finish->activation == NULL)
        return 1;
    return finish->activation->plain_slope(sum, finish->slope) * plain_drop(finish, pass, at);
}
