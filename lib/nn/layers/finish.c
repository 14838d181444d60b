/* Bias, activation and dropout. ReLU behind a bias has kernels that do two of the three at once. */
#include "lib/nn/layers/finish.h"

#include "lib/nn/kernels.h"
#include "lib/nn/plain.h"

#include <string.h>

static bool is_fused(const struct pst_finish *finish, bool has_bias)
{
    return finish->activation == &pst_activation_relu && has_bias;
}

static bool drops(const struct pst_finish *finish, const struct pst_pass *pass)
{
    return pass->training && finish->number > 0 && pass->dropout.hidden > 0;
}

size_t pst_finish_memory(const struct pst_finish *finish, bool has_bias)
{
    return finish->activation == NULL || is_fused(finish, has_bias) ? 0 : finish->width;
}

/* Bias and activation of one row. */
static void finish_row(const struct pst_finish *finish, const float *bias, float *row, float *kept)
{
    if (is_fused(finish, bias != NULL)) {
        pst_kernel_bias_relu(row, bias, 1, finish->width);
        return;
    }
    if (bias != NULL)
        pst_kernel_bias(row, bias, 1, finish->width);
    if (kept != NULL)
        memcpy(kept, row, finish->width * sizeof *kept);
    if (finish->activation != NULL)
        finish->activation->forward(row, row, finish->width, (float)finish->slope);
}

void pst_finish_forward(const struct pst_finish *finish, const struct pst_pass *pass, const float *bias,
                        float *values, float *kept)
{
    size_t width = finish->width;
    bool dropping = drops(finish, pass),
         keeping = pass->training && pst_finish_memory(finish, bias != NULL) > 0;
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

void pst_finish_backward(const struct pst_finish *finish, const struct pst_pass *pass, const float *outputs,
                         const float *kept, float *gradient, float *bias_gradient)
{
    size_t width = finish->width;
    struct pst_drop drop = { .scale = 1 };
    if (drops(finish, pass))
        drop = pst_drop_start(pass->dropout.hidden, pass->dropout.seed, finish->number, pass->epoch);
    if (is_fused(finish, bias_gradient != NULL)) { /* a dropped unit's output is 0 */
        pst_kernel_relu_gradient(gradient, outputs, drop.scale, bias_gradient, pass->n, width);
        return;
    }
    for (size_t sample = 0; finish->activation != NULL && sample < pass->n; sample++) {
        float *row = gradient + sample * width;
        if (drops(finish, pass))
            pst_kernel_drop(row, width, &drop, pass->ids[sample]);
        finish->activation->backward(row, kept + sample * width, width, (float)finish->slope);
    }
    if (bias_gradient != NULL)
        pst_kernel_column_sums(gradient, bias_gradient, pass->n, width);
}

double pst_finish_plain_drop(const struct pst_finish *finish, const struct pst_plain_pass *pass,
                             size_t sample, size_t unit)
{
    return finish->number == 0 ? 1 : pst_plain_drop(pass, pass->dropout.hidden, sample, finish->number, unit);
}
