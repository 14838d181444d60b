/* Makes a network of other classes from one that has learned: selects and merges its last layer's units. */
#include "pipestill/nn.h"

#include "pipestill/class_map.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Makes a network of the same layers, but with so many units in the last one; all parameters are 0. */
static enum pst_status make_alike(struct pst_network *made, const struct pst_network *network, size_t outputs,
                                  struct pst_error *error)
{
    size_t length = (size_t)(strrchr(network->architecture, '-') - network->architecture);
    size_t size = length + 24;
    char *architecture = pst_allocate(size, 1, error);
    if (architecture == NULL)
        return PST_TRY_AGAIN;
    snprintf(architecture, size, "%.*s-%zu", (int)length, network->architecture, outputs);
    enum pst_status status = pst_network_new(made, architecture, error);
    free(architecture);
    return status;
}

/* Makes one unit of several: the mean of their weights and biases, plus log n. This is the largest linear
 * function below the log-sum-exp of their outputs that equals it if they are all alike. A unit that is alone
 * stays as it is. weight: [units, inputs]. */
static void merge_units(const struct pst_class_map *map, size_t new, size_t inputs, const float *weight,
                        const float *bias, float *to, float *to_bias)
{
    const uint32_t *members = map->members + map->begin[new];
    size_t count = map->begin[new + 1] - map->begin[new];
    double sum = 0;
    for (size_t i = 0; i < inputs; i++) {
        double mean = 0;
        for (size_t k = 0; k < count; k++)
            mean += (double)weight[members[k] * inputs + i];
        to[i] = (float)(mean / (double)count);
    }
    for (size_t k = 0; k < count; k++)
        sum += (double)bias[members[k]];
    *to_bias = (float)(sum / (double)count + log((double)count));
}

/* Moves to the new network what was learned, and what is about inputs; not what is about outputs. */
static void take_over(struct pst_network *made, struct pst_network *network, const struct pst_class_map *map)
{
    static const char *const of_outputs[] = { "class_names", "output_names", "outputs" };
    size_t last = network->tensor_count - 2;
    for (size_t t = 0; t < last; t++)
        memcpy(made->parameters + made->tensors[t]->at, network->parameters + network->tensors[t]->at,
               network->tensors[t]->count * sizeof(float));
    const struct pst_parameter *weight = network->tensors[last], *bias = network->tensors[last + 1];
    size_t inputs = weight->count / map->from;
    for (size_t k = 0; k < map->to; k++)
        merge_units(map, k, inputs, network->parameters + weight->at, network->parameters + bias->at,
                    made->parameters + made->tensors[last]->at + k * inputs,
                    made->parameters + made->tensors[last + 1]->at + k);
    made->input_channels = network->input_channels;
    made->input_scale = network->input_scale;
    made->about = network->about;
    made->lineage = network->lineage;
    network->input_scale = NULL;
    network->about = network->lineage = NULL;
    for (size_t i = 0; made->about != NULL && i < sizeof of_outputs / sizeof *of_outputs; i++)
        json_object_del(made->about, of_outputs[i]);
}

enum pst_status pst_network_map_outputs(struct pst_network *network, const struct pst_class_map *map,
                                        struct pst_error *error)
{
    struct pst_network made = { 0 };
    if (!pst_network_scale_outputs(network, NULL, NULL))
        return pst_fail(error, PST_BAD_DATA,
                        "the last layer of %.100s is not one of units with biases and without an activation, "
                        "so its outputs cannot be selected",
                        network->architecture);
    enum pst_status status = make_alike(&made, network, map->to, error);
    if (status != PST_OK)
        return status;
    take_over(&made, network, map);
    pst_network_free(network);
    *network = made;
    return PST_OK;
}
