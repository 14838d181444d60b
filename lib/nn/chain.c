/* Chains of layers: read from text, written as text, settled from shape to shape. passes.c goes through them.
 */
#include "lib/nn/passes.h"

#include <stdlib.h>
#include <string.h>

/* ---- text -------------------------------------------------------------------------------------------- */

/* The length of the word at the start of a text: up to a "-" outside of parentheses. */
static size_t word_length(const char *text)
{
    size_t depth = 0, length = 0;
    for (; text[length] != '\0' && (depth > 0 || text[length] != '-'); length++) {
        depth += text[length] == '(';
        depth -= text[length] == ')' && depth > 0;
    }
    return length;
}

static enum pst_status not_a_layer(const char *word, struct pst_error *error)
{
    char list[256] = "";
    size_t used = 0;
    for (size_t i = 0; pst_layer_types[i] != NULL && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : ", ",
                                 pst_layer_types[i]->grammar);
    return pst_fail(error, PST_USAGE, "'%.60s' is not a layer; layers are like: %s", word, list);
}

/* Reads one word into a layer. */
static enum pst_status parse_layer(struct pst_layer *layer, const char *word, struct pst_error *error)
{
    for (size_t i = 0; pst_layer_types[i] != NULL; i++) {
        const struct pst_layer_type *type = pst_layer_types[i];
        *layer = (struct pst_layer){ .type = type };
        if (type->settings_size > 0) {
            layer->settings = pst_allocate(1, type->settings_size, error);
            if (layer->settings == NULL)
                return PST_TRY_AGAIN;
        }
        if (type->parse(word, layer->settings))
            return PST_OK;
        free(layer->settings);
    }
    *layer = (struct pst_layer){ 0 };
    return not_a_layer(word, error);
}

/* Whether a layer takes over the activation that follows it. */
static bool absorb(struct pst_layer *layer, const struct pst_activation *activation, double slope)
{
    const struct pst_layer_type *type = layer->type;
    return type != NULL && type->absorb != NULL && type->absorb(layer, activation, slope);
}

/* Adds the layer of one word to a chain; an activation may become a part of the layer before it. */
static enum pst_status add_word(struct pst_chain *chain, const char *word, struct pst_error *error)
{
    double slope;
    const struct pst_activation *activation = pst_activation_parse(word, &slope);
    if (activation != NULL && chain->count > 0 && absorb(&chain->layers[chain->count - 1], activation, slope))
        return PST_OK;
    if (chain->count == PST_MAX_LAYERS)
        return pst_fail(error, PST_USAGE, "more than %d layers", PST_MAX_LAYERS);
    enum pst_status status = parse_layer(&chain->layers[chain->count], word, error);
    chain->count += status == PST_OK;
    return status;
}

/* How many words there are at the most. */
static size_t count_words(const char *text)
{
    size_t words = 1;
    for (; *text != '\0'; text++)
        words += *text == '-';
    return words < PST_MAX_LAYERS ? words : PST_MAX_LAYERS;
}

enum pst_status pst_chain_parse(struct pst_chain *chain, const char *words, struct pst_error *error)
{
    *chain = (struct pst_chain){ 0 };
    chain->layers = pst_allocate(count_words(words), sizeof *chain->layers, error);
    if (chain->layers == NULL)
        return PST_TRY_AGAIN;
    enum pst_status status = PST_OK;
    for (bool more = true; more && status == PST_OK;) {
        size_t length = word_length(words);
        char *word = strndup(words, length);
        if (word == NULL)
            status = pst_fail(error, PST_TRY_AGAIN, "out of memory");
        else
            status = add_word(chain, word, error);
        free(word);
        more = words[length] == '-';
        words += length + 1;
    }
    if (status != PST_OK)
        pst_chain_free(chain);
    return status;
}

void pst_chain_describe(const struct pst_chain *chain, FILE *text)
{
    for (size_t i = 0; i < chain->count; i++) {
        if (i > 0)
            fputc('-', text);
        chain->layers[i].type->describe(&chain->layers[i], text);
    }
}

void pst_chain_free(struct pst_chain *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        if (chain->layers[i].type->release != NULL)
            chain->layers[i].type->release(chain->layers[i].settings);
        free(chain->layers[i].settings);
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

enum pst_status pst_chain_settle(struct pst_chain *chain, const struct pst_shape *in,
                                 struct pst_settling *settling, bool last, struct pst_error *error)
{
    chain->in = *in;
    for (size_t i = 0; i < chain->count; i++) {
        struct pst_layer *layer = &chain->layers[i];
        layer->in = i == 0 ? *in : chain->layers[i - 1].out;
        settling->last = last && is_last(chain, i);
        settling->next = type_behind(chain, i);
        const char *wrong = layer->type->settle(layer, settling);
        if (wrong == NULL && pst_shape_elements(&layer->out) > PST_MAX_WIDTH)
            wrong = "gives too many numbers";
        if (wrong != NULL)
            return pst_fail(error, PST_USAGE, "layer %zu, %s, %s", i + 1, layer->type->name, wrong);
        for (size_t p = 0; p < layer->parameter_count; p++)
            layer->parameters[p].sequence = settling->layers;
        settling->layers += layer->parameter_count > 0;
    }
    chain->out = chain->layers[chain->count - 1].out;
    pst_chain_lay_out(chain);
    return PST_OK;
}
