/* Passes through chains: where each layer's inputs and outputs are, and what it keeps for the way back.
 * Nothing here depends on a type of layer, and nothing is allocated. */
#include "lib/nn/passes.h"

#include "lib/nn/channels.h"
#include "lib/nn/kernels.h"

#include <string.h>

#define FLOATS_ALIGNED (PST_ALIGNMENT / sizeof(float))

size_t pst_aligned(size_t count)
{
    return (count + FLOATS_ALIGNED - 1) / FLOATS_ALIGNED * FLOATS_ALIGNED;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* ---- memory ------------------------------------------------------------------------------------------ */

static bool joins(const struct pst_layer *layer)
{
    return layer->type->joins != NULL && layer->type->joins(layer, layer + 1);
}

/* Outputs of a pass for use are in piece 0, 1 or 2 of the memory. */
#define NOWHERE 3 /* the chain's own inputs */

/* The first piece that is neither of these two. */
static size_t other_piece(size_t one, size_t two)
{
    size_t piece = 0;
    while (piece == one || piece == two)
        piece++;
    return piece;
}

/*
 * Places the outputs of a pass for use. Each layer's outputs are in another piece than its inputs. If a
 * layer may be computed together with the layer before it, its outputs are also in another piece than that
 * layer's inputs; only such layers use piece 2. Returns the size of piece 2.
 */
static size_t place_outputs(struct pst_chain *chain, size_t widest)
{
    size_t before = NOWHERE, from = NOWHERE, third = 0; /* the pieces of the inputs, before, and of these */
    for (size_t i = 0; i + 1 < chain->count; i++) {
        struct pst_layer *layer = &chain->layers[i];
        if (layer->in_place)
            continue;
        size_t piece = other_piece(from, i > 0 && joins(&layer[-1]) ? before : from);
        layer->out_at[false] = piece * widest;
        third = larger(third, piece == 2 ? pst_shape_elements(&layer->out) : 0);
        before = from;
        from = piece;
    }
    return third;
}

/*
 * First come two pieces, as wide as the widest outputs between two layers, and in a pass for use a third one
 * (place_outputs). A training pass keeps all outputs elsewhere, and its two pieces hold the gradients on the
 * way back, in turn.
 */
void pst_chain_lay_out(struct pst_chain *chain)
{
    size_t widest = 0, most = 0;
    for (size_t i = 0; i < chain->count; i++) {
        struct pst_layer *layer = &chain->layers[i];
        layer->in_place = layer->type->in_place && !pst_shape_moves(&layer->in);
        most = larger(most, layer->memory_for_use);
        if (i + 1 < chain->count)
            widest = larger(widest, pst_shape_elements(&layer->out));
    }
    size_t for_use = 2 * widest + place_outputs(chain, widest), at = 2 * widest;
    for (size_t i = 0; i < chain->count; i++) {
        struct pst_layer *layer = &chain->layers[i];
        layer->memory_at[false] = for_use;
        layer->memory_at[true] = at;
        at += layer->memory_for_training;
        if (layer->in_place || i + 1 == chain->count)
            continue;
        layer->out_at[true] = at;
        at += pst_shape_elements(&layer->out);
    }
    chain->widest = widest;
    chain->memory[false] = for_use + most;
    chain->memory[true] = at;
}

bool pst_chain_takes_channels_last(const struct pst_chain *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        const struct pst_layer *layer = &chain->layers[i];
        if (pst_shape_moves(&layer->in) && !layer->type->channels_last)
            return false;
        for (size_t which = 0; pst_layer_inner(layer, which) != NULL; which++)
            if (!pst_chain_takes_channels_last(pst_layer_inner(layer, which)))
                return false;
    }
    return true;
}

bool pst_layer_learns(const struct pst_layer *layer)
{
    return layer->parameter_count > 0 || layer->type->inner != NULL;
}

/* The most that one layer needs, in a chain and those inside of it. */
static size_t most_of(const struct pst_chain *chain, size_t (*need)(const struct pst_layer *layer))
{
    size_t most = 0;
    for (size_t i = 0; i < chain->count; i++) {
        const struct pst_layer *layer = &chain->layers[i];
        most = larger(most, need(layer));
        for (size_t which = 0; pst_layer_inner(layer, which) != NULL; which++)
            most = larger(most, most_of(pst_layer_inner(layer, which), need));
    }
    return most;
}

static size_t gradient_count(const struct pst_layer *layer)
{
    return layer->gradient_count;
}

static size_t scratch_for_use(const struct pst_layer *layer)
{
    return layer->scratch[false];
}

static size_t scratch_for_training(const struct pst_layer *layer)
{
    return layer->scratch[true];
}

size_t pst_chain_gradient_count(const struct pst_chain *chain)
{
    return most_of(chain, gradient_count);
}

size_t pst_chain_scratch(const struct pst_chain *chain, bool training)
{
    return most_of(chain, training ? scratch_for_training : scratch_for_use);
}

/* ---- layers in a pass -------------------------------------------------------------------------------- */

const float *pst_layer_values(const struct pst_layer *layer, const struct pst_pass *pass, size_t parameter)
{
    return pass->parameters + layer->parameters[parameter].at;
}

float *pst_layer_gradient(const struct pst_layer *layer, const struct pst_pass *pass, size_t parameter)
{
    size_t at = 0;
    for (size_t p = 0; p < parameter; p++)
        at += pst_aligned(layer->parameters[p].count);
    return pass->gradients + at;
}

/* A chain in a pass: what is the same for all its layers. */
struct walk {
    const struct pst_chain *chain;
    const struct pst_pass *pass;
    const float *inputs;
    float *memory;
};

/* A layer's inputs: those of the chain, or the outputs of the last layer before it that is not in place. */
static const float *inputs_of(const struct walk *walk, size_t layer)
{
    while (layer > 0 && walk->chain->layers[layer - 1].in_place)
        layer--;
    return layer == 0 ? walk->inputs
                      : walk->memory +
                            walk->chain->layers[layer - 1].out_at[walk->pass->training] * walk->pass->room;
}

static float *memory_of(const struct walk *walk, size_t layer)
{
    return walk->memory + walk->chain->layers[layer].memory_at[walk->pass->training] * walk->pass->room;
}

/* Copies a layer's outputs to the taps on it, with the channels first. */
static void tap_outputs(const struct pst_layer *layer, const struct pst_pass *pass, const float *outputs)
{
    size_t elements = pst_shape_elements(&layer->out);
    for (size_t t = 0; t < pass->tap_count; t++)
        if (pass->taps[t].layer != layer)
            continue;
        else if (pass->channels_last && pst_shape_moves(&layer->out))
            pst_channels_to_first(&layer->out, pass->n, outputs,
                                  pass->taps[t].outputs + pass->first * elements);
        else
            memcpy(pass->taps[t].outputs + pass->first * elements, outputs,
                   pass->n * elements * sizeof *outputs);
}

/* Adds the gradients of the taps on a layer to the gradient of its outputs. */
static void tap_gradient(const struct pst_layer *layer, const struct pst_pass *pass, float *gradient)
{
    for (size_t t = 0; t < pass->tap_count; t++)
        if (pass->taps[t].layer != layer || pass->taps[t].gradient == NULL)
            continue;
        else if (pass->channels_last && pst_shape_moves(&layer->out))
            pst_channels_add_to_last(&layer->out, pass->n, pass->taps[t].gradient, gradient);
        else
            pst_kernel_add(gradient, pass->taps[t].gradient, pass->n * pst_shape_elements(&layer->out));
}

/* A layer that only changes the shape: its outputs are its inputs with the channels first. */
static void reshape(const struct pst_layer *layer, const struct pst_pass *pass, const float *from, float *to)
{
    if (pass->channels_last && pst_shape_moves(&layer->in))
        pst_channels_to_first(&layer->in, pass->n, from, to);
    else
        memcpy(to, from, pass->n * pst_shape_elements(&layer->in) * sizeof *to);
}

static void reshape_back(const struct pst_layer *layer, const struct pst_pass *pass, const float *gradient,
                         float *to)
{
    if (pass->channels_last && pst_shape_moves(&layer->in))
        pst_channels_to_last(&layer->in, pass->n, gradient, to);
    else
        memcpy(to, gradient, pass->n * pst_shape_elements(&layer->in) * sizeof *to);
}

static bool is_tapped(const struct pst_layer *layer, const struct pst_pass *pass)
{
    for (size_t t = 0; t < pass->tap_count; t++)
        if (pass->taps[t].layer == layer)
            return true;
    return false;
}

/* Whether a layer and the next are computed together. */
static bool are_joined(const struct walk *walk, size_t layer)
{
    const struct pst_layer *layers = walk->chain->layers;
    return walk->pass->channels_last && layer + 1 < walk->chain->count && layers[layer].type->joins != NULL &&
           !is_tapped(&layers[layer], walk->pass) &&
           layers[layer].type->joins(&layers[layer], &layers[layer + 1]);
}

static struct pst_joined join(const struct walk *walk, size_t layer)
{
    const struct pst_layer *layers = walk->chain->layers;
    return (struct pst_joined){ .layer = &layers[layer],
                                .next = &layers[layer + 1],
                                .between = walk->memory +
                                           layers[layer].out_at[walk->pass->training] * walk->pass->room,
                                .memory = memory_of(walk, layer),
                                .next_memory = memory_of(walk, layer + 1) };
}

void pst_chain_forward_from(const struct pst_chain *chain, const struct pst_pass *pass, size_t first,
                            const float *inputs, float *outputs, float *memory)
{
    const struct walk walk = { chain, pass, inputs, memory };
    for (size_t i = first; i < chain->count; i++) {
        const float *from = inputs_of(&walk, i);
        bool joined = are_joined(&walk, i);
        struct pst_joined both = { 0 };
        if (joined)
            both = join(&walk, i++);
        const struct pst_layer *layer = &chain->layers[i];
        bool last = i + 1 == chain->count;
        float *to = last ? outputs : memory + layer->out_at[pass->training] * pass->room;
        if (joined)
            both.layer->type->forward_joined(&both, pass, from, to);
        else if (!layer->type->in_place)
            layer->type->forward(layer, pass, from, to, memory_of(&walk, i));
        else if (last || !layer->in_place)
            reshape(layer, pass, from, to);
        tap_outputs(layer, pass, layer->in_place ? from : to);
    }
}

void pst_chain_forward(const struct pst_chain *chain, const struct pst_pass *pass, const float *inputs,
                       float *outputs, float *memory)
{
    pst_chain_forward_from(chain, pass, 0, inputs, outputs, memory);
}

/* The first layer that learns: the way back ends there. */
static size_t first_to_learn(const struct pst_chain *chain)
{
    size_t first = 0;
    while (first + 1 < chain->count && !pst_layer_learns(&chain->layers[first]))
        first++;
    return first;
}

void pst_chain_backward(const struct pst_chain *chain, const struct pst_pass *pass, const float *inputs,
                        const float *outputs, float *gradient, float *input_gradient, float *memory)
{
    const struct walk walk = { chain, pass, inputs, memory };
    size_t first = input_gradient == NULL ? first_to_learn(chain) : 0, turn = 0;
    for (size_t i = chain->count; i-- > first;) {
        const struct pst_layer *layer = &chain->layers[i];
        tap_gradient(layer, pass, gradient);
        bool joined = i > first && are_joined(&walk, i - 1);
        i -= joined;
        const float *from = inputs_of(&walk, i);
        if (layer->in_place && i > first)
            continue; /* its gradient is that of the layer before it */
        float *to = i == first ? input_gradient : memory + turn * pass->room;
        if (joined) {
            struct pst_joined both = join(&walk, i);
            both.layer->type->backward_joined(&both, pass, from, outputs, gradient, to);
        } else if (!layer->type->in_place)
            layer->type->backward(layer, pass, from, outputs, gradient, to, memory_of(&walk, i));
        else if (to != NULL && gradient != NULL)
            reshape_back(layer, pass, gradient, to);
        outputs = from;
        gradient = to;
        turn = chain->widest - turn;
    }
}
