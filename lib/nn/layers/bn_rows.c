/*
 * Batch normalisation of maps whose channels are last, together with its ReLU; and, if max pooling follows,
 * with that, too. The normalised maps are several times as large as the pooled ones and are needed nowhere
 * else, so they are never written. The way back needs only two things of each pooled number: its value
 * before the normalisation, and its place in its window.
 */
#include "lib/nn/channels.h"
#include "lib/nn/kernels/products.h"
#include "lib/nn/layers/bn.h"
#include "lib/nn/layers/pooling.h"
#include "lib/nn/passes.h"

#include <string.h>

extern const struct pst_layer_type pst_layer_maxpool;

/* All in the scratch: sums of each channel, numbers for the change of each, and what channels.h needs. */
struct rows {
    double *sums, *others;
    float *factor, *a, *b, *c;
    struct pst_channels maps;
};

size_t pst_bn_rows_scratch(size_t channels)
{
    return 2 * pst_aligned(2 * channels) + 4 * pst_aligned(channels) + pst_channels_scratch(channels);
}

static struct rows rows_of(const struct pst_layer *layer, const struct pst_pass *pass)
{
    const struct pst_bn *bn = layer->settings;
    float *at = pass->scratch;
    size_t two = pst_aligned(2 * bn->channels), one = pst_aligned(bn->channels);
    struct rows rows = { .sums = (double *)(void *)at, .others = (double *)(void *)(at + two) };
    rows.factor = at + 2 * two;
    rows.a = rows.factor + one;
    rows.b = rows.a + one;
    rows.c = rows.b + one;
    rows.maps = (struct pst_channels){ .rows = pass->n * bn->area,
                                       .channels = bn->channels,
                                       .team = pst_pass_team(pass),
                                       .scratch = rows.c + one };
    return rows;
}

/* ---- forward ----------------------------------------------------------------------------------------- */

static void measure(const struct pst_layer *layer, const struct pst_pass *pass, const struct rows *rows,
                    const float *inputs, float *memory)
{
    const struct pst_bn *bn = layer->settings;
    pst_channels_measure(&rows->maps, inputs, rows->sums, rows->others);
    for (size_t c = 0; c < bn->channels; c++)
        pst_bn_note(layer, pass, memory, c, rows->sums[c], rows->others[c]);
}

/* How each channel changes: in training, after the batch was measured; or in use. */
static struct pst_channels_change change_of(const struct pst_layer *layer, const struct pst_pass *pass,
                                            const struct rows *rows, float *memory)
{
    const struct pst_bn *bn = layer->settings;
    const float *gain = pst_layer_values(layer, pass, PST_BN_SCALE);
    for (size_t c = 0; c < bn->channels; c++)
        rows->factor[c] = pass->training ? pst_bn_batch(layer, pass, memory, PST_BN_BATCH_SCALE)[c] * gain[c]
                                         : pst_bn_scale_for_use(layer, pass, c);
    return (struct pst_channels_change){ .middle = pass->training
                                                       ? pst_bn_batch(layer, pass, memory, PST_BN_BATCH_MEAN)
                                                       : pst_layer_values(layer, pass, PST_BN_MEAN),
                                         .factor = rows->factor,
                                         .offset = pst_layer_values(layer, pass, PST_BN_OFFSET),
                                         .relu = bn->taken.activation == &pst_activation_relu };
}

static struct pst_channels_change begin(const struct pst_layer *layer, const struct pst_pass *pass,
                                        const struct rows *rows, const float *inputs, float *memory)
{
    if (pass->training)
        measure(layer, pass, rows, inputs, memory);
    return change_of(layer, pass, rows, memory);
}

void pst_bn_forward_rows(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                         float *outputs, float *memory)
{
    struct rows rows = rows_of(layer, pass);
    struct pst_finish finish = pst_bn_finish(layer);
    struct pst_channels_change change = begin(layer, pass, &rows, inputs, memory);
    pst_channels_change(&rows.maps, &change, inputs, outputs);
    if (!change.relu)
        pst_finish_forward(&finish, pass, NULL, outputs, memory);
}

/* ---- and back ---------------------------------------------------------------------------------------- */

/* Sums the gradients of `count` places. Makes from the sums the gradients of parameters, and the numbers
 * that the gradient of the inputs needs: scale · gain · (g - mean of g - normalised input · mean of g times
 * normalised input). */
static void sum_back(const struct pst_layer *layer, const struct pst_pass *pass, const struct rows *rows,
                     const struct pst_channels_change *change, const float *values, const float *outputs,
                     const float *gradient, size_t count, float *memory)
{
    const struct pst_bn *bn = layer->settings;
    const float *scale = pst_bn_batch(layer, pass, memory, PST_BN_BATCH_SCALE);
    double all = (double)(pass->n * bn->area);
    const struct pst_channels maps = { count, bn->channels, rows->maps.team, rows->maps.scratch };
    pst_channels_sums(&maps, change, values, outputs, gradient, rows->sums, rows->others);
    for (size_t c = 0; c < bn->channels; c++) {
        double factor = (double)rows->factor[c], product = rows->others[c] * (double)scale[c];
        pst_layer_gradient(layer, pass, PST_BN_SCALE)[c] = (float)product;
        pst_layer_gradient(layer, pass, PST_BN_OFFSET)[c] = (float)rows->sums[c];
        rows->a[c] = rows->factor[c];
        rows->b[c] = (float)(-factor * (double)scale[c] * product / all);
        rows->c[c] = (float)(-factor * rows->sums[c] / all);
    }
}

void pst_bn_backward_rows(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                          const float *outputs, float *gradient, float *input_gradient, float *memory)
{
    struct rows rows = rows_of(layer, pass);
    struct pst_finish finish = pst_bn_finish(layer);
    struct pst_channels_change change = change_of(layer, pass, &rows, memory);
    if (!change.relu)
        pst_finish_backward(&finish, pass, outputs, memory, gradient, NULL);
    sum_back(layer, pass, &rows, &change, inputs, outputs, gradient, rows.maps.rows, memory);
    if (input_gradient != NULL)
        pst_channels_blend(&rows.maps, &change, &(struct pst_channels_blend){ rows.a, rows.b, rows.c },
                           inputs, outputs, gradient, input_gradient);
}

/* ---- together with max pooling ----------------------------------------------------------------------- */

/* The loop over a window goes channel by channel, so channels should fill vectors: with 12 channels it is
 * slower than one layer after the other. */
#define LANES 16

bool pst_bn_joins(const struct pst_layer *layer, const struct pst_layer *next)
{
    const struct pst_activation *activation = ((const struct pst_bn *)layer->settings)->taken.activation;
    return layer->in.rank == 3 && layer->in.size[0] % LANES == 0 &&
           (activation == NULL || activation == &pst_activation_relu) && next->type == &pst_layer_maxpool &&
           pst_pooling_tiles(next->settings);
}

/* The line of row y of all outputs, for one place of the windows. */
static struct pst_pooling_line line_of(const struct pst_joined *joined, size_t y, uint32_t place)
{
    const struct pst_window *window = joined->next->settings;
    return pst_pooling_line(window, joined->next->in.size[0], y / window->out[0], y % window->out[0],
                            place / window->kernel[1], place % window->kernel[1]);
}

static uint32_t places_of(const struct pst_joined *joined)
{
    const struct pst_window *window = joined->next->settings;
    return (uint32_t)(window->kernel[0] * window->kernel[1]);
}

static size_t lines_of(const struct pst_joined *joined, const struct pst_pass *pass)
{
    return pass->n * ((const struct pst_window *)joined->next->settings)->out[0];
}

struct forward {
    const struct pst_joined *joined;
    const struct pst_channels_change *change;
    const float *inputs;
    struct pst_channels_largest largest;
};

static void look(const void *context, size_t y)
{
    const struct forward *forward = context;
    for (uint32_t place = 0; place < places_of(forward->joined); place++) {
        struct pst_pooling_line line = line_of(forward->joined, y, place);
        struct pst_channels_largest here = pst_channels_largest_at(&forward->largest, line.to);
        pst_channels_larger_changed(&line.row, forward->change, forward->inputs + line.from, place, &here);
    }
}

void pst_bn_forward_joined(const struct pst_joined *joined, const struct pst_pass *pass, const float *inputs,
                           float *outputs)
{
    struct rows rows = rows_of(joined->layer, pass);
    struct pst_channels_change change = begin(joined->layer, pass, &rows, inputs, joined->memory);
    struct forward forward = { joined, &change, inputs, { .best = outputs } };
    if (pass->training) {
        forward.largest.from = joined->between;
        forward.largest.where = (uint32_t *)(void *)joined->next_memory;
    }
    pst_parallel(pst_pass_team(pass), lines_of(joined, pass), look, &forward);
}

struct backward {
    const struct pst_joined *joined;
    const struct pst_channels_change *change;
    struct pst_channels_blend blend;
    const float *inputs, *outputs, *gradient;
    const uint32_t *where;
    float *input_gradient;
};

static void give_back(const void *context, size_t y)
{
    const struct backward *b = context;
    for (uint32_t place = 0; place < places_of(b->joined); place++) {
        struct pst_pooling_line line = line_of(b->joined, y, place);
        const struct pst_channels_back back = { .gradient = b->gradient + line.to,
                                                .outputs = b->outputs + line.to,
                                                .where = b->where + line.to };
        pst_channels_blend_largest(&line.row, b->change, &b->blend, &back, b->inputs + line.from, place,
                                   b->input_gradient + line.from);
    }
}

void pst_bn_backward_joined(const struct pst_joined *joined, const struct pst_pass *pass, const float *inputs,
                            const float *outputs, float *gradient, float *input_gradient)
{
    struct rows rows = rows_of(joined->layer, pass);
    struct pst_channels_change change = change_of(joined->layer, pass, &rows, joined->memory);
    size_t pooled = pass->n * pst_shape_elements(&joined->next->out) / joined->next->out.size[0];
    struct backward backward = { joined,
                                 &change,
                                 { rows.a, rows.b, rows.c },
                                 inputs,
                                 outputs,
                                 gradient,
                                 (const uint32_t *)(const void *)joined->next_memory,
                                 input_gradient };
    sum_back(joined->layer, pass, &rows, &change, joined->between, outputs, gradient, pooled, joined->memory);
    if (input_gradient != NULL)
        pst_parallel(pst_pass_team(pass), lines_of(joined, pass), give_back, &backward);
    pst_bn_hand_over(joined->layer, pass, joined->memory);
}
