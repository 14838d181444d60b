/* The lineage for the student's model file; and whether inputs and targets belong together. */
#include "stages/student-trainer/trainer.h"

#include <jansson.h>
#include <string.h>

enum { MOST_SOURCES = PST_MAX_TERMS + 3 };

/* Lists the tensors to learn from: inputs, targets, weights, the dustbin's logit. Returns how many there
 * are. */
static size_t find_sources(const struct trainer *trainer, size_t sources[MOST_SOURCES])
{
    const struct stream *stream = &trainer->stream;
    size_t count = 0;
    sources[count++] = stream->binding.x;
    for (size_t k = 0; k < trainer->training.loss.count; k++)
        if (trainer->training.loss.terms[k].weight > 0)
            sources[count++] = stream->targets[k].index;
    if (stream->weight_index != PST_NONE)
        sources[count++] = stream->weight_index;
    if (stream->dustbin_index != PST_NONE)
        sources[count++] = stream->dustbin_index;
    return count;
}

/* Adds an origin to a list, once. */
static void add_origin(json_t *list, const char *origin)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), origin) == 0)
            return;
    json_array_append_new(list, json_string(origin));
}

/* ---- whether they belong together -------------------------------------------------------------------- */

/* Adds the inputs that an origin goes back to, which sources made as x. */
static void add_inputs(const json_t *lineage, const char *origin, json_t *inputs)
{
    const json_t *entry = json_object_get(lineage, origin), *from = json_object_get(entry, "from");
    const char *makes = json_string_value(json_object_get(entry, "makes"));
    if (json_array_size(from) == 0 && makes != NULL && strcmp(makes, "x") == 0)
        add_origin(inputs, origin);
    for (size_t i = 0; i < json_array_size(from); i++)
        add_inputs(lineage, json_string_value(json_array_get(from, i)), inputs);
}

/* Refuses a target that was computed from other inputs than the stream's x, if both origins are known. */
static enum pst_status check_target(const struct pst_header *header, const struct pst_tensor_spec *target,
                                    const json_t *inputs, struct pst_error *error)
{
    json_t *others = json_array();
    add_inputs(header->lineage, target->origin, others);
    const char *ours = json_string_value(json_array_get(inputs, 0));
    const char *theirs = json_string_value(json_array_get(others, 0));
    enum pst_status status = PST_OK;
    if (ours != NULL && theirs != NULL && !json_equal(inputs, others)) {
        char words[256];
        pst_lineage_difference(header->lineage, ours, header->lineage, theirs, words, sizeof words);
        status =
            pst_fail(error, PST_BAD_DATA, "the targets '%s' were computed from other inputs than 'x': %s",
                     target->name, words);
    }
    json_decref(others);
    return status;
}

enum pst_status check_origins(const struct trainer *trainer, const struct pst_header *header,
                              struct pst_error *error)
{
    json_t *inputs = json_array();
    add_inputs(header->lineage, header->tensors[trainer->stream.binding.x].origin, inputs);
    enum pst_status status = PST_OK;
    for (size_t k = 0; k < trainer->training.loss.count && status == PST_OK; k++)
        status = check_target(header, &header->tensors[trainer->stream.targets[k].index], inputs, error);
    if (status == PST_OK && trainer->stream.dustbin_index != PST_NONE)
        status = check_target(header, &header->tensors[trainer->stream.dustbin_index], inputs, error);
    json_decref(inputs);
    return status;
}

/* ---- for the model ----------------------------------------------------------------------------------- */

/* A model that began from another one learned from that one, too. */
static enum pst_status add_start(const struct trainer *trainer, struct pst_header *collected, json_t *from,
                                 struct pst_error *error)
{
    const json_t *lineage = trainer->training.network.lineage;
    char origin[PST_DIGEST_TEXT];
    json_t *entry = json_pack("{s:s, s:s, s:s, s:O*}", "stage", "student-trainer", "makes", "model", "model",
                              trainer->from_digest, "learned_from", json_object_get(lineage, "from"));
    enum pst_status status = pst_lineage_merge(collected, json_object_get(lineage, "entries"), error);
    if (status == PST_OK)
        status = pst_lineage_enter(collected, entry, origin, error);
    else
        json_decref(entry);
    if (status == PST_OK)
        add_origin(from, origin);
    return status;
}

enum pst_status settle_lineage(struct trainer *trainer, const struct pst_header *header,
                               struct pst_error *error)
{
    struct pst_header collected = { 0 };
    size_t sources[MOST_SOURCES], count = find_sources(trainer, sources);
    const char *origins[MOST_SOURCES];
    json_t *from = json_array();
    for (size_t i = 0; i < count; i++) {
        origins[i] = header->tensors[sources[i]].origin;
        if (origins[i][0] != '\0')
            add_origin(from, origins[i]);
    }
    json_t *part = pst_lineage_part(header->lineage, origins, count);
    enum pst_status status = pst_lineage_merge(&collected, part, error);
    if (status == PST_OK && trainer->settings.from_path != NULL)
        status = add_start(trainer, &collected, from, error);
    json_decref(part);
    json_decref(trainer->training.network.lineage);
    trainer->training.network.lineage = NULL;
    if (status == PST_OK && json_array_size(from) > 0)
        trainer->training.network.lineage =
            json_pack("{s:O, s:O}", "from", from, "entries", collected.lineage);
    json_decref(from);
    pst_header_free(&collected);
    return status;
}
