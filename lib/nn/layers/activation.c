/* activation: a function of every element, if the layer before does not take it over. */
#include "lib/nn/layers/finish.h"

#include <string.h>

struct setting {
    const struct pst_activation *activation;
    double slope;
};

static bool parse(const char *word, void *settings)
{
    struct setting *setting = settings;
    setting->activation = pst_activation_parse(word, &setting->slope);
    return setting->activation != NULL;
}

static void describe(const struct pst_layer *layer, FILE *text)
{
    const struct setting *setting = layer->settings;
    pst_activation_describe(setting->activation, setting->slope, text);
}

static struct pst_finish finish_of(const struct pst_layer *layer)
{
    const struct setting *setting = layer->settings;
    return (struct pst_finish){ .activation = setting->activation,
                                .slope = setting->slope,
                                .number = layer->number,
                                .width = pst_shape_elements(&layer->out) };
}

static const char *settle(struct pst_layer *layer, struct pst_settling *settling)
{
    layer->out = layer->in;
    settling->activations++;
    layer->number = settling->last ? 0 : settling->activations;
    struct pst_finish finish = finish_of(layer);
    layer->memory_for_training = pst_finish_memory(&finish);
    return NULL;
}

static void forward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                    float *outputs, float *memory)
{
    struct pst_finish finish = finish_of(layer);
    memcpy(outputs, inputs, pass->n * finish.width * sizeof *outputs);
    pst_finish_forward(&finish, pass, NULL, outputs, memory);
}

static void backward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                     const float *outputs, float *gradient, float *input_gradient, float *memory)
{
    struct pst_finish finish = finish_of(layer);
    (void)inputs;
    if (input_gradient == NULL)
        return;
    memcpy(input_gradient, gradient, pass->n * finish.width * sizeof *gradient);
    pst_finish_backward(&finish, pass, outputs, memory, input_gradient, NULL);
}

static void plain_forward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                          const double *inputs, double *outputs)
{
    struct pst_finish finish = finish_of(layer);
    for (size_t i = 0; i < pass->n * finish.width; i++)
        outputs[i] = pst_finish_plain(&finish, pass, i, inputs[i]);
}

static void plain_backward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                           const double *inputs, const double *gradient, double *input_gradient,
                           double *parameter_gradient)
{
    struct pst_finish finish = finish_of(layer);
    (void)parameter_gradient;
    for (size_t i = 0; i < pass->n * finish.width; i++)
        input_gradient[i] = gradient[i] * pst_finish_plain_slope(&finish, pass, i, inputs[i]);
}

const struct pst_layer_type pst_layer_activation = {
    .name = "activation",
    .grammar = "relu, leaky0.01, tanh, sigmoid, gelu, silu, none",
    .help = "a function of every element",
    .example =
        "6-8-tanh-7-sigmoid-4 6-8-gelu-7-silu-4 6-8-leaky0.2-7-leaky-4 6-tanh-8-relu-sigmoid-4 6-8-4-tanh",
    .settings_size = sizeof(struct setting),
    .channels_last = true,
    .parse = parse,
    .describe = describe,
    .settle = settle,
    .forward = forward,
    .backward = backward,
    .plain_forward = plain_forward,
    .plain_backward = plain_backward,
};
