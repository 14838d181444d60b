/* shuffle: channels of several groups become neighbours (ShuffleNet; Zhang et al. 2018), so that a
 * convolution with groups behind it sees channels of every group before it. */
#include "lib/nn/layers/words.h"

#include <string.h>

struct shuffle {
    size_t groups;
};

static bool parse(const char *word, void *settings)
{
    struct shuffle *shuffle = settings;
    if (strncmp(word, "shuffle", 7) != 0)
        return false;
    word += 7;
    return pst_word_count(&word, &shuffle->groups) && shuffle->groups > 0 && *word == '\0';
}

static void describe(const struct pst_layer *layer, FILE *text)
{
    fprintf(text, "shuffle%zu", ((const struct shuffle *)layer->settings)->groups);
}

static const char *settle(struct pst_layer *layer, struct pst_settling *settling)
{
    size_t groups = ((const struct shuffle *)layer->settings)->groups;
    layer->out = layer->in;
    if (layer->in.size[0] % groups != 0)
        return pst_unfit(settling, "has %zu groups, which do not divide its %zu channels", groups,
                         layer->in.size[0]);
    return NULL;
}

/* The channel of the inputs that output channel `out` is: number k of group g goes to place k · groups + g.
 */
static size_t channel_of(const struct pst_layer *layer, size_t out)
{
    size_t groups = ((const struct shuffle *)layer->settings)->groups;
    return out % groups * (layer->in.size[0] / groups) + out / groups;
}

/* The order of elements: `rows` of `channels` with `area` elements each. */
struct order {
    size_t rows, channels, area;
};

static struct order order_of(const struct pst_layer *layer, size_t n, bool channels_last)
{
    size_t channels = layer->in.size[0], area = pst_shape_elements(&layer->in) / channels;
    bool last = channels_last && layer->in.rank == 3;
    return (struct order){ last ? n * area : n, channels, last ? 1 : area };
}

static void forward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                    float *outputs, float *memory)
{
    const struct order order = order_of(layer, pass->n, pass->channels_last);
    (void)memory;
    for (size_t row = 0; row < order.rows; row++)
        for (size_t c = 0; c < order.channels; c++)
            memcpy(outputs + (row * order.channels + c) * order.area,
                   inputs + (row * order.channels + channel_of(layer, c)) * order.area,
                   order.area * sizeof *inputs);
}

static void backward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                     const float *outputs, float *gradient, float *input_gradient, float *memory)
{
    const struct order order = order_of(layer, pass->n, pass->channels_last);
    (void)inputs, (void)outputs, (void)memory;
    for (size_t row = 0; input_gradient != NULL && row < order.rows; row++)
        for (size_t c = 0; c < order.channels; c++)
            memcpy(input_gradient + (row * order.channels + channel_of(layer, c)) * order.area,
                   gradient + (row * order.channels + c) * order.area, order.area * sizeof *gradient);
}

/* Where element `at` of the outputs stands in the inputs. */
static size_t place_of(const struct pst_layer *layer, size_t at)
{
    const struct order order = order_of(layer, 1, false);
    size_t map = at / order.area, row = map / order.channels;
    return (row * order.channels + channel_of(layer, map % order.channels)) * order.area + at % order.area;
}

static void plain_forward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                          const double *inputs, double *outputs)
{
    for (size_t at = 0; at < pass->n * pst_shape_elements(&layer->in); at++)
        outputs[at] = inputs[place_of(layer, at)];
}

static void plain_backward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                           const double *inputs, const double *gradient, double *input_gradient,
                           double *parameter_gradient)
{
    (void)inputs, (void)parameter_gradient;
    for (size_t at = 0; at < pass->n * pst_shape_elements(&layer->in); at++)
        input_gradient[place_of(layer, at)] = gradient[at];
}

const struct pst_layer_type pst_layer_shuffle = {
    .name = "shuffle",
    .grammar = "shuffle4",
    .help = "interleaves the channels of this many groups",
    .example = "4x3x2-conv1x1:6,groups=2-relu-shuffle2-conv3x3:3,groups=3-gap-3 6-8-tanh-shuffle4-3",
    .settings_size = sizeof(struct shuffle),
    .channels_last = true,
    .parse = parse,
    .describe = describe,
    .settle = settle,
    .forward = forward,
    .backward = backward,
    .plain_forward = plain_forward,
    .plain_backward = plain_backward,
};
