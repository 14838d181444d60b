/* Models of other tools: tensors with the names of dense layers in a state dict. */
#include "lib/nn/model.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A layer as it is found in a file. */
struct found {
    uint64_t number; /* in the tensors' names */
    const struct pst_named_tensor *weight, *bias;
};

struct found_layers {
    struct found *layer; /* [count]; owned */
    size_t count, room;
    size_t prefix; /* bytes before the number in every name */
};

/*
 * Divides a name into anything, a number, and ".weight" or ".bias". prefix: receives the number of bytes
 * before the number. Returns false if the name is not like that.
 */
static bool parse_name(const char *name, size_t *prefix, uint64_t *number, bool *is_bias)
{
    const char *dot = strrchr(name, '.');
    if (dot == NULL || (strcmp(dot, ".weight") != 0 && strcmp(dot, ".bias") != 0))
        return false;
    *is_bias = strcmp(dot, ".bias") == 0;
    const char *digits = dot;
    while (digits > name && digits[-1] >= '0' && digits[-1] <= '9')
        digits--;
    *prefix = (size_t)(digits - name);
    char text[sizeof((struct pst_named_tensor *)NULL)->name] = "";
    memcpy(text, digits, (size_t)(dot - digits));
    return pst_parse_u64(text, 0, UINT64_MAX, number);
}

/* Finds the layer of that number, or makes it; NULL if there are too many. */
static struct found *find_layer(struct found_layers *layers, uint64_t number)
{
    for (size_t i = 0; i < layers->count; i++)
        if (layers->layer[i].number == number)
            return &layers->layer[i];
    if (layers->count == layers->room)
        return NULL;
    struct found *new = &layers->layer[layers->count++];
    *new = (struct found){ .number = number };
    return new;
}

/* Puts a tensor in its place. */
static enum pst_status sort_in(struct found_layers *layers, const struct pst_safetensors *file, size_t index,
                               const char *path, struct pst_error *error)
{
    const struct pst_named_tensor *tensor = &file->tensors[index], *first = &file->tensors[0];
    size_t prefix;
    uint64_t number;
    bool is_bias;
    if (!parse_name(tensor->name, &prefix, &number, &is_bias))
        return pst_fail(error, PST_BAD_DATA,
                        "%s: tensor %s: not a layer's weight or bias (names are like layers.0.weight)", path,
                        tensor->name);
    if (index == 0)
        layers->prefix = prefix;
    if (prefix != layers->prefix || strncmp(tensor->name, first->name, prefix) != 0)
        return pst_fail(error, PST_BAD_DATA, "%s: tensor %s: not of the same sequence of layers as %s", path,
                        tensor->name, first->name);
    struct found *layer = find_layer(layers, number);
    if (layer == NULL)
        return pst_fail(error, PST_BAD_DATA, "%s: tensor %s: more than %d layers", path, tensor->name,
                        PST_MAX_LAYERS);
    const struct pst_named_tensor **place = is_bias ? &layer->bias : &layer->weight;
    if (*place != NULL)
        return pst_fail(error, PST_BAD_DATA, "%s: tensors %s and %s are for the same layer", path,
                        (*place)->name, tensor->name);
    *place = tensor;
    return PST_OK;
}

static int by_number(const void *left, const void *right)
{
    const struct found *a = left, *b = right;
    return a->number < b->number ? -1 : a->number > b->number;
}

static enum pst_status check_rank(const struct pst_named_tensor *tensor, size_t rank, const char *path,
                                  struct pst_error *error)
{
    if (tensor->rank == rank)
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA, "%s: tensor %s has %zu dimensions, not %zu: not a dense layer's",
                    path, tensor->name, tensor->rank, rank);
}

/* Checks the shapes of a layer's weight and bias. */
static enum pst_status check_shapes(const struct pst_named_tensor *weight,
                                    const struct pst_named_tensor *bias, const char *path,
                                    struct pst_error *error)
{
    enum pst_status status = check_rank(weight, 2, path, error);
    if (status == PST_OK && bias != NULL)
        status = check_rank(bias, 1, path, error);
    if (status != PST_OK)
        return status;
    for (size_t i = 0; i < 2; i++)
        if (weight->shape[i] == 0 || weight->shape[i] > PST_MAX_WIDTH)
            return pst_fail(error, PST_BAD_DATA, "%s: tensor %s: a width of %zu is not in 1 to %u", path,
                            weight->name, weight->shape[i], PST_MAX_WIDTH);
    if (bias != NULL && bias->shape[0] != weight->shape[0])
        return pst_fail(error, PST_BAD_DATA, "%s: tensor %s has %zu values, but %s gives %zu outputs", path,
                        bias->name, bias->shape[0], weight->name, weight->shape[0]);
    return PST_OK;
}

/* Checks that a layer is complete and fits the layer before it. before: NULL for the first. */
static enum pst_status check_layer(const struct found *layer, const struct found *before, const char *path,
                                   struct pst_error *error)
{
    const struct pst_named_tensor *weight = layer->weight, *bias = layer->bias;
    if (weight == NULL)
        return pst_fail(error, PST_BAD_DATA, "%s: tensor %s has no weight beside it", path, bias->name);
    enum pst_status status = check_shapes(weight, bias, path, error);
    if (status != PST_OK)
        return status;
    if (before != NULL && weight->shape[1] != before->weight->shape[0])
        return pst_fail(error, PST_BAD_DATA, "%s: tensor %s takes %zu inputs, but %s gives %zu outputs", path,
                        weight->name, weight->shape[1], before->weight->name, before->weight->shape[0]);
    return PST_OK;
}

/* Finds the layers and their order. */
static enum pst_status find_layers(const struct pst_safetensors *file, struct found_layers *layers,
                                   const char *path, struct pst_error *error)
{
    layers->room = file->count < PST_MAX_LAYERS ? file->count : PST_MAX_LAYERS;
    layers->layer = pst_allocate(layers->room, sizeof *layers->layer, error);
    if (layers->layer == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < file->count; i++) {
        enum pst_status status = sort_in(layers, file, i, path, error);
        if (status != PST_OK)
            return status;
    }
    qsort(layers->layer, layers->count, sizeof *layers->layer, by_number);
    for (size_t i = 0; i < layers->count; i++) {
        enum pst_status status =
            check_layer(&layers->layer[i], i > 0 ? &layers->layer[i - 1] : NULL, path, error);
        if (status != PST_OK)
            return status;
    }
    return PST_OK;
}

/* The architecture that the tensors make, to be freed; NULL if memory is short. activation: NULL to leave it
 * out. */
static char *describe_layers(const struct found_layers *layers, const char *activation)
{
    struct pst_text text;
    FILE *out = pst_text_open(&text);
    if (out != NULL)
        fprintf(out, "%zu", layers->layer[0].weight->shape[1]);
    for (size_t i = 0; out != NULL && i < layers->count; i++) {
        const struct found *layer = &layers->layer[i];
        fprintf(out, "-%zu%s", layer->weight->shape[0], layer->bias == NULL ? "nobias" : "");
        if (activation != NULL && i + 1 < layers->count)
            fprintf(out, "-%s", activation);
    }
    return pst_text_close(&text);
}

/* Checks the architecture in the metadata, if there is one: with activations, or the widths alone. */
static enum pst_status check_architecture(const struct pst_safetensors *file,
                                          const struct found_layers *layers,
                                          const struct pst_network *network, const char *path,
                                          struct pst_error *error)
{
    const char *said = json_string_value(json_object_get(file->metadata, "architecture"));
    char *widths = describe_layers(layers, NULL);
    if (widths == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    enum pst_status status = PST_OK;
    if (said != NULL && strcmp(said, widths) != 0 && strcmp(said, network->architecture) != 0)
        status = pst_fail(error, PST_BAD_DATA,
                          "%s: metadata: the architecture is %.120s, but the tensors make %.120s", path, said,
                          widths);
    free(widths);
    return status;
}

static enum pst_status build(struct pst_network *network, const struct found_layers *layers,
                             const char *activation, const char *path, struct pst_error *error)
{
    char *architecture = describe_layers(layers, activation);
    if (architecture == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    enum pst_status status = pst_network_new(network, architecture, error);
    free(architecture);
    for (size_t i = 0, t = 0; i < layers->count && status == PST_OK; i++) {
        const struct found *layer = &layers->layer[i];
        status =
            pst_tensor_values(layer->weight, network->parameters + network->tensors[t++]->at, path, error);
        if (status == PST_OK && layer->bias != NULL)
            status =
                pst_tensor_values(layer->bias, network->parameters + network->tensors[t++]->at, path, error);
    }
    return status;
}

enum pst_status pst_model_adopt(const struct pst_safetensors *file, const char *path, const char *activation,
                                struct pst_network *network, struct pst_error *error)
{
    struct found_layers layers = { 0 };
    enum pst_status status = find_layers(file, &layers, path, error);
    if (status == PST_OK && layers.count > 1 && activation == NULL)
        status =
            pst_fail(error, PST_BAD_DATA,
                     "%s: does not say which activation stands between its layers; give --activation NAME, "
                     "such as relu or tanh",
                     path);
    if (status == PST_OK)
        status = build(network, &layers, activation, path, error);
    if (status == PST_OK)
        status = check_architecture(file, &layers, network, path, error);
    free(layers.layer);
    return status;
}
