/* Chains of layers: settled from shape to shape, and freed. chain_text.c reads them, passes.c goes through
 * them.
 */
#include "lib/nn/passes.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct pst_chain *pst_layer_inner(const struct pst_layer *layer, size_t which)
{
    return layer->type->inner == NULL ? NULL : layer->type->inner(layer, which);
}

void pst_chain_free(struct pst_chain *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        struct pst_layer *layer = &chain->layers[i];
        for (size_t which = 0; pst_layer_inner(layer, which) != NULL; which++)
            pst_chain_free(pst_layer_inner(layer, which));
        if (layer->type->release != NULL)
            layer->type->release(layer->settings);
        free(layer->settings);
    }
    free(chain->layers);
    *chain = (struct pst_chain){ 0 };
}

/* ---- settling ---------------------------------------------------------------------------------------- */

struct pst_parameter *pst_layer_add(struct pst_layer *layer, const char *name, size_t rank,
                                    const size_t *shape, double deviation)
{
    struct pst_parameter *parameter = &layer->parameters[layer->parameter_count++];
    *parameter = (struct pst_parameter){ .rank = rank, .count = 1, .deviation = deviation };
    snprintf(parameter->name, sizeof parameter->name, "%s", name);
    for (size_t i = 0; i < rank; i++) {
        parameter->shape[i] = shape[i];
        parameter->count *= shape[i]; /* at most PST_MAX_WIDTH squared */
    }
    layer->gradient_count += pst_aligned(parameter->count);
    return parameter;
}

size_t pst_parameter_row(const struct pst_parameter *parameter)
{
    return parameter->count / parameter->shape[0];
}

static bool is_last(const struct pst_chain *chain, size_t at)
{
    do
        at++;
    while (at < chain->count && chain->layers[at].type->in_place);
    return at == chain->count;
}

static const struct pst_layer_type *type_behind(const struct pst_chain *chain, size_t at)
{
    do
        at++;
    while (at < chain->count && chain->layers[at].type->transparent);
    return at < chain->count ? chain->layers[at].type : NULL;
}

const char *pst_unfit(struct pst_settling *settling, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(settling->why, sizeof settling->why, format, values);
    va_end(values);
    return settling->why;
}

/* Settles the chains that a layer holds. */
static enum pst_status settle_inner(const struct pst_layer *layer, size_t number,
                                    struct pst_settling *settling, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t which = 0; status == PST_OK && pst_layer_inner(layer, which) != NULL; which++)
        if (pst_layer_inner(layer, which)->count > 0)
            status = pst_chain_settle(pst_layer_inner(layer, which), &layer->in, settling, false, error);
    if (status == PST_USAGE && error != NULL)
        pst_fail_at(error, "in layer %zu, %s", number, layer->type->name);
    return status;
}

/* Settles one layer, whose number, from 1, is for messages. */
static enum pst_status settle_layer(struct pst_chain *chain, size_t i, struct pst_settling *settling,
                                    bool last, struct pst_error *error)
{
    struct pst_layer *layer = &chain->layers[i];
    char in[PST_SHAPE_TEXT];
    enum pst_status status = settle_inner(layer, i + 1, settling, error);
    if (status != PST_OK)
        return status;
    settling->last = last && is_last(chain, i);
    settling->next = type_behind(chain, i);
    const char *wrong = layer->type->settle(layer, settling);
    if (wrong == NULL && pst_shape_elements(&layer->out) > PST_MAX_WIDTH)
        wrong = "gives too many numbers";
    if (wrong == NULL)
        return PST_OK;
    settling->place = layer->place;
    return pst_fail(error, PST_USAGE, "layer %zu, %s, %s (its input is %s)", i + 1, layer->type->name, wrong,
                    pst_shape_text(&layer->in, in));
}

enum pst_status pst_chain_settle(struct pst_chain *chain, const struct pst_shape *in,
                                 struct pst_settling *settling, bool last, struct pst_error *error)
{
    chain->in = *in;
    for (size_t i = 0; i < chain->count; i++) {
        struct pst_layer *layer = &chain->layers[i];
        layer->in = i == 0 ? *in : chain->layers[i - 1].out;
        enum pst_status status = settle_layer(chain, i, settling, last, error);
        if (status != PST_OK)
            return status;
        for (size_t p = 0; p < layer->parameter_count; p++)
            layer->parameters[p].sequence = settling->layers;
        settling->layers += layer->parameter_count > 0;
    }
    chain->out = chain->layers[chain->count - 1].out;
    pst_chain_lay_out(chain);
    return PST_OK;
}
