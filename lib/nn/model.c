/* Reading models: this project's own files, which name their architecture. model_adopt.c reads others. */
#include "lib/nn/model.h"

#include <float.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- metadata ---------------------------------------------------------------------------------------- */

static const char *said(const struct pst_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(file->metadata, key));
}

/*
 * Chooses the activation that the file names, otherwise the one that the user names. A model of this project
 * names its activations in its architecture. activation: the user's, or NULL; receives the chosen one.
 */
static enum pst_status choose_activation(const struct pst_safetensors *file, const char *path,
                                         const char **activation, struct pst_error *error)
{
    const char *own = said(file, "activation");
    double slope;
    char list[128];
    pst_activation_list(list, sizeof list);
    if (own != NULL && pst_activation_parse(own, &slope) == NULL)
        return pst_fail(error, PST_BAD_DATA, "%s: metadata: the activation is %.60s; known are: %s", path,
                        own, list);
    if (*activation != NULL && pst_activation_parse(*activation, &slope) == NULL)
        return pst_fail(error, PST_USAGE, "--activation %.60s: known are: %s", *activation, list);
    if (own != NULL && *activation != NULL && strcmp(own, *activation) != 0)
        return pst_fail(error, PST_USAGE, "%s: says that its activation is %s; leave --activation %s out",
                        path, own, *activation);
    *activation = own != NULL ? own : *activation;
    return PST_OK;
}

/* Reads how inputs were made: input_scale and input_offset. Each is one number, or one for each channel; if
 * a network takes pictures as one row, the count must divide its elements. */
static enum pst_status read_scale(const struct pst_safetensors *file, const char *path,
                                  struct pst_network *network, struct pst_error *error)
{
    const char *scale = said(file, "input_scale"), *offset = said(file, "input_offset");
    size_t elements = pst_network_inputs(network), channels = network->chain.in.size[0];
    if (scale == NULL && offset == NULL)
        return PST_OK;
    double *numbers = pst_allocate(channels, 2 * sizeof *numbers, error);
    if (numbers == NULL)
        return PST_TRY_AGAIN;
    size_t count = scale == NULL ? 0 : pst_parse_doubles(scale, -DBL_MAX, DBL_MAX, numbers, channels);
    size_t offsets =
        offset == NULL ? count : pst_parse_doubles(offset, -DBL_MAX, DBL_MAX, numbers + count, channels);
    network->input_scale = numbers;
    if (count == 0 || offsets != count || (count != 1 && elements % count != 0))
        return pst_fail(
            error, PST_BAD_DATA,
            "%s: metadata: input_scale and input_offset are not numbers, one or one for each of %zu "
            "channels",
            path, channels);
    network->input_channels = scale != NULL && numbers[0] == 0 ? 0 : count;
    return PST_OK;
}

/* Reads what the model learned from. A text that is not a lineage is an error. */
static enum pst_status read_lineage(const struct pst_safetensors *file, const char *path,
                                    struct pst_network *network, struct pst_error *error)
{
    const char *text = said(file, "lineage");
    if (text == NULL)
        return PST_OK;
    json_error_t problem;
    network->lineage = json_loads(text, JSON_REJECT_DUPLICATES, &problem);
    if (network->lineage == NULL && json_error_code(&problem) == json_error_unknown)
        return pst_fail(error, PST_TRY_AGAIN, "%s: out of memory for the lineage", path);
    if (json_is_array(json_object_get(network->lineage, "from")) &&
        json_is_object(json_object_get(network->lineage, "entries")))
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA,
                    "%s: metadata: the lineage is not a JSON object with 'from' and 'entries'", path);
}

/* ---- tensors ----------------------------------------------------------------------------------------- */

static enum pst_status check_shape(const struct pst_named_tensor *tensor,
                                   const struct pst_parameter *parameter, const char *path,
                                   struct pst_error *error)
{
    bool same = tensor->rank == parameter->rank;
    for (size_t i = 0; same && i < parameter->rank; i++)
        same = tensor->shape[i] == parameter->shape[i];
    return same ? PST_OK
                : pst_fail(error, PST_BAD_DATA, "%s: tensor %s has not the shape that the architecture says",
                           path, tensor->name);
}

/* Copies the values of one parameter. */
static enum pst_status read_parameter(const struct pst_safetensors *file, const char *path,
                                      const struct pst_parameter *parameter, float *values,
                                      struct pst_error *error)
{
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->tensors[i].name, parameter->name) != 0)
            continue;
        enum pst_status status = check_shape(&file->tensors[i], parameter, path, error);
        return status == PST_OK ? pst_tensor_values(&file->tensors[i], values, path, error) : status;
    }
    return pst_fail(error, PST_BAD_DATA, "%s: holds no tensor %s, which its architecture has", path,
                    parameter->name);
}

/* A model of this project: the architecture in its metadata says which tensors there are. */
static enum pst_status read_own(const struct pst_safetensors *file, const char *path,
                                struct pst_network *network, struct pst_error *error)
{
    const char *architecture = said(file, "architecture");
    if (architecture == NULL)
        return pst_fail(error, PST_BAD_DATA, "%s: metadata: the architecture is missing", path);
    struct pst_error why = { 0 };
    enum pst_status status = pst_network_new(network, architecture, &why);
    if (status != PST_OK)
        return pst_fail(
            error, status == PST_USAGE ? PST_BAD_DATA : status, "%s: metadata: %s%s", path, why.message,
            strstr(why.message, "is not a layer") != NULL ? " (a newer pipestill may know it)" : "");
    for (size_t t = 0; t < network->tensor_count && status == PST_OK; t++)
        status = read_parameter(file, path, network->tensors[t],
                                network->parameters + network->tensors[t]->at, error);
    if (status == PST_OK && file->count != network->tensor_count)
        return pst_fail(error, PST_BAD_DATA, "%s: holds %zu tensors, but its architecture %.100s has %zu",
                        path, file->count, architecture, network->tensor_count);
    return status;
}

static enum pst_status build(const struct pst_safetensors *file, const char *path, const char *activation,
                             struct pst_network *network, struct pst_error *error)
{
    bool own;
    if (file->count == 0)
        return pst_fail(error, PST_BAD_DATA, "%s: holds no tensors", path);
    enum pst_status status = pst_model_check_format(file, path, &own, error);
    if (status == PST_OK)
        status = choose_activation(file, path, &activation, error);
    if (status == PST_OK)
        status = own ? read_own(file, path, network, error)
                     : pst_model_adopt(file, path, activation, network, error);
    if (status == PST_OK)
        status = read_scale(file, path, network, error);
    if (status == PST_OK && own)
        status = pst_model_take_about(file, path, &network->about, error);
    return status == PST_OK ? read_lineage(file, path, network, error) : status;
}

enum pst_status pst_model_read(const char *path, const char *activation, struct pst_network *network,
                               char digest[PST_DIGEST_TEXT], struct pst_error *error)
{
    *network = (struct pst_network){ 0 };
    struct pst_safetensors file;
    enum pst_status status = pst_safetensors_read(path, &file, error);
    if (status != PST_OK)
        return status;
    status = build(&file, path, activation, network, error);
    if (status == PST_OK && digest != NULL)
        memcpy(digest, file.digest, PST_DIGEST_TEXT);
    if (status != PST_OK)
        pst_network_free(network);
    pst_safetensors_free(&file);
    return status;
}
