/* dropout: in training, a share of the elements is 0 and the others are made larger; layers.h has the rule.
 */
#include "lib/nn/kernels.h"
#include "lib/nn/plain.h"

#include "pipestill/layers.h"

#include <string.h>

struct dropout {
    double share;
};

static bool parse(const char *word, void *settings)
{
    struct dropout *dropout = settings;
    return strncmp(word, "drop", 4) == 0 && pst_parse_double(word + 4, 0, 0.99, &dropout->share);
}

static void describe(const struct pst_layer *layer, FILE *text)
{
    const struct dropout *dropout = layer->settings;
    char word[40];
    pst_print_plain(word, sizeof word, "drop%.15g", dropout->share);
    fputs(word, text);
}

static const char *settle(struct pst_layer *layer, struct pst_settling *settling)
{
    if (settling->last)
        return "is the last layer, so it would drop outputs; put it before a layer that has weights";
    layer->out = layer->in;
    layer->number = settling->activations;
    return NULL;
}

static void drop(const struct pst_layer *layer, const struct pst_pass *pass, float *values)
{
    const struct dropout *dropout = layer->settings;
    size_t width = pst_shape_elements(&layer->out);
    if (!pass->training || dropout->share == 0 || pass->ids == NULL)
        return;
    struct pst_drop rule = pst_drop_start(dropout->share, pass->dropout.seed, layer->number, pass->epoch);
    for (size_t sample = 0; sample < pass->n; sample++)
        pst_kernel_drop(values + sample * width, width, &rule, pass->ids[sample]);
}

static void forward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                    float *outputs, float *memory)
{
    (void)memory;
    memcpy(outputs, inputs, pass->n * pst_shape_elements(&layer->in) * sizeof *outputs);
    drop(layer, pass, outputs);
}

/* The factor of a unit in the forward pass also multiplies its gradient. */
static void backward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                     const float *outputs, float *gradient, float *input_gradient, float *memory)
{
    (void)outputs;
    if (input_gradient != NULL)
        forward(layer, pass, gradient, input_gradient, memory);
    (void)inputs;
}

/* values[n, width] times the factor of each unit; the plain twin of both ways. */
static void plain_drop(const struct pst_layer *layer, const struct pst_plain_pass *pass, const double *from,
                       double *to)
{
    const struct dropout *dropout = layer->settings;
    size_t width = pst_shape_elements(&layer->out);
    for (size_t sample = 0; sample < pass->n; sample++)
        for (size_t unit = 0; unit < width; unit++)
            to[sample * width + unit] = from[sample * width + unit] *
                                        pst_plain_drop(pass, dropout->share, sample, layer->number, unit);
}

static void plain_backward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                           const double *inputs, const double *gradient, double *input_gradient,
                           double *parameter_gradient)
{
    (void)inputs, (void)parameter_gradient;
    plain_drop(layer, pass, gradient, input_gradient);
}

const struct pst_layer_type pst_layer_dropout = {
    .name = "dropout",
    .grammar = "drop0.5",
    .help = "in training a share of the elements is 0",
    .example = "6-drop0.3-8-drop0.5-7-tanh-drop0.25-4",
    .settings_size = sizeof(struct dropout),
    .transparent = true,
    .parse = parse,
    .describe = describe,
    .settle = settle,
    .forward = forward,
    .backward = backward,
    .plain_forward = plain_drop,
    .plain_backward = plain_backward,
};
