/* Forward and backward passes: matrix products from BLAS, and the kernels between them. */
#include "lib/nn/kernels.h"
#include "lib/nn/workspace.h"

#include <cblas.h>

/* outputs[n, outputs] = inputs[n, inputs] · weightᵀ */
static void multiply_forward(const struct pst_layer *layer, const float *inputs, float *outputs, size_t n)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)n, (blasint)layer->outputs,
                (blasint)layer->inputs, 1, inputs, (blasint)layer->inputs, layer->weight,
                (blasint)layer->inputs, 0, outputs, (blasint)layer->outputs);
}

/* weight_gradient[outputs, inputs] = gradient[n, outputs]ᵀ · inputs[n, inputs] */
static void multiply_weight_gradient(const struct pst_layer *layer, const float *gradient,
                                     const float *inputs, float *weight_gradient, size_t n)
{
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (blasint)layer->outputs, (blasint)layer->inputs,
                (blasint)n, 1, gradient, (blasint)layer->outputs, inputs, (blasint)layer->inputs, 0,
                weight_gradient, (blasint)layer->inputs);
}

/* input_gradient[n, inputs] = gradient[n, outputs] · weight */
static void multiply_input_gradient(const struct pst_layer *layer, const float *gradient,
                                    float *input_gradient, size_t n)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)n, (blasint)layer->inputs,
                (blasint)layer->outputs, 1, gradient, (blasint)layer->outputs, layer->weight,
                (blasint)layer->inputs, 0, input_gradient, (blasint)layer->inputs);
}

static const float *layer_inputs(const struct pst_workspace *workspace, size_t layer)
{
    return layer == 0 ? workspace->input : workspace->activation[layer - 1];
}

static void drop_rows(float *values, size_t n, size_t width, const struct pst_drop *drop, const uint64_t *ids)
{
    for (size_t sample = 0; sample < n; sample++)
        pst_kernel_drop(values + sample * width, width, drop, ids[sample]);
}

/* Bias, ReLU and dropout of one row after the other, so that each is in the nearest cache for all three. */
static void finish_hidden(const struct pst_layer *layer, float *values, size_t n, const struct pst_drop *drop,
                          const uint64_t *ids)
{
    for (size_t sample = 0; sample < n; sample++) {
        float *row = values + sample * layer->outputs;
        pst_kernel_bias_relu(row, layer->bias, 1, layer->outputs);
        pst_kernel_drop(row, layer->outputs, drop, ids[sample]);
    }
}

void pst_forward_training(const struct pst_network *network, struct pst_workspace *workspace, size_t n,
                          const struct pst_dropout *dropout, uint64_t epoch, const uint64_t *ids)
{
    workspace->hidden_scale = 1;
    if (dropout != NULL && dropout->input > 0) {
        struct pst_drop drop = pst_drop_start(dropout->input, dropout->seed, 0, epoch);
        drop_rows(workspace->input, n, pst_network_inputs(network), &drop, ids);
    }
    size_t last = network->layer_count - 1;
    for (size_t l = 0; l < last; l++) {
        const struct pst_layer *layer = &network->layers[l];
        float *outputs = workspace->activation[l];
        multiply_forward(layer, layer_inputs(workspace, l), outputs, n);
        if (dropout != NULL && dropout->hidden > 0) {
            struct pst_drop drop = pst_drop_start(dropout->hidden, dropout->seed, l + 1, epoch);
            finish_hidden(layer, outputs, n, &drop, ids);
            workspace->hidden_scale = drop.scale;
        } else {
            pst_kernel_bias_relu(outputs, layer->bias, n, layer->outputs);
        }
    }
    multiply_forward(&network->layers[last], layer_inputs(workspace, last), workspace->logits, n);
    pst_kernel_bias(workspace->logits, network->layers[last].bias, n, network->layers[last].outputs);
}

void pst_forward(const struct pst_network *network, struct pst_workspace *workspace, size_t n)
{
    pst_forward_training(network, workspace, n, NULL, 0, NULL);
}

void pst_backward(struct pst_network *network, struct pst_workspace *workspace, size_t n,
                  pst_gradient_taker *take, void *context)
{
    size_t last = network->layer_count - 1;
    const float *gradient = workspace->logits_gradient;
    pst_kernel_column_sums(gradient, workspace->bias_gradient, n, network->layers[last].outputs);
    for (size_t l = last;; l--) {
        const struct pst_layer *layer = &network->layers[l];
        const float *inputs = layer_inputs(workspace, l);
        float *input_gradient = workspace->hidden_gradient[l % 2];
        if (l > 0) /* nothing learns from the gradient of the network's own input */
            multiply_input_gradient(layer, gradient, input_gradient, n);
        multiply_weight_gradient(layer, gradient, inputs, workspace->weight_gradient, n);
        take(context, l, workspace->weight_gradient, workspace->bias_gradient);
        if (l == 0)
            return;
        pst_kernel_relu_gradient(input_gradient, inputs, workspace->hidden_scale, workspace->bias_gradient, n,
                                 layer->inputs);
        gradient = input_gradient;
    }
}
