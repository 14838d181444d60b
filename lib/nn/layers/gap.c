/* gap: global average pooling: of every map its mean, so that a dense layer can follow. */
#include "lib/nn/kernels.h"

#include "pipestill/layers.h"

#include <string.h>

static bool parse(const char *word, void *settings)
{
    (void)settings;
    return strcmp(word, "gap") == 0;
}

static void describe(const struct pst_layer *layer, FILE *text)
{
    (void)layer;
    fputs("gap", text);
}

static const char *settle(struct pst_layer *layer, struct pst_settling *settling)
{
    (void)settling;
    if (layer->in.rank == 1)
        return "takes maps, such as 64x8x8";
    layer->out = (struct pst_shape){ .rank = 1, .size = { layer->in.size[0] } };
    return NULL;
}

static size_t area_of(const struct pst_layer *layer)
{
    return pst_shape_elements(&layer->in) / layer->in.size[0];
}

static void forward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                    float *outputs, float *memory)
{
    size_t area = area_of(layer);
    (void)memory;
    for (size_t map = 0; map < pass->n * layer->in.size[0]; map++)
        outputs[map] = (float)(pst_kernel_sum(inputs + map * area, area) / (double)area);
}

static void backward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                     const float *outputs, float *gradient, float *input_gradient, float *memory)
{
    size_t area = area_of(layer);
    (void)inputs, (void)outputs, (void)memory;
    for (size_t at = 0; input_gradient != NULL && at < pass->n * pst_shape_elements(&layer->in); at++)
        input_gradient[at] = gradient[at / area] / (float)area;
}

static void plain_forward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                          const double *inputs, double *outputs)
{
    size_t area = area_of(layer);
    memset(outputs, 0, pass->n * layer->in.size[0] * sizeof *outputs);
    for (size_t at = 0; at < pass->n * pst_shape_elements(&layer->in); at++)
        outputs[at / area] += inputs[at] / (double)area;
}

static void plain_backward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                           const double *inputs, const double *gradient, double *input_gradient,
                           double *parameter_gradient)
{
    size_t area = area_of(layer);
    (void)inputs, (void)parameter_gradient;
    for (size_t at = 0; at < pass->n * pst_shape_elements(&layer->in); at++)
        input_gradient[at] = gradient[at / area] / (double)area;
}

const struct pst_layer_type pst_layer_gap = {
    .name = "gap",
    .grammar = "gap",
    .help = "of every map its mean",
    .example = "2x5x3-conv3x3:4-relu-gap-3",
    .parse = parse,
    .describe = describe,
    .settle = settle,
    .forward = forward,
    .backward = backward,
    .plain_forward = plain_forward,
    .plain_backward = plain_backward,
};
