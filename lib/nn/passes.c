/* Passes through chains: where each layer finds its inputs, leaves its outputs, and what it keeps for the way
 * back. Nothing here knows a type of layer, and nothing is allocated. */
#include "lib/nn/passes.h"

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

/*
 * Two pieces as wide as the widest of what is between two layers come first. In a pass for use they are the
 * outputs, in turn; on the way back through a training pass, whose outputs all stay, they are the gradients.
 */
void pst_chain_lay_out(struct pst_chain *chain)
{
    size_t widest = 0, turn = 0, most = 0;
    for (size_t i = 0; i + 1 < chain->count; i++)
        widest = larger(widest, pst_shape_elements(&chain->layers[i].out));
    size_t at = 2 * widest;
    for (size_t i = 0; i < chain->count; i++) {
        struct pst_layer *layer = &chain->layers[i];
        layer->memory_at[false] = 2 * widest;
        layer->memory_at[true] = at;
        at += layer->memory_for_training;
        most = larger(most, layer->memory_for_use);
        if (layer->type->in_place || i + 1 == chain->count)
            continue;
        layer->out_at[false] = turn;
        layer->out_at[true] = at;
        at += pst_shape_elements(&layer->out);
        turn = widest - turn;
    }
    chain->widest = widest;
    chain->memory[false] = 2 * widest + most;
    chain->memory[true] = at;
}

bool pst_layer_learns(const struct pst_layer *layer)
{
    return layer->parameter_count > 0 || layer->type->inner != NULL;
}

/* The most of what one layer needs, in a chain and those inside of it. */
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

/* A chain in a pass: the same for all of its layers. */
struct walk {
    const struct pst_chain *chain;
    const struct pst_pass *pass;
    const float *inputs;
    float *memory;
};

/* Where a layer's inputs are: at the chain's own, or with the last layer before it that is not in place. */
static const float *inputs_of(const struct walk *walk, size_t layer)
{
    while (layer > 0 && walk->chain->layers[layer - 1].type->in_place)
        layer--;
    return layer == 0 ? walk->inputs
                      : walk->memory +
                            walk->chain->layers[layer - 1].out_at[walk->pass->training] * walk->pass->room;
}

static float *memory_of(const struct walk *walk, size_t layer)
{
    return walk->memory + walk->chain->layers[layer].memory_at[walk->pass->training] * walk->pass->room;
}

void pst_chain_forward(const struct pst_chain *chain, const struct pst_pass *pass, const float *inputs,
                       float *outputs, float *memory)
{
    const struct walk walk = { chain, pass, inputs, memory };
    for (size_t i = 0; i < chain->count; i++) {
        const struct pst_layer *layer = &chain->layers[i];
        bool last = i + 1 == chain->count;
        const float *from = inputs_of(&walk, i);
        float *to = last ? outputs : memory + layer->out_at[pass->training] * pass->room;
        if (!layer->type->in_place)
            layer->type->forward(layer, pass, from, to, memory_of(&walk, i));
        else if (last)
            memcpy(to, from, pass->n * pst_shape_elements(&layer->in) * sizeof *to);
    }
}

/* The first layer that the way back must reach: nothing before it learns. */
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
        const float *from = inputs_of(&walk, i);
        if (layer->type->in_place && i > first)
            continue; /* its gradient is that of the layer before it */
        float *to = i == first ? input_gradient : memory + turn * pass->room;
        if (!layer->type->in_place)
            layer->type->backward(layer, pass, from, outputs, gradient, to, memory_of(&walk, i));
        else if (to != NULL)
            memcpy(to, gradient, pass->n * pst_shape_elements(&layer->in) * sizeof *to);
        outputs = from;
        gradient = to;
        turn = chain->widest - turn;
    }
}
