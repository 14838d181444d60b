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

/* Whether the inputs are rows of channels. */
static bool has_rows(const struct pst_layer *layer, const struct pst_pass *pass)
{
    return pass->channels_last && layer->in.rank == 3;
}

static void forward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                    float *outputs, float *memory)
{
    size_t area = area_of(layer), channels = layer->in.size[0];
    (void)memory;
    for (size_t sample = 0; has_rows(layer, pass) && sample < pass->n; sample++) {
        float *means = outputs + sample * channels;
        pst_kernel_column_sums(inputs + sample * area * channels, channels, means, area, channels);
        for (size_t c = 0; c < channels; c++)
            means[c] /= (float)area;
    }
    if (has_rows(layer, pass))
        return;
    for (size_t map = 0; map < pass->n * layer->in.size[0]; map++)
        outputs[map] = (float)(pst_sum(inputs + map * area, area) / (double)area);
}

static void backward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                     const float *outputs, float *gradient, float *input_gradient, float *memory)
{
    size_t area = area_of(layer), channels = layer->in.size[0];
    (void)inputs, (void)outputs, (void)memory;
    if (input_gradient == NULL)
        return;
    for (size_t at = 0; at < pass->n * channels; at++)
        gradient[at] /= (float)area;
    for (size_t row = 0; has_rows(layer, pass) && row < pass->n * area; row++)
        memcpy(input_gradient + row * channels, gradient + row / area * channels,
               channels * sizeof *gradient);
    for (size_t at = 0; !has_rows(layer, pass) && at < pass->n * area * channels; at++)
        input_gradient[at] = gradient[at / area];
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
    .help = "the mean of every map",
    .example = "2x5x3-conv3x3:4-relu-gap-3",
    .channels_last = true,
    .parse = parse,
    .describe = describe,
    .settle = settle,
    .forward = forward,
    .backward = backward,
    .plain_forward = plain_forward,
    .plain_backward = plain_backward,
};
