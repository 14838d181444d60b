/* The header: which tensors are mapped, and what the new header says of classes. */
#include "stages/class-map/class-map.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_NAME_BYTES (PST_MAX_META / 4) /* as in other stages; see docs/stream-format.md */

/* ---- which tensors ------------------------------------------------------------------------------------- */

static bool is_chosen(const struct class_map *self, const char *name)
{
    for (size_t i = 0; i < self->only_count; i++)
        if (strcmp(self->only[i], name) == 0)
            return true;
    return self->only_count == 0;
}

/* Notes how many classes a tensor has; all that are mapped have as many. */
static enum pst_status settle_width(struct class_map *self, const char *name, size_t width,
                                    struct pst_error *error)
{
    if (self->in != 0 && self->in != width)
        return pst_fail(error, PST_BAD_DATA,
                        "'%s' has %zu classes, but %zu are expected here; --of maps some tensors only", name,
                        width, self->in);
    self->in = width;
    return PST_OK;
}

static enum pst_status choose(struct class_map *self, const struct pst_header *in, size_t at,
                              struct pst_error *error)
{
    const struct pst_tensor_spec *spec = &in->tensors[at];
    bool logits = false, y = strcmp(spec->name, "y") == 0;
    if (!is_chosen(self, spec->name) || (!y && !pst_target_kind(spec->name, &logits)))
        return PST_OK;
    if (y && !pst_labels_are_mixed(in)) {
        self->y = at;
        return pst_header_require(in, "y", PST_DTYPE_I32, 0, NULL, &self->y, error);
    }
    struct mapped *mapped = &self->tensors[self->tensor_count++];
    *mapped = (struct mapped){ .at = at, .logits = logits };
    enum pst_status status = pst_target_asked(in, spec->name, &mapped->asked, error);
    if (status == PST_OK)
        status = pst_spec_of_classes(spec, error);
    return status == PST_OK ? settle_width(self, spec->name, spec->shape[0], error) : status;
}

/* Every tensor of --of must be one that can be mapped. */
static enum pst_status check_chosen(const struct class_map *self, const struct pst_header *in,
                                    struct pst_error *error)
{
    static const char *const none[] = { NULL };
    size_t at;
    bool logits;
    for (size_t i = 0; i < self->only_count; i++) {
        const char *name = self->only[i];
        enum pst_status status = pst_target_find(in, name, "--of", none, &at, error);
        if (status != PST_OK)
            return pst_fail_at(error, "--of");
        if (strcmp(name, "y") != 0 && !pst_target_kind(name, &logits))
            return pst_fail(error, PST_USAGE, "--of %s: only logits, soft targets and y have classes", name);
    }
    return PST_OK;
}

static enum pst_status find_tensors(struct class_map *self, const struct pst_header *in,
                                    struct pst_error *error)
{
    self->y = PST_NONE;
    if (pst_compact_advice(in)[0] != 0)
        return pst_fail(error, PST_BAD_DATA, "the stream has no plain targets%s", pst_compact_advice(in));
    self->tensors = pst_allocate(in->tensor_count + 1, sizeof *self->tensors, error);
    enum pst_status status = self->tensors == NULL ? PST_TRY_AGAIN : check_chosen(self, in, error);
    if (!self->inverse && self->old != NULL)
        self->in = self->old_names.classes.count;
    else if (self->only_count == 0)
        self->in = (size_t)in->classes;
    for (size_t i = 0; i < in->tensor_count && status == PST_OK; i++)
        status = choose(self, in, i, error);
    if (status == PST_OK && self->tensor_count == 0 && self->y == PST_NONE)
        return pst_fail(error, PST_BAD_DATA, "the stream has no logits, soft targets or labels");
    if (status == PST_OK && self->in == 0)
        return pst_fail(error, PST_BAD_DATA, "how many classes has 'y'? The stream does not say it%s",
                        self->inverse ? "" : "; give --old-classes N");
    return status;
}

/* ---- against each other -------------------------------------------------------------------------------- */

/* Name of a new class, or NULL. */
static const char *name_at(const struct class_map *self, size_t class)
{
    return self->inverse
               ? (self->old_names.classes.names != NULL ? self->old_names.classes.names[class] : NULL)
               : self->map.names[class];
}

/* Compares names that the map expects with names of the stream. old: of the classes before mapping;
 * otherwise of those after. */
static enum pst_status check_names(const struct class_map *self, const struct class_names *stream, bool old,
                                   struct pst_error *error)
{
    for (size_t i = 0; stream->classes.names != NULL && i < stream->classes.count; i++) {
        const char *name = old ? self->map.names[i] : name_at(self, i);
        if (name != NULL && strcmp(name, stream->classes.names[i]) != 0)
            return pst_fail(error, PST_BAD_DATA, "class %zu is '%.60s' to the map, but '%.60s' in the stream",
                            i, name, stream->classes.names[i]);
    }
    return PST_OK;
}

/* With --of the outputs must have the stream's classes; backwards the inputs must have the map's. */
static enum pst_status check_against_stream(struct class_map *self, const struct pst_header *in,
                                            struct pst_error *error)
{
    struct class_names names = { 0 };
    enum pst_status status = PST_OK;
    if (self->inverse && self->map.to != self->in)
        return pst_fail(error, PST_BAD_DATA, "the map makes %zu classes, but %zu come in to be mapped back",
                        self->map.to, self->in);
    if (self->only_count > 0 && in->classes != 0 && in->classes != self->out)
        return pst_fail(error, PST_BAD_DATA,
                        "--of: the map leads to %zu classes, but the stream has %" PRIu64, self->out,
                        in->classes);
    if (self->only_count > 0 || self->inverse)
        status = take_header_names(&names, in, self->only_count > 0 ? self->out : self->in, error);
    if (status == PST_OK)
        status = check_names(self, &names, self->only_count == 0, error);
    free_names(&names);
    return status;
}

/* ---- what the header says of classes ------------------------------------------------------------------- */

/* The new names; NULL: there are none. given: names of the input's classes. */
static json_t *list_names(const struct class_map *self, const struct class_names *given)
{
    json_t *list = json_array();
    size_t bytes = 0;
    for (size_t i = 0; i < self->out; i++) {
        char number[24];
        const char *name = name_at(self, i);
        if (name == NULL && !self->inverse) {
            size_t member = self->map.members[self->map.begin[i]];
            snprintf(number, sizeof number, "%zu", member);
            name = number;
        }
        int32_t new = self->inverse ? self->map.new_of[i] : -1;
        if (name == NULL && new >= 0 && given->classes.names != NULL &&
            self->map.begin[new + 1] - self->map.begin[new] == 1)
            name = given->classes.names[new];
        bytes += name != NULL ? strlen(name) + 5 : 0;
        if (name == NULL || bytes > MOST_NAME_BYTES) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, json_string(name));
    }
    return list;
}

/* Merged classes have the sum of their counts. Backwards nothing is known if any were merged or left out. */
static json_t *list_counts(const struct class_map *self, const json_t *given)
{
    const struct pst_class_map *map = &self->map;
    bool known = json_array_size(given) == self->in && (!self->inverse || (map->plain && map->dropped == 0));
    json_t *list = known ? json_array() : NULL;
    for (size_t i = 0; i < self->out && known; i++) {
        json_int_t sum = 0;
        size_t begin = self->inverse ? i : map->begin[i], end = self->inverse ? i + 1 : map->begin[i + 1];
        for (size_t at = begin; at < end; at++) {
            size_t place = self->inverse ? (size_t)map->new_of[i] : map->members[at];
            sum += json_integer_value(json_array_get(given, place));
        }
        json_array_append_new(list, json_integer(sum));
    }
    return list;
}

/* How much more often each new class comes. For merged classes this is known only if it is the same for all
 * of them. list: receives the factors of the new classes. */
static enum pst_status list_oversampling(const struct class_map *self, const json_t *given, json_t **list,
                                         struct pst_error *error)
{
    const struct pst_class_map *map = &self->map;
    *list = json_array_size(given) == self->in ? json_array() : NULL;
    for (size_t i = 0; i < self->out && *list != NULL; i++) {
        int32_t new = self->inverse ? map->new_of[i] : 0;
        size_t first = self->inverse ? (size_t) new : map->members[map->begin[i]];
        double factor = new < 0 ? 1 : json_number_value(json_array_get(given, first));
        for (size_t at = map->begin[i]; !self->inverse && at < map->begin[i + 1]; at++)
            if (fabs(json_number_value(json_array_get(given, map->members[at])) - factor) > 1e-6 * factor)
                return pst_fail(error, PST_BAD_DATA,
                                "the new class %zu merges the classes %zu and %u, of which one comes more "
                                "often than the other by --special; merge only what comes alike",
                                i, first, map->members[at]);
        json_array_append_new(*list, json_real(factor));
    }
    return PST_OK;
}

/* Puts a value into the header, or removes the key. value: stolen; NULL: none. */
static enum pst_status put(struct pst_header *out, const char *key, json_t *value, struct pst_error *error)
{
    if (out->other == NULL)
        out->other = json_object();
    json_object_del(out->other, key);
    if (value != NULL && json_object_set_new(out->other, key, value) != 0)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a header");
    return PST_OK;
}

static enum pst_status describe_names(struct pst_run *run, const struct pst_header *in,
                                      struct pst_header *out, struct pst_error *error)
{
    const struct class_map *self = run->self;
    struct class_names given = { 0 };
    enum pst_status status = take_header_names(&given, in, self->in, error);
    json_t *list = status == PST_OK ? list_names(self, &given) : NULL;
    if (status == PST_OK && list == NULL && !self->inverse && given.classes.names != NULL)
        pst_say(run, "the names of %zu classes are too long for the header, which goes without class_names",
                self->out);
    free_names(&given);
    return status == PST_OK ? put(out, "class_names", list, error) : status;
}

/* What the header says of how often classes come. */
static enum pst_status describe_oversampling(const struct class_map *self, const struct pst_header *in,
                                             struct pst_header *out, struct pst_error *error)
{
    json_t *list = NULL;
    const json_t *given = json_object_get(in->other, "class_oversampling");
    if (given == NULL)
        return PST_OK;
    enum pst_status status = list_oversampling(self, given, &list, error);
    if (status == PST_OK)
        return put(out, "class_oversampling", list, error);
    json_decref(list);
    return status;
}

static enum pst_status describe_classes(struct pst_run *run, const struct pst_header *in,
                                        struct pst_header *out, struct pst_error *error)
{
    const struct class_map *self = run->self;
    const json_t *counts = json_object_get(in->other, "class_counts");
    out->classes = self->out;
    if (self->only_count > 0)
        return self->drop_samples || self->y != PST_NONE ? put(out, "class_counts", NULL, error) : PST_OK;
    enum pst_status status = describe_names(run, in, out, error);
    if (status == PST_OK)
        status = describe_oversampling(self, in, out, error);
    /* How many samples are left out because of their probabilities is not known yet. */
    bool certain = !self->drop_samples || self->tensor_count == 0 || self->map.dropped == 0;
    if (status == PST_OK && counts != NULL)
        status = put(out, "class_counts", certain ? list_counts(self, counts) : NULL, error);
    return status;
}

/* ---- tensors ------------------------------------------------------------------------------------------- */

/* Notes the map, in its one normal form, in the origins of the mapped tensors. */
static enum pst_status note_map(struct pst_run *run, struct pst_error *error)
{
    const struct class_map *self = run->self;
    char *text = pst_class_map_note(&self->map, self->inverse);
    if (text == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a map of classes");
    enum pst_status status = pst_origin_note(run, "class_map", text, error);
    free(text);
    return status;
}

/* If samples are left out, all tensors become shorter; those that are not mapped keep their origin. */
static enum pst_status replace_all(struct pst_run *run, const struct pst_header *in, struct pst_header *out,
                                   struct pst_error *error)
{
    enum pst_status status = PST_OK;
    if (in->first != 0)
        return pst_fail(error, PST_USAGE,
                        "--drop-samples: the stream begins with batch %" PRIu64
                        ", and which one that is of what "
                        "is left is not known; begin it with batch 0",
                        in->first);
    for (size_t i = 0; i < out->tensor_count && status == PST_OK; i++) {
        pst_header_replace(out, i);
        if (in->tensors[i].origin[0] != '\0')
            pst_header_set_origin(out, i, in->tensors[i].origin);
        else
            status = pst_made_from_unknown(run, i, error);
    }
    out->samples = out->batches = 0;
    pst_set_effect(run, "selects");
    return status;
}

static enum pst_status declare_tensors(struct pst_run *run, struct pst_header *out, struct pst_error *error)
{
    struct class_map *self = run->self;
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < self->tensor_count && status == PST_OK; i++) {
        const struct mapped *mapped = &self->tensors[i];
        struct pst_tensor_spec *spec = &out->tensors[mapped->at];
        pst_header_replace(out, mapped->at);
        spec->shape[0] = self->out;
        spec->sample_bytes = self->out * sizeof(float);
        const char *kind = strcmp(spec->name, "y") == 0 ? "y" : mapped->logits ? "logits" : "soft";
        status = pst_made_from(run, mapped->at, kind, &mapped->at, 1, error);
    }
    if (status != PST_OK || self->y == PST_NONE)
        return status;
    pst_header_replace(out, self->y);
    return pst_made_from(run, self->y, "y", &self->y, 1, error);
}

enum pst_status declare(struct pst_run *run, const struct pst_header *in, struct pst_header *out,
                        struct pst_error *error)
{
    struct class_map *self = run->self;
    enum pst_status status = find_tensors(self, in, error);
    if (status == PST_OK)
        status = make_map(self, in, error);
    if (status != PST_OK)
        return status;
    self->out = self->inverse ? self->map.from : self->map.to;
    self->lost = pst_allocate(self->tensor_count + 1, sizeof *self->lost, error);
    self->left_out = pst_allocate(1, sizeof *self->left_out, error);
    if (self->lost == NULL || self->left_out == NULL)
        return PST_TRY_AGAIN;
    status = check_against_stream(self, in, error);
    if (status == PST_OK)
        status = describe_classes(run, in, out, error);
    if (status == PST_OK && self->drop_samples)
        status = replace_all(run, in, out, error);
    if (status == PST_OK)
        status = declare_tensors(run, out, error);
    return status == PST_OK ? note_map(run, error) : status;
}
