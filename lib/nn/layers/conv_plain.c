/* Convolution by its definition, in double: every product that goes into an element, one after another. */
#include "lib/nn/layers/conv.h"

#include <string.h>

/* One element of the outputs: of a sample, a map and a place. */
struct element {
    size_t sample, map, y, x;
};

static struct element element_of(const struct pst_layer *layer, size_t at)
{
    const size_t *size = layer->out.size;
    return (struct element){ at / (size[0] * size[1] * size[2]), at / (size[1] * size[2]) % size[0],
                             at / size[2] % size[1], at % size[2] };
}

/* Calls visit with the place in the inputs and in the weight of every product that goes into an element. */
static void for_products(const struct pst_layer *layer, struct element of,
                         void (*visit)(void *context, size_t input, size_t weight), void *context)
{
    const struct pst_conv *conv = layer->settings;
    const struct pst_window *window = &conv->window;
    size_t channels = layer->in.size[0] / conv->groups, group = of.map / (conv->maps / conv->groups);
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < window->kernel[0]; i++)
            for (size_t j = 0; j < window->kernel[1]; j++) {
                size_t y = of.y * window->stride[0] + i * window->dilation[0];
                size_t x = of.x * window->stride[1] + j * window->dilation[1];
                if (y < window->pad[0] || y - window->pad[0] >= window->in[0] || x < window->pad[1] ||
                    x - window->pad[1] >= window->in[1])
                    continue;
                size_t map = of.sample * layer->in.size[0] + group * channels + c;
                visit(context,
                      (map * window->in[0] + y - window->pad[0]) * window->in[1] + x - window->pad[1],
                      ((of.map * channels + c) * window->kernel[0] + i) * window->kernel[1] + j);
            }
}

struct plain {
    const double *inputs, *weight;
    double *input_gradient, *weight_gradient;
    double sum, gradient;
};

static void add_product(void *context, size_t input, size_t weight)
{
    struct plain *plain = context;
    plain->sum += plain->inputs[input] * plain->weight[weight];
}

static void add_gradients(void *context, size_t input, size_t weight)
{
    struct plain *plain = context;
    plain->weight_gradient[weight] += plain->gradient * plain->inputs[input];
    plain->input_gradient[input] += plain->gradient * plain->weight[weight];
}

static double plain_sum(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                        const double *inputs, struct element of)
{
    struct plain plain = { .inputs = inputs,
                           .weight = pass->parameters + layer->parameters[PST_CONV_WEIGHT].at };
    if (layer->parameter_count > PST_CONV_BIAS)
        plain.sum = pass->parameters[layer->parameters[PST_CONV_BIAS].at + of.map];
    for_products(layer, of, add_product, &plain);
    return plain.sum;
}

void pst_conv_plain_forward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                            const double *inputs, double *outputs)
{
    struct pst_finish finish = pst_conv_finish(layer);
    for (size_t at = 0; at < pass->n * finish.width; at++)
        outputs[at] =
            pst_finish_plain(&finish, pass, at, plain_sum(layer, pass, inputs, element_of(layer, at)));
}

void pst_conv_plain_backward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                             const double *inputs, const double *gradient, double *input_gradient,
                             double *parameter_gradient)
{
    struct pst_finish finish = pst_conv_finish(layer);
    memset(input_gradient, 0, pass->n * pst_shape_elements(&layer->in) * sizeof *input_gradient);
    for (size_t at = 0; at < pass->n * finish.width; at++) {
        struct element of = element_of(layer, at);
        struct plain plain = { .inputs = inputs,
                               .weight = pass->parameters + layer->parameters[PST_CONV_WEIGHT].at,
                               .input_gradient = input_gradient,
                               .weight_gradient =
                                   parameter_gradient + layer->parameters[PST_CONV_WEIGHT].at };
        plain.gradient =
            gradient[at] * pst_finish_plain_slope(&finish, pass, at, plain_sum(layer, pass, inputs, of));
        if (layer->parameter_count > PST_CONV_BIAS)
            parameter_gradient[layer->parameters[PST_CONV_BIAS].at + of.map] += plain.gradient;
        for_products(layer, of, add_gradients, &plain);
    }
}
