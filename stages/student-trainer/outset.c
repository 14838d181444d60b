/* The model that training starts from, and which of its classes stay. */
#include "stages/student-trainer/trainer.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define DUSTBIN_NAME "\x01" /* a name that no set of classes has */

/* The model's names for its outputs; NULL: there are none, or memory is short. */
static const char **list_names(const struct pst_network *network)
{
    const json_t *list = json_object_get(network->about, "class_names");
    size_t count = pst_network_outputs(network);
    const char **names = json_array_size(list) == count ? pst_allocate(count, sizeof *names, NULL) : NULL;
    for (size_t i = 0; names != NULL && i < count; i++)
        names[i] = json_string_value(json_array_get(list, i));
    return names;
}

/* Reads the classes of --classes, and the map that labels must have gone through, which has a dustbin even
 * if the network has no unit for it. map: receives the classes, with the dustbin's unit if there is one. */
static enum pst_status read_maps(struct trainer *trainer, struct pst_class_map *map, struct pst_error *error)
{
    const struct settings *settings = &trainer->settings;
    const char **names = list_names(&trainer->training.network);
    const struct pst_classes old = { pst_network_outputs(&trainer->training.network), names };
    struct pst_class_map whole = { 0 };
    bool dustbin = settings->dustbin_unit || settings->dustbin != NULL;
    enum pst_status status = pst_class_map_named(map, &old, settings->classes, "--classes",
                                                 settings->dustbin_unit ? DUSTBIN_NAME : NULL, error);
    if (status == PST_OK)
        status = pst_class_map_named(&whole, &old, settings->classes, "--classes",
                                     dustbin ? DUSTBIN_NAME : NULL, error);
    if (status == PST_OK && (trainer->class_map = pst_class_map_note(&whole, false)) == NULL)
        status = pst_fail(error, PST_TRY_AGAIN, "out of memory for a map of classes");
    pst_class_map_free(&whole);
    free((void *)names);
    return status;
}

/* Takes the outputs of a map's classes, for a loss with a given dustbin. All other outputs stay as they are,
 * so that an untrained network gives the generalist's answers, to the bit. */
static enum pst_status take_outputs(struct pst_training *training, const struct pst_class_map *map,
                                    struct pst_error *error)
{
    if (!map->plain || map->dropped < 2)
        return pst_fail(
            error, PST_USAGE,
            "--classes with --dustbin needs classes that are not merged, and at least two others; "
            "--dustbin-unit takes any");
    training->given_outputs = pst_allocate(map->to, sizeof *training->given_outputs, error);
    for (size_t k = 0; k < map->to && training->given_outputs != NULL; k++)
        training->given_outputs[k] = map->members[map->begin[k]];
    training->given_classes = map->to + 1;
    return training->given_outputs != NULL ? PST_OK : PST_TRY_AGAIN;
}

enum pst_status settle_given(struct trainer *trainer, struct pst_error *error)
{
    struct pst_training *training = &trainer->training;
    size_t outputs = pst_network_outputs(&training->network);
    if (trainer->settings.dustbin == NULL || training->given_classes > 0)
        return PST_OK;
    training->given_outputs = pst_allocate(outputs, sizeof *training->given_outputs, error);
    for (size_t k = 0; k < outputs && training->given_outputs != NULL; k++)
        training->given_outputs[k] = (uint32_t)k;
    training->given_classes = outputs + 1;
    return training->given_outputs != NULL ? PST_OK : PST_TRY_AGAIN;
}

enum pst_status read_start(struct pst_run *run, struct pst_error *error)
{
    struct trainer *trainer = run->self;
    const struct settings *settings = &trainer->settings;
    struct pst_training *training = &trainer->training;
    struct pst_class_map map = { 0 };
    enum pst_status status = pst_model_read(settings->from_path, settings->activation, &training->network,
                                            trainer->from_digest, error);
    if (status == PST_OK)
        status = pst_history_note(run, "from", json_string(trainer->from_digest), error);
    if (status != PST_OK || settings->classes == NULL)
        return status;
    status = read_maps(trainer, &map, error);
    if (status == PST_OK && settings->dustbin != NULL)
        status = take_outputs(training, &map, error);
    else if (status == PST_OK && pst_network_map_outputs(&training->network, &map, error) != PST_OK)
        status = pst_fail_at(error, "%s: --classes", settings->from_path);
    if (status == PST_OK)
        status = pst_history_note(run, "class_map", json_string(trainer->class_map), error);
    pst_class_map_free(&map);
    return status;
}

/* The number of the outermost layer that holds a parameter. */
static uint64_t layer_of(const struct pst_parameter *parameter)
{
    char digits[24] = "";
    uint64_t number = 0;
    const char *at = strchr(parameter->name, '.');
    size_t length = at == NULL ? 0 : strspn(at + 1, "0123456789");
    if (length > 0 && length < sizeof digits)
        memcpy(digits, at + 1, length);
    return pst_parse_u64(digits, 0, UINT64_MAX, &number) ? number : 0;
}

enum pst_status settle_learned(struct trainer *trainer, struct pst_error *error)
{
    const struct pst_network *network = &trainer->training.network;
    uint64_t layers = layer_of(network->tensors[network->tensor_count - 1]) + 1;
    size_t last = trainer->settings.learn_last, t = 0;
    if (last == 0)
        return PST_OK;
    if (last > layers)
        return pst_fail(error, PST_USAGE, "--learn-last %zu: the network has %llu layers that learn", last,
                        (unsigned long long)layers);
    while (layer_of(network->tensors[t]) < layers - last)
        t++;
    trainer->training.optimiser_settings.first = network->tensors[t]->at;
    return PST_OK;
}

/* Checks that a target went through the map. */
static enum pst_status check_one(const struct trainer *trainer, const struct pst_header *header, size_t at,
                                 struct pst_error *error)
{
    const struct pst_tensor_spec *spec = &header->tensors[at];
    json_t *maps = pst_lineage_class_maps(header->lineage, spec->origin, false);
    bool fits = json_array_size(maps) == 0;
    for (size_t i = 0; i < json_array_size(maps); i++)
        fits = fits || strcmp(json_string_value(json_array_get(maps, i)), trainer->class_map) == 0;
    enum pst_status status =
        fits
            ? PST_OK
            : pst_fail(error, PST_BAD_DATA,
                       "--classes: the network's outputs are of the map %.100s, but '%s' went through %.100s",
                       trainer->class_map, spec->name, json_string_value(json_array_get(maps, 0)));
    json_decref(maps);
    return status;
}

enum pst_status check_class_map(const struct trainer *trainer, const struct pst_header *header,
                                struct pst_error *error)
{
    const struct stream *stream = &trainer->stream;
    enum pst_status status = PST_OK;
    if (trainer->class_map == NULL)
        return PST_OK;
    for (size_t k = 0; k < trainer->training.loss.count && status == PST_OK; k++)
        status = check_one(trainer, header, stream->targets[k].index, error);
    return status == PST_OK && stream->dustbin_index != PST_NONE
               ? check_one(trainer, header, stream->dustbin_index, error)
               : status;
}
