/* Writing models. */
#include "lib/nn/model.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static struct pst_named_tensor name_tensor(const struct pst_network *network,
                                           const struct pst_parameter *parameter)
{
    struct pst_named_tensor tensor = { .dtype = "F32",
                                       .rank = parameter->rank,
                                       .data = network->parameters + parameter->at,
                                       .bytes = parameter->count * sizeof(float) };
    for (size_t i = 0; i < parameter->rank; i++)
        tensor.shape[i] = parameter->shape[i];
    snprintf(tensor.name, sizeof tensor.name, "%s", parameter->name);
    return tensor;
}

/* "0.5" or "0.5,0.6,0.7"; NULL if there are no numbers. */
static json_t *number_list(const double *numbers, size_t count)
{
    if (count == 0)
        return NULL;
    struct pst_text made;
    FILE *out = pst_text_open(&made);
    for (size_t i = 0; out != NULL && i < count; i++) {
        char number[40];
        pst_print_plain(number, sizeof number, "%s%.17g", i == 0 ? "" : ",", numbers[i]);
        fputs(number, out);
    }
    char *text = pst_text_close(&made);
    json_t *list = json_string(text);
    free(text);
    return list;
}

/* Adds the meaning of inputs and outputs. Returns false if memory is short. */
static bool add_about(json_t *metadata, const json_t *about)
{
    bool whole = true;
    for (size_t i = 0; i < PST_ABOUT_KEYS; i++) {
        const json_t *value = json_object_get(about, pst_about_keys[i]);
        char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
        whole = whole &&
                (value == NULL || json_object_set_new(metadata, pst_about_keys[i], json_string(text)) == 0);
        free(text);
    }
    return whole;
}

/* The metadata of a model; NULL if memory is short. In a model of this project "activation" is the one that
 * is implied between two dense layers. */
static json_t *describe(const struct pst_network *network, const json_t *extra)
{
    size_t channels = network->input_channels;
    json_t *scale = number_list(network->input_scale, channels);
    json_t *offset = number_list(network->input_scale + channels, channels);
    char *lineage =
        network->lineage == NULL ? NULL : json_dumps(network->lineage, JSON_COMPACT | JSON_SORT_KEYS);
    json_t *own = json_pack("{s:s, s:s, s:s, s:o*, s:o*, s:s*}", "format", PST_MODEL_FORMAT, "architecture",
                            network->architecture, "activation", "relu", "input_scale", scale, "input_offset",
                            offset, "lineage", lineage);
    json_t *all = extra != NULL ? json_deep_copy(extra) : json_object();
    bool whole =
        (channels == 0 || (scale != NULL && offset != NULL)) && (network->lineage == NULL || lineage != NULL);
    free(lineage);
    if (own == NULL || all == NULL || !whole || json_object_update(all, own) != 0 ||
        !add_about(all, network->about)) {
        json_decref(all);
        all = NULL;
    }
    json_decref(own);
    return all;
}

enum pst_status pst_model_write(const char *path, const struct pst_network *network,
                                const struct json_t *extra, struct pst_error *error)
{
    json_t *metadata = describe(network, extra);
    struct pst_named_tensor *tensors = pst_allocate(network->tensor_count, sizeof *tensors, error);
    enum pst_status status = PST_TRY_AGAIN;
    if (metadata == NULL || tensors == NULL) {
        pst_fail(error, status, "%s: out of memory", path);
    } else {
        for (size_t t = 0; t < network->tensor_count; t++)
            tensors[t] = name_tensor(network, network->tensors[t]);
        status = pst_safetensors_write(path, metadata, tensors, network->tensor_count, error);
    }
    free(tensors);
    json_decref(metadata);
    return status;
}
