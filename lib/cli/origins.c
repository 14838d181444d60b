/* Origins: what made each tensor that this stage writes, computed from its options, its files and the
 * origins of the tensors that it read. This is done here for all stages, so none can forget it. */
#include "lib/cli/frame.h"

#include <jansson.h>
#include <string.h>

/* ---- what stages say --------------------------------------------------------------------------------- */

/* object[key] = value; makes the object if it does not exist. value: stolen. */
static enum pst_status set(json_t **object, const char *key, json_t *value, struct pst_error *error)
{
    if (*object == NULL)
        *object = json_object();
    if (json_object_set_new(*object, key, value) != 0)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a lineage");
    return PST_OK;
}

enum pst_status pst_origin_note(struct pst_run *run, const char *key, const char *value,
                                struct pst_error *error)
{
    enum pst_status status = set(&run->frame->matters, key, json_string(value), error);
    return status == PST_OK ? pst_history_note(run, key, json_string(value), error) : status;
}

enum pst_status pst_origin_note_of(struct pst_run *run, const char *tensor, const char *key,
                                   const char *value, struct pst_error *error)
{
    json_t *notes = json_incref(json_object_get(run->frame->matters_to, tensor));
    enum pst_status status = set(&notes, key, json_string(value), error);
    if (status == PST_OK)
        status = set(&run->frame->matters_to, tensor, json_incref(notes), error);
    json_decref(notes);
    return status == PST_OK ? pst_history_note(run, key, json_string(value), error) : status;
}

void pst_set_effect(struct pst_run *run, const char *effect)
{
    run->frame->effect = effect;
}

/* The origins of some tensors; JSON null if one of them is not known. */
static json_t *origins_of(const struct pst_header *header, const size_t *places, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const char *origin = header->tensors[places == NULL ? i : places[i]].origin;
        if (origin[0] == '\0') {
            json_decref(list);
            return json_null();
        }
        json_array_append_new(list, json_string(origin));
    }
    return list;
}

enum pst_status pst_made_from(struct pst_run *run, size_t tensor, const char *as, const size_t *from,
                              size_t count, struct pst_error *error)
{
    const struct pst_frame *frame = run->frame;
    json_t *made =
        json_pack("{s:s*, s:o}", "makes", as, "from", origins_of(&frame->streams.header, from, count));
    return set(&run->frame->made, frame->out.tensors[tensor].name, made, error);
}

enum pst_status pst_made_from_unknown(struct pst_run *run, size_t tensor, struct pst_error *error)
{
    return set(&run->frame->made, run->frame->out.tensors[tensor].name, json_pack("{s:n}", "from"), error);
}

enum pst_status pst_learned_from(struct pst_run *run, const json_t *lineage, const json_t *origins,
                                 struct pst_error *error)
{
    struct pst_frame *frame = run->frame;
    frame->learned = json_deep_copy(lineage);
    frame->learned_from = json_deep_copy(origins);
    if ((lineage != NULL && frame->learned == NULL) || (origins != NULL && frame->learned_from == NULL))
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a lineage");
    return PST_OK;
}

/* ---- settings ---------------------------------------------------------------------------------------- */

static json_t *real_text(double number)
{
    char text[40];
    pst_print_plain(text, sizeof text, "%.17g", number);
    return json_string(text);
}

/* A value as text, the same in every locale; lists become lists of texts. */
static json_t *as_text(const json_t *value)
{
    char text[64];
    if (json_is_string(value) || json_is_array(value))
        return json_deep_copy(value);
    if (json_is_real(value))
        return real_text(json_real_value(value));
    if (json_is_integer(value))
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        snprintf(text, sizeof text, "%s", json_is_true(value) ? "true" : "false");
    return json_string(text);
}

/* Whether a value is the option's default. */
static bool is_usual(const struct pst_frame *frame, const struct pst_option *option, const json_t *value)
{
    json_t *usual = pst_option_to_json(option, frame->usual);
    bool same = json_equal(usual, value);
    json_decref(usual);
    return same;
}

/* Enters the options that determine one tensor, or, with NULL, all of them. */
static void enter_options(const struct pst_frame *frame, const char *tensor, json_t *entry)
{
    for (size_t i = 0; i < frame->own_count; i++) {
        const struct pst_option *option = frame->options[i];
        const json_t *value = json_object_get(frame->details, option->name);
        bool meant = tensor == NULL ? option->tensor == NULL
                                    : option->tensor != NULL && strcmp(option->tensor, tensor) == 0;
        if (meant && value != NULL && !option->silent && !option->of_samples &&
            !is_usual(frame, option, value))
            json_object_set_new(entry, option->in_origins != NULL ? option->in_origins : option->name,
                                as_text(value));
    }
}

/* The stage's name and every setting that determines all its tensors. */
static json_t *common_entry(const struct pst_frame *frame)
{
    json_t *entry = json_pack("{s:s}", "stage", frame->stage->name);
    enter_options(frame, NULL, entry);
    json_object_update(entry, frame->matters);
    if (json_array_size(frame->learned_from) > 0)
        json_object_set(entry, "learned_from", frame->learned_from);
    return entry;
}

/* ---- origins ----------------------------------------------------------------------------------------- */

/* Completes the entry of one tensor: what it is, and what it is made from. NULL if that is not known. */
static json_t *entry_of(const struct pst_frame *frame, const struct pst_header *in, const json_t *common,
                        const struct pst_tensor_spec *spec)
{
    const char *name = spec->name;
    const json_t *said = json_object_get(frame->made, name);
    const char *makes = json_string_value(json_object_get(said, "makes"));
    json_t *from = json_incref(json_object_get(said, "from"));
    if (from == NULL)
        from = in == NULL ? json_array() : origins_of(in, NULL, in->tensor_count);
    json_t *entry = json_is_null(from) ? NULL : json_copy((json_t *)(uintptr_t)common);
    if (entry != NULL) {
        enter_options(frame, name, entry);
        json_object_update(entry, json_object_get(frame->matters_to, name));
        json_object_set_new(entry, "makes", json_string(makes != NULL ? makes : name));
        if (spec->temperature != 0)
            json_object_set_new(entry, "temperature", real_text(spec->temperature));
    }
    if (entry != NULL && json_array_size(from) > 0)
        json_object_set(entry, "from", from);
    json_decref(from);
    return entry;
}

enum pst_status pst_origins_compute(struct pst_frame *frame, const struct pst_header *in,
                                    struct pst_header *out, struct pst_error *error)
{
    json_t *common = common_entry(frame);
    enum pst_status status = common == NULL ? pst_fail(error, PST_TRY_AGAIN, "out of memory for a lineage")
                                            : pst_lineage_merge(out, frame->learned, error);
    for (size_t i = 0; i < out->tensor_count && status == PST_OK; i++) {
        struct pst_tensor_spec *spec = &out->tensors[i];
        if (spec->passed_from != PST_NONE || spec->origin[0] != '\0')
            continue;
        json_t *entry = entry_of(frame, in, common, spec);
        if (entry != NULL)
            status = pst_lineage_enter(out, entry, spec->origin, error);
    }
    json_decref(common);
    return status;
}
