/* Networks: their shape as text, their parameters in one piece of memory, their initial weights. */
#include "pipestill/nn.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOATS_ALIGNED (PST_ALIGNMENT / sizeof(float))

/*
 * Reads one width and steps behind it.
 * Returns 0 where the text does not start with a number from 1 to PST_MAX_WIDTH.
 */
static size_t read_width(const char **text)
{
    char digits[8];
    size_t length = strspn(*text, "0123456789");
    if (length == 0 || length >= sizeof digits)
        return 0;
    memcpy(digits, *text, length);
    digits[length] = '\0';
    uint64_t width;
    if (!pst_parse_u64(digits, 1, PST_MAX_WIDTH, &width))
        return 0;
    *text += length;
    return (size_t)width;
}

/* Fills layer_count and the layers' inputs and outputs. Returns false where the text is no architecture. */
static bool parse_architecture(struct pst_network *network, const char *text)
{
    size_t inputs = read_width(&text);
    if (inputs == 0)
        return false;
    while (*text == '-' && network->layer_count < PST_MAX_LAYERS) {
        text++;
        size_t outputs = read_width(&text);
        if (outputs == 0)
            return false;
        network->layers[network->layer_count++] = (struct pst_layer){ .inputs = inputs, .outputs = outputs };
        inputs = outputs;
    }
    return *text == '\0' && network->layer_count > 0;
}

/* Takes count floats from the end of the parameter vector; each piece starts on a new cache line. */
static bool place(struct pst_network *network, size_t count, size_t *at)
{
    size_t padded = (count + FLOATS_ALIGNED - 1) / FLOATS_ALIGNED * FLOATS_ALIGNED;
    *at = network->parameter_count;
    return padded >= count && !__builtin_add_overflow(*at, padded, &network->parameter_count);
}

static bool place_layers(struct pst_network *network)
{
    for (size_t l = 0; l < network->layer_count; l++) {
        struct pst_layer *layer = &network->layers[l];
        size_t weights;
        if (!pst_multiply(layer->inputs, layer->outputs, &weights) ||
            !place(network, weights, &layer->weight_at) || !place(network, layer->outputs, &layer->bias_at))
            return false;
    }
    return true;
}

enum pst_status pst_network_new(struct pst_network *network, const char *architecture,
                                struct pst_error *error)
{
    *network = (struct pst_network){ 0 };
    if (!parse_architecture(network, architecture)) {
        *network = (struct pst_network){ 0 };
        return pst_fail(
            error, PST_USAGE,
            "architecture \"%.100s\": give 2 to %d widths from 1 to %u with \"-\" between, such as "
            "784-800-800-10",
            architecture, PST_MAX_LAYERS + 1, PST_MAX_WIDTH);
    }
    if (!place_layers(network)) {
        *network = (struct pst_network){ 0 };
        return pst_fail(error, PST_TRY_AGAIN, "architecture \"%.100s\": too large for memory", architecture);
    }
    network->parameters = pst_allocate(network->parameter_count, sizeof(float), error);
    if (network->parameters == NULL) {
        *network = (struct pst_network){ 0 };
        return PST_TRY_AGAIN;
    }
    for (size_t l = 0; l < network->layer_count; l++) {
        struct pst_layer *layer = &network->layers[l];
        layer->weight = network->parameters + layer->weight_at;
        layer->bias = network->parameters + layer->bias_at;
    }
    return PST_OK;
}

void pst_network_initialise(struct pst_network *network, uint64_t seed)
{
    memset(network->parameters, 0, network->parameter_count * sizeof(float));
    for (size_t l = 0; l < network->layer_count; l++) {
        const struct pst_layer *layer = &network->layers[l];
        /* ReLU halves the variance of what it lets through; behind the last layer there is none. */
        double variance = (l + 1 < network->layer_count ? 2.0 : 1.0) / (double)layer->inputs;
        double deviation = sqrt(variance);
        for (size_t unit = 0; unit < layer->outputs; unit++) {
            struct pst_random random;
            pst_random_start(&random, seed, PST_RANDOM_INITIAL, l, unit);
            for (size_t i = 0; i < layer->inputs; i++)
                layer->weight[unit * layer->inputs + i] = (float)(deviation * pst_random_normal(&random));
        }
    }
}

void pst_network_describe(const struct pst_network *network, char *text, size_t size)
{
    if (size == 0)
        return;
    text[0] = '\0';
    if (network->layer_count == 0)
        return;
    size_t used = (size_t)snprintf(text, size, "%zu", network->layers[0].inputs);
    for (size_t l = 0; l < network->layer_count && used < size; l++)
        used += (size_t)snprintf(text + used, size - used, "-%zu", network->layers[l].outputs);
}

size_t pst_network_inputs(const struct pst_network *network)
{
    return network->layer_count > 0 ? network->layers[0].inputs : 0;
}

size_t pst_network_outputs(const struct pst_network *network)
{
    return network->layer_count > 0 ? network->layers[network->layer_count - 1].outputs : 0;
}

void pst_network_free(struct pst_network *network)
{
    free(network->parameters);
    *network = (struct pst_network){ 0 };
}
