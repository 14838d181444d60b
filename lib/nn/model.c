/* Reading models: this project's own files, and what other tools' state dicts look like. */
#include "lib/nn/model.h"

#include "pipestill/nn.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A layer as it is found in a file. */
struct found {
    uint64_t number; /* in the tensors' names */
    const struct pst_named_tensor *weight, *bias;
};

struct found_layers {
    struct found layer[PST_MAX_LAYERS];
    size_t count;
    size_t prefix; /* bytes before the number in every name */
};

/*
 * Takes a name apart: anything, a number, ".weight" or ".bias".
 * prefix: receives the bytes before the number.
 * Returns true, or false where the name is not like that.
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

/* The layer of that number, made where there is none yet; NULL where there are too many. */
static struct found *find_layer(struct found_layers *layers, uint64_t number)
{
    for (size_t i = 0; i < layers->count; i++)
        if (layers->layer[i].number == number)
            return &layers->layer[i];
    if (layers->count == PST_MAX_LAYERS)
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
    if (strcmp(tensor->dtype, "F32") != 0)
        return pst_fail(error, PST_BAD_DATA, "%s: tensor %s is %s; convert the model to F32", path,
                        tensor->name, tensor->dtype);
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
    if (status == PST_OK)
        status = check_rank(bias, 1, path, error);
    if (status != PST_OK)
        return status;
    for (size_t i = 0; i < 2; i++)
        if (weight->shape[i] == 0 || weight->shape[i] > PST_MAX_WIDTH)
            return pst_fail(error, PST_BAD_DATA, "%s: tensor %s: a width of %zu is not in 1 to %u", path,
                            weight->name, weight->shape[i], PST_MAX_WIDTH);
    if (bias->shape[0] != weight->shape[0])
        return pst_fail(error, PST_BAD_DATA, "%s: tensor %s has %zu values, but %s gives %zu outputs", path,
                        bias->name, bias->shape[0], weight->name, weight->shape[0]);
    return PST_OK;
}

/* Checks that a layer is whole and fits the layer before, NULL for the first. */
static enum pst_status check_layer(const struct found *layer, const struct found *before, const char *path,
                                   struct pst_error *error)
{
    const struct pst_named_tensor *weight = layer->weight, *bias = layer->bias;
    if (weight == NULL)
        return pst_fail(error, PST_BAD_DATA, "%s: tensor %s has no weight beside it", path, bias->name);
    if (bias == NULL)
        return pst_fail(error, PST_BAD_DATA,
                        "%s: tensor %s has no bias beside it; every layer needs one (zeros will do)", path,
                        weight->name);
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

static void describe_layers(const struct found_layers *layers, char *text, size_t size)
{
    int used = snprintf(text, size, "%zu", layers->layer[0].weight->shape[1]);
    for (size_t i = 0; i < layers->count; i++)
        used += snprintf(text + used, size - (size_t)used, "-%zu", layers->layer[i].weight->shape[0]);
}

static enum pst_status take_number(const json_t *metadata, const char *key, double *number, const char *path,
                                   struct pst_error *error)
{
    const char *text = json_string_value(json_object_get(metadata, key));
    if (text == NULL || pst_parse_double(text, -DBL_MAX, DBL_MAX, number))
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA, "%s: metadata: %s is not a number", path, key);
}

/* Refuses this project's files of other kinds, and activations that a network here does not have. */
static enum pst_status check_kind(const json_t *metadata, const char *path, struct pst_error *error)
{
    const char *format = json_string_value(json_object_get(metadata, "format"));
    if (format != NULL && strncmp(format, PST_FORMAT_FAMILY, strlen(PST_FORMAT_FAMILY)) == 0 &&
        strcmp(format, PST_MODEL_FORMAT) != 0)
        return pst_fail(error, PST_BAD_DATA, "%s: metadata: the format is %.60s, not " PST_MODEL_FORMAT, path,
                        format);
    const char *activation = json_string_value(json_object_get(metadata, "activation"));
    if (activation != NULL && strcmp(activation, "relu") != 0)
        return pst_fail(error, PST_BAD_DATA, "%s: metadata: the activation is %.60s; only relu is known",
                        path, activation);
    return PST_OK;
}

static enum pst_status check_architecture(const json_t *metadata, const char *architecture, const char *path,
                                          struct pst_error *error)
{
    const char *said = json_string_value(json_object_get(metadata, "architecture"));
    if (said == NULL || strcmp(said, architecture) == 0)
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA,
                    "%s: metadata: the architecture is %.120s, but the tensors make %.120s", path, said,
                    architecture);
}

/* Copies a tensor's values and checks that each is finite. */
static enum pst_status take_values(const struct pst_named_tensor *tensor, float *values, const char *path,
                                   struct pst_error *error)
{
    memcpy(values, tensor->data, tensor->bytes);
    for (size_t i = 0; i < tensor->bytes / sizeof *values; i++)
        if (!isfinite(values[i]))
            return pst_fail(error, PST_BAD_DATA, "%s: tensor %s: value %zu is not finite", path, tensor->name,
                            i);
    return PST_OK;
}

static enum pst_status build(const struct pst_safetensors *file, const char *path,
                             struct pst_network *network, struct pst_error *error)
{
    if (file->count == 0)
        return pst_fail(error, PST_BAD_DATA, "%s: holds no tensors", path);
    struct found_layers layers = { 0 };
    enum pst_status status = check_kind(file->metadata, path, error);
    if (status == PST_OK)
        status = find_layers(file, &layers, path, error);
    if (status != PST_OK)
        return status;
    char architecture[512];
    describe_layers(&layers, architecture, sizeof architecture);
    status = check_architecture(file->metadata, architecture, path, error);
    if (status == PST_OK)
        status = pst_network_new(network, architecture, error);
    if (status == PST_OK)
        status = take_number(file->metadata, "input_scale", &network->input_scale, path, error);
    if (status == PST_OK)
        status = take_number(file->metadata, "input_offset", &network->input_offset, path, error);
    for (size_t i = 0; status == PST_OK && i < layers.count; i++) {
        status = take_values(layers.layer[i].weight, network->layers[i].weight, path, error);
        if (status == PST_OK)
            status = take_values(layers.layer[i].bias, network->layers[i].bias, path, error);
    }
    return status;
}

enum pst_status pst_model_read(const char *path, struct pst_network *network, char digest[PST_DIGEST_TEXT],
                               struct pst_error *error)
{
    *network = (struct pst_network){ 0 };
    struct pst_safetensors file;
    enum pst_status status = pst_safetensors_read(path, &file, error);
    if (status != PST_OK)
        return status;
    status = build(&file, path, network, error);
    if (status == PST_OK && digest != NULL)
        memcpy(digest, file.digest, PST_DIGEST_TEXT);
    if (status != PST_OK)
        pst_network_free(network);
    pst_safetensors_free(&file);
    return status;
}
