/* maxpool: the largest element under a window, and of equal ones the first. What is outside does not count.
 */
#include "lib/nn/channels.h"
#include "lib/nn/kernels/products.h"
#include "lib/nn/layers/pooling.h"

#include <math.h>
#include <string.h>

static bool parse(const char *word, void *settings)
{
    return pst_pooling_parse("maxpool", word, settings);
}

static void describe(const struct pst_layer *layer, FILE *text)
{
    pst_pooling_describe("maxpool", layer->settings, text);
}

static const char *settle(struct pst_layer *layer, struct pst_settling *settling)
{
    const char *wrong =
        pst_window_settle(layer->settings, layer, layer->in.rank == 3 ? layer->in.size[0] : 0, settling);
    if (wrong == NULL)
        layer->memory_for_training = pst_shape_elements(&layer->out);
    return wrong;
}

/* Compares outputs beside one another with one place of their windows. place: of the first one's input, in
 * the sample. where: NULL in use. NaN counts as larger, so that the loss shows it. */
static void look(float *outputs, float *where, const float *inputs, size_t place, size_t count, size_t stride)
{
    for (size_t x = 0; x < count; x++) {
        float value = inputs[x * stride];
        if (!(value > outputs[x] || value != value))
            continue;
        outputs[x] = value;
        if (where != NULL)
            where[x] = (float)(place + x * stride);
    }
}

/* Compares all outputs of a map with place i, j of their windows. start: of the map in its sample. */
static void look_at(const struct pst_window *window, size_t i, size_t j, const float *map, size_t start,
                    float *outputs, float *where)
{
    struct pst_reach down = pst_window_outputs(window, 0, i), across = pst_window_outputs(window, 1, j);
    for (size_t y = down.first; y < down.end && across.first < across.end; y++) {
        size_t to = y * window->out[1] + across.first;
        size_t from =
            pst_window_at(window, 0, y, i) * window->in[1] + pst_window_at(window, 1, across.first, j);
        look(outputs + to, where == NULL ? NULL : where + to, map + from, start + from,
             across.end - across.first, window->stride[1]);
    }
}

/* ---- channels last ------------------------------------------------------------------------------------- */

/* Maps that are pooled, and their gradients. */
struct pooling {
    const struct pst_layer *layer;
    const float *inputs, *gradient;
    float *outputs, *input_gradient;
    uint32_t *where; /* the number of each output's place in its window; NULL: it is not kept */
};

/* The line of row y of all outputs, for one place of the windows. */
static struct pst_pooling_line line_of(const struct pooling *pooling, size_t y, uint32_t place)
{
    const struct pst_window *window = pooling->layer->settings;
    return pst_pooling_line(window, pooling->layer->in.size[0], y / window->out[0], y % window->out[0],
                            place / window->kernel[1], place % window->kernel[1]);
}

static uint32_t places_of(const struct pooling *pooling)
{
    const struct pst_window *window = pooling->layer->settings;
    return (uint32_t)(window->kernel[0] * window->kernel[1]);
}

static void forward_row(const void *context, size_t y)
{
    const struct pooling *pooling = context;
    const struct pst_window *window = pooling->layer->settings;
    size_t width = pst_shape_elements(&pooling->layer->out) / window->out[0];
    for (size_t at = y * width; at < (y + 1) * width; at++)
        pooling->outputs[at] = -INFINITY;
    if (pooling->where != NULL)
        memset(pooling->where + y * width, 0, width * sizeof *pooling->where);
    for (uint32_t place = 0; place < places_of(pooling); place++) {
        struct pst_pooling_line line = line_of(pooling, y, place);
        pst_channels_larger(&line.row, pooling->inputs + line.from, place, pooling->outputs + line.to,
                            pooling->where == NULL ? NULL : pooling->where + line.to);
    }
}

/* One thread does a whole sample, because its windows may overlap. */
static void backward_sample(const void *context, size_t sample)
{
    const struct pooling *pooling = context;
    const struct pst_window *window = pooling->layer->settings;
    size_t in = pst_shape_elements(&pooling->layer->in);
    bool add = !pst_pooling_tiles(window);
    if (add)
        memset(pooling->input_gradient + sample * in, 0, in * sizeof *pooling->input_gradient);
    for (size_t y = sample * window->out[0]; y < (sample + 1) * window->out[0]; y++)
        for (uint32_t place = 0; place < places_of(pooling); place++) {
            struct pst_pooling_line line = line_of(pooling, y, place);
            pst_channels_largest_back(&line.row, pooling->gradient + line.to, pooling->where + line.to, place,
                                      add, pooling->input_gradient + line.from);
        }
}

/* ---- channels first ------------------------------------------------------------------------------------ */

/* What is kept for the way back is a place in the sample, which a float holds exactly (PST_MAX_WIDTH). */
static void forward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                    float *outputs, float *memory)
{
    const struct pst_window *window = layer->settings;
    size_t in = window->in[0] * window->in[1], out = window->out[0] * window->out[1];
    if (pass->channels_last) {
        const struct pooling pooling = { .layer = layer,
                                         .inputs = inputs,
                                         .outputs = outputs,
                                         .where = pass->training ? (uint32_t *)(void *)memory : NULL };
        pst_parallel(pst_pass_team(pass), pass->n * window->out[0], forward_row, &pooling);
        return;
    }
    for (size_t map = 0; map < pass->n * layer->in.size[0]; map++) {
        float *to = outputs + map * out, *where = pass->training ? memory + map * out : NULL;
        size_t start = map % layer->in.size[0] * in;
        for (size_t at = 0; at < out; at++)
            to[at] = -INFINITY;
        for (size_t at = 0; where != NULL && at < out; at++)
            where[at] = (float)start;
        for (size_t i = 0; i < window->kernel[0]; i++)
            for (size_t j = 0; j < window->kernel[1]; j++)
                look_at(window, i, j, inputs + map * in, start, to, where);
    }
}

static void backward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                     const float *outputs, float *gradient, float *input_gradient, float *memory)
{
    size_t in = pst_shape_elements(&layer->in), out = pst_shape_elements(&layer->out);
    (void)inputs, (void)outputs;
    if (input_gradient == NULL)
        return;
    if (pass->channels_last) {
        const struct pooling pooling = { .layer = layer,
                                         .gradient = gradient,
                                         .input_gradient = input_gradient,
                                         .where = (uint32_t *)(void *)memory };
        pst_parallel(pst_pass_team(pass), pass->n, backward_sample, &pooling);
        return;
    }
    memset(input_gradient, 0, pass->n * in * sizeof *input_gradient);
    for (size_t sample = 0; sample < pass->n; sample++)
        for (size_t at = sample * out; at < (sample + 1) * out; at++)
            input_gradient[sample * in + (size_t)memory[at]] += gradient[at];
}

static size_t plain_largest(const struct pst_window *window, size_t at, const double *inputs)
{
    struct pst_pooling_place place = pst_pooling_place(window, at);
    size_t best = pst_pooling_input(window, &place, place.down.first, place.across.first);
    for (size_t i = place.down.first; i < place.down.end; i++)
        for (size_t j = place.across.first; j < place.across.end; j++)
            if (inputs[pst_pooling_input(window, &place, i, j)] > inputs[best])
                best = pst_pooling_input(window, &place, i, j);
    return best;
}

static void plain_forward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                          const double *inputs, double *outputs)
{
    for (size_t at = 0; at < pass->n * pst_shape_elements(&layer->out); at++)
        outputs[at] = inputs[plain_largest(layer->settings, at, inputs)];
}

static void plain_backward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                           const double *inputs, const double *gradient, double *input_gradient,
                           double *parameter_gradient)
{
    (void)parameter_gradient;
    memset(input_gradient, 0, pass->n * pst_shape_elements(&layer->in) * sizeof *input_gradient);
    for (size_t at = 0; at < pass->n * pst_shape_elements(&layer->out); at++)
        input_gradient[plain_largest(layer->settings, at, inputs)] += gradient[at];
}

static bool use(const struct pst_layer *layer, const struct pst_pass *pass, struct pst_use *use)
{
    (void)pass;
    *use = (struct pst_use){ .kind = PST_USE_LARGEST, .window = layer->settings };
    return true;
}

const struct pst_layer_type pst_layer_maxpool = {
    .name = "maxpool",
    .grammar = "maxpool2, maxpool3x3,stride=2,pad=1",
    .help = "the largest element under a window",
    .example = "2x6x5-conv3x3:3-maxpool2-flatten-4 2x7x6-conv3x3:2-maxpool3x2,stride=2x1,pad=1-flatten-3",
    .settings_size = sizeof(struct pst_window),
    .channels_last = true,
    .parse = parse,
    .describe = describe,
    .settle = settle,
    .forward = forward,
    .backward = backward,
    .plain_forward = plain_forward,
    .plain_backward = plain_backward,
    .use = use,
};
