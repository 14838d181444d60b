/* avgpool: the mean under a window; what is outside counts as 0. */
#include "lib/nn/layers/pooling.h"

#include <string.h>

static bool parse(const char *word, void *settings)
{
    return pst_pooling_parse("avgpool", word, settings);
}

static void describe(const struct pst_layer *layer, FILE *text)
{
    pst_pooling_describe("avgpool", layer->settings, text);
}

static const char *settle(struct pst_layer *layer, struct pst_settling *settling)
{
    return pst_window_settle(layer->settings, layer, layer->in.rank == 3 ? layer->in.size[0] : 0, settling);
}

static double share(const struct pst_window *window)
{
    return 1 / (double)(window->kernel[0] * window->kernel[1]);
}

/* What place i, j of the windows adds to the outputs of a map, or, on the way back, to its inputs. */
static void add_place(const struct pst_window *window, size_t i, size_t j, const float *from, float *to,
                      bool back)
{
    const float weight = (float)share(window);
    struct pst_reach down = pst_window_outputs(window, 0, i), across = pst_window_outputs(window, 1, j);
    for (size_t y = down.first; y < down.end; y++)
        for (size_t x = across.first; x < across.end; x++) {
            size_t out = y * window->out[1] + x;
            size_t in = pst_window_at(window, 0, y, i) * window->in[1] + pst_window_at(window, 1, x, j);
            to[back ? in : out] += weight * from[back ? out : in];
        }
}

static void add_places(const struct pst_layer *layer, size_t n, const float *from, float *to, bool back)
{
    const struct pst_window *window = layer->settings;
    size_t in = window->in[0] * window->in[1], out = window->out[0] * window->out[1];
    memset(to, 0, n * pst_shape_elements(back ? &layer->in : &layer->out) * sizeof *to);
    for (size_t map = 0; map < n * layer->in.size[0]; map++)
        for (size_t i = 0; i < window->kernel[0]; i++)
            for (size_t j = 0; j < window->kernel[1]; j++)
                add_place(window, i, j, from + map * (back ? out : in), to + map * (back ? in : out), back);
}

static void forward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                    float *outputs, float *memory)
{
    (void)memory;
    add_places(layer, pass->n, inputs, outputs, false);
}

static void backward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                     const float *outputs, float *gradient, float *input_gradient, float *memory)
{
    (void)inputs, (void)outputs, (void)memory;
    if (input_gradient != NULL)
        add_places(layer, pass->n, gradient, input_gradient, true);
}

static void plain_forward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                          const double *inputs, double *outputs)
{
    const struct pst_window *window = layer->settings;
    for (size_t at = 0; at < pass->n * pst_shape_elements(&layer->out); at++) {
        struct pst_pooling_place place = pst_pooling_place(window, at);
        outputs[at] = 0;
        for (size_t i = place.down.first; i < place.down.end; i++)
            for (size_t j = place.across.first; j < place.across.end; j++)
                outputs[at] += share(window) * inputs[pst_pooling_input(window, &place, i, j)];
    }
}

static void plain_backward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                           const double *inputs, const double *gradient, double *input_gradient,
                           double *parameter_gradient)
{
    const struct pst_window *window = layer->settings;
    (void)inputs, (void)parameter_gradient;
    memset(input_gradient, 0, pass->n * pst_shape_elements(&layer->in) * sizeof *input_gradient);
    for (size_t at = 0; at < pass->n * pst_shape_elements(&layer->out); at++) {
        struct pst_pooling_place place = pst_pooling_place(window, at);
        for (size_t i = place.down.first; i < place.down.end; i++)
            for (size_t j = place.across.first; j < place.across.end; j++)
                input_gradient[pst_pooling_input(window, &place, i, j)] += share(window) * gradient[at];
    }
}

const struct pst_layer_type pst_layer_avgpool = {
    .name = "avgpool",
    .grammar = "avgpool2, avgpool3x3,stride=2,pad=1",
    .help = "the mean under a window",
    .example = "2x6x5-conv3x3:3-avgpool2-flatten-4 2x7x6-conv3x3:2-avgpool3x2,stride=2x1,pad=1-flatten-3",
    .settings_size = sizeof(struct pst_window),
    .parse = parse,
    .describe = describe,
    .settle = settle,
    .forward = forward,
    .backward = backward,
    .plain_forward = plain_forward,
    .plain_backward = plain_backward,
};
