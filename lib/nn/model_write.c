/* Writing models. */
#include "lib/nn/model.h"

#include "pipestill/nn.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static void name_layer(struct pst_named_tensor pair[2], const struct pst_layer *layer, size_t number)
{
    pair[0] = (struct pst_named_tensor){ .dtype = "F32",
                                         .rank = 2,
                                         .shape = { layer->outputs, layer->inputs },
                                         .data = layer->weight,
                                         .bytes = layer->outputs * layer->inputs * sizeof(float) };
    pair[1] = (struct pst_named_tensor){ .dtype = "F32",
                                         .rank = 1,
                                         .shape = { layer->outputs },
                                         .data = layer->bias,
                                         .bytes = layer->outputs * sizeof(float) };
    snprintf(pair[0].name, sizeof pair[0].name, "layers.%zu.weight", number);
    snprintf(pair[1].name, sizeof pair[1].name, "layers.%zu.bias", number);
}

/* The metadata of a model; NULL where memory is short. */
static json_t *describe(const struct pst_network *network, const json_t *extra)
{
    char architecture[512], scale[32], offset[32];
    pst_network_describe(network, architecture, sizeof architecture);
    snprintf(scale, sizeof scale, "%.17g", network->input_scale);
    snprintf(offset, sizeof offset, "%.17g", network->input_offset);
    bool known = network->input_scale != 0;
    json_t *own = json_pack("{s:s, s:s, s:s, s:s*, s:s*}", "format", PST_MODEL_FORMAT, "architecture",
                            architecture, "activation", "relu", "input_scale", known ? scale : NULL,
                            "input_offset", known ? offset : NULL);
    json_t *all = extra != NULL ? json_deep_copy(extra) : json_object();
    if (own == NULL || all == NULL || json_object_update(all, own) != 0) {
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
    struct pst_named_tensor *tensors = pst_allocate(2 * network->layer_count, sizeof *tensors, error);
    enum pst_status status = PST_TRY_AGAIN;
    if (metadata == NULL || tensors == NULL) {
        pst_fail(error, status, "%s: out of memory", path);
    } else {
        for (size_t i = 0; i < network->layer_count; i++)
            name_layer(&tensors[2 * i], &network->layers[i], i);
        status = pst_safetensors_write(path, metadata, tensors, 2 * network->layer_count, error);
    }
    free(tensors);
    json_decref(metadata);
    return status;
}
