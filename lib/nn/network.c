/* Networks: a chain of layers, their parameters in one piece of memory, their initial values. */
#include "pipestill/nn.h"

#include "lib/nn/passes.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- parameters -------------------------------------------------------------------------------------- */

/* Calls visit for every parameter of a chain, in the order of the flat vector. prefix: of their names,
 * "layers.". Returns false as soon as visit does. */
static bool visit_chain(struct pst_chain *chain, const char *prefix, void *context,
                        bool (*visit)(void *context, struct pst_parameter *parameter, const char *prefix))
{
    size_t number = 0;
    for (size_t i = 0; i < chain->count; i++) {
        struct pst_layer *layer = &chain->layers[i];
        char own[sizeof layer->parameters->name], inside[sizeof own + 16];
        int length = snprintf(own, sizeof own, "%s%zu.", prefix, number);
        if (length < 0 || (size_t)length >= sizeof own)
            return false;
        for (size_t p = 0; p < layer->parameter_count; p++)
            if (!visit(context, &layer->parameters[p], own))
                return false;
        for (size_t which = 0; pst_layer_inner(layer, which) != NULL; which++) {
            snprintf(inside, sizeof inside, which == 0 ? "%slayers." : "%slayers%zu.", own, which + 1);
            if (!visit_chain(pst_layer_inner(layer, which), inside, context, visit))
                return false;
        }
        number += pst_layer_learns(layer);
    }
    return true;
}

/* Gives a parameter its place, on a new cache line, and its whole name. */
static bool place(void *context, struct pst_parameter *parameter, const char *prefix)
{
    struct pst_network *network = context;
    char name[sizeof parameter->name];
    int length = snprintf(name, sizeof name, "%s%s", prefix, parameter->name);
    if (length < 0 || (size_t)length >= sizeof name)
        return false;
    memcpy(parameter->name, name, sizeof name);
    parameter->at = network->parameter_count;
    network->tensor_count++;
    return !__builtin_add_overflow(network->parameter_count, pst_aligned(parameter->count),
                                   &network->parameter_count);
}

static bool list(void *context, struct pst_parameter *parameter, const char *prefix)
{
    struct pst_network *network = context;
    (void)prefix;
    network->tensors[network->tensor_count++] = parameter;
    return true;
}

static enum pst_status make_parameters(struct pst_network *network, struct pst_error *error)
{
    if (!visit_chain(&network->chain, "layers.", network, place))
        return pst_fail(
            error, PST_TRY_AGAIN,
            "the network is too large for memory, or chains of layers stand too deep in one another");
    if (network->tensor_count == 0)
        return pst_fail(error, PST_USAGE, "no layer has weights, so there is nothing to learn");
    network->tensors = pst_allocate(network->tensor_count, sizeof *network->tensors, error);
    network->parameters = pst_allocate(network->parameter_count, sizeof(float), error);
    if (network->tensors == NULL || network->parameters == NULL)
        return PST_TRY_AGAIN;
    network->tensor_count = 0;
    return visit_chain(&network->chain, "layers.", network, list) ? PST_OK : PST_TRY_AGAIN;
}

/* ---- networks ---------------------------------------------------------------------------------------- */

/* Writes the architecture in its one normal form. */
static enum pst_status describe(struct pst_network *network, struct pst_error *error)
{
    struct pst_text text;
    FILE *out = pst_text_open(&text);
    if (out != NULL) {
        pst_shape_describe(&network->chain.in, out);
        fputc('-', out);
        pst_chain_describe(&network->chain, out);
    }
    network->architecture = pst_text_close(&text);
    return network->architecture != NULL ? PST_OK : pst_fail(error, PST_TRY_AGAIN, "out of memory");
}

/* Reads the shape before the first "-". words: receives where the rest begins. */
static enum pst_status parse_input(const char *architecture, struct pst_shape *shape, size_t *words,
                                   struct pst_place *place, struct pst_error *error)
{
    char text[PST_SHAPE_TEXT] = "";
    size_t length = strcspn(architecture, "-");
    *place = (struct pst_place){ 0, length };
    if (length < sizeof text)
        memcpy(text, architecture, length);
    if (architecture[length] == '\0' || !pst_shape_parse(text, shape))
        return pst_fail(
            error, PST_USAGE,
            "begin with the shape of the inputs, then name the layers, with \"-\" between, such as "
            "784-800-800-10 or 3x32x32-flatten-100-10");
    *words = length + 1;
    return PST_OK;
}

static enum pst_status settle(struct pst_network *network, const struct pst_shape *input,
                              struct pst_place *place, struct pst_error *error)
{
    struct pst_settling settling = { 0 };
    enum pst_status status = pst_chain_settle(&network->chain, input, &settling, true, error);
    *place = settling.place;
    return status;
}

static enum pst_status build(struct pst_network *network, const char *architecture, struct pst_place *place,
                             struct pst_error *error)
{
    struct pst_shape input;
    size_t words = 0;
    enum pst_status status = parse_input(architecture, &input, &words, place, error);
    if (status == PST_OK)
        status = pst_chain_parse(&network->chain, architecture, words, place, error);
    if (status == PST_OK)
        status = settle(network, &input, place, error);
    if (status == PST_OK)
        status = make_parameters(network, error);
    return status == PST_OK ? describe(network, error) : status;
}

enum pst_status pst_network_parse(struct pst_network *network, const char *architecture,
                                  struct pst_place *place, struct pst_error *error)
{
    *network = (struct pst_network){ 0 };
    *place = (struct pst_place){ 0 };
    enum pst_status status = build(network, architecture, place, error);
    if (status == PST_OK)
        return PST_OK;
    pst_network_free(network);
    return status;
}

enum pst_status pst_network_new(struct pst_network *network, const char *architecture,
                                struct pst_error *error)
{
    struct pst_place place;
    enum pst_status status = pst_network_parse(network, architecture, &place, error);
    if (status != PST_OK && error != NULL)
        pst_fail_at(error, "architecture \"%.100s\"", architecture);
    return status;
}

void pst_network_initialise(struct pst_network *network, uint64_t seed)
{
    memset(network->parameters, 0, network->parameter_count * sizeof(float));
    for (size_t t = 0; t < network->tensor_count; t++) {
        const struct pst_parameter *tensor = network->tensors[t];
        size_t row = pst_parameter_row(tensor);
        for (size_t i = 0; i < tensor->count; i++)
            network->parameters[tensor->at + i] = tensor->initial;
        for (size_t unit = 0; tensor->deviation > 0 && unit < tensor->shape[0]; unit++) {
            struct pst_random random;
            float *values = network->parameters + tensor->at + unit * row;
            pst_random_start(&random, seed, PST_RANDOM_INITIAL, tensor->sequence, unit);
            for (size_t i = 0; i < row; i++)
                values[i] = (float)(tensor->deviation * pst_random_normal(&random));
        }
    }
}

size_t pst_network_inputs(const struct pst_network *network)
{
    return pst_shape_elements(&network->chain.in);
}

size_t pst_network_outputs(const struct pst_network *network)
{
    return pst_shape_elements(&network->chain.out);
}

enum pst_status pst_network_set_scale(struct pst_network *network, size_t channels, const double *scale,
                                      struct pst_error *error)
{
    double *numbers = pst_allocate(channels, 2 * sizeof *numbers, error);
    if (numbers == NULL)
        return PST_TRY_AGAIN;
    memcpy(numbers, scale, 2 * channels * sizeof *numbers);
    free(network->input_scale);
    network->input_scale = numbers;
    network->input_channels = channels;
    return PST_OK;
}

bool pst_network_scale_outputs(struct pst_network *network, const double *scale, const double *offset)
{
    /* A dense layer with biases and without an activation is written as a number alone. */
    const char *last = strrchr(network->architecture, '-');
    if (last == NULL || last[1 + strspn(last + 1, "0123456789")] != '\0' || network->tensor_count < 2)
        return false;
    if (scale == NULL)
        return true;
    const struct pst_parameter *weight = network->tensors[network->tensor_count - 2];
    const struct pst_parameter *bias = network->tensors[network->tensor_count - 1];
    size_t outputs = pst_network_outputs(network), inputs = weight->count / outputs;
    for (size_t j = 0; j < outputs; j++) {
        float *row = network->parameters + weight->at + j * inputs;
        float *moved = network->parameters + bias->at + j;
        for (size_t i = 0; i < inputs; i++)
            row[i] = (float)(scale[j] * (double)row[i]);
        *moved = (float)(scale[j] * (double)*moved + offset[j]);
    }
    return true;
}

void pst_network_free(struct pst_network *network)
{
    pst_chain_free(&network->chain);
    free(network->parameters);
    free(network->tensors);
    free(network->architecture);
    free(network->input_scale);
    json_decref(network->about);
    json_decref(network->lineage);
    *network = (struct pst_network){ 0 };
}
