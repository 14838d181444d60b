/* The key `compact` of a header, as JSON and back. */
#include "lib/compact/description.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

bool pst_compact_is(const struct pst_header *header)
{
    return json_object_get(header->other, PST_COMPACT_KEY) != NULL;
}

const char *pst_compact_advice(const struct pst_header *header)
{
    const json_t *key = json_object_get(header->other, PST_COMPACT_KEY);
    if (key == NULL)
        return "";
    return pst_header_find(header, PST_COMPACT_DIGEST) == PST_NONE
               ? "; it is compact, and 'compactor --restore' before this stage restores it"
               : "; it is compact, and 'loader … | stream-join FILE' joins a recording of it";
}

void pst_description_free(struct pst_description *description)
{
    free(description->targets);
    free(description->absent);
    *description = (struct pst_description){ 0 };
}

/* ---- to JSON ---- */

static json_t *target_to_json(const struct pst_target *target)
{
    json_t *object = json_pack("{s:s, s:s, s:I}", "name", target->dense.name, "form",
                               pst_compact_form_name(target->form), "classes", (json_int_t)target->classes);
    if (object == NULL)
        return NULL;
    bool good = true;
    if (target->dense.temperature != 0)
        good = json_object_set_new(object, "temperature", json_real(target->dense.temperature)) == 0;
    if (target->form == PST_COMPACT_TOP_K)
        good = good && json_object_set_new(object, "top", json_integer((json_int_t)target->kept)) == 0;
    if (target->form == PST_COMPACT_SAMPLED)
        good = good && json_object_set_new(object, "draws", json_integer((json_int_t)target->kept)) == 0;
    if (good)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *absent_to_json(const struct pst_absent *absent)
{
    json_t *object = pst_spec_to_json(&absent->spec);
    if (object == NULL || json_object_set_new(object, "place", json_integer((json_int_t)absent->place)) == 0)
        return object;
    json_decref(object);
    return NULL;
}

json_t *pst_description_to_json(const struct pst_description *description, const json_t *lost)
{
    json_t *targets = json_array(), *tensors = json_array();
    bool good = targets != NULL && tensors != NULL;
    for (size_t i = 0; i < description->target_count && good; i++)
        good = json_array_append_new(targets, target_to_json(&description->targets[i])) == 0;
    for (size_t i = 0; i < description->absent_count && good; i++)
        good = json_array_append_new(tensors, absent_to_json(&description->absent[i])) == 0;
    if (!good) {
        json_decref(targets);
        json_decref(tensors);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:o, s:o}", "inputs", description->digest ? "digest" : "keep", "targets",
                     targets, "tensors", tensors, "lost", json_deep_copy(lost));
}

/* ---- from JSON ---- */

static bool take_form(const json_t *object, enum pst_compact_form *form)
{
    const char *name = json_string_value(json_object_get(object, "form"));
    for (*form = 0; name != NULL && *form < PST_COMPACT_FORMS; ++*form) {
        if (strcmp(name, pst_compact_form_name(*form)) == 0)
            return true;
    }
    return false;
}

static bool take_inputs(const json_t *object, bool *digest)
{
    const char *name = json_string_value(json_object_get(object, "inputs"));
    *digest = name != NULL && strcmp(name, "digest") == 0;
    return *digest || (name != NULL && strcmp(name, "keep") == 0);
}

static bool is_text(const json_t *object, const char *key, const char *text)
{
    const char *found = json_string_value(json_object_get(object, key));
    return found != NULL && strcmp(found, text) == 0;
}

/* Refuses two kinds of compact streams that only older versions made. */
static enum pst_status refuse_old(const json_t *object, struct pst_error *error)
{
    const json_t *targets = json_object_get(object, "targets");
    const char *what =
        is_text(object, "inputs", "reference") ? "its inputs were left out by reference" : NULL;
    for (size_t i = 0; i < json_array_size(targets); i++)
        if (is_text(json_array_get(targets, i), "form", "f16"))
            what = "its targets are compact as f16";
    return what == NULL ? PST_OK
                        : pst_fail(error, PST_BAD_DATA,
                                   "%s, which an older pipestill (stream format 1) restores: with that one, "
                                   "'loader FILE -o WHOLE' makes a recording that is read here",
                                   what);
}

static bool take_size(const json_t *object, const char *name, json_int_t most, size_t *size)
{
    json_int_t number = json_integer_value(json_object_get(object, name));
    *size = (size_t)number;
    return number >= 1 && number <= most;
}

/* Takes the number of classes that top-k or sampled keeps. */
static bool take_kept(const json_t *object, struct pst_target *target)
{
    json_int_t classes = (json_int_t)target->classes;
    if (target->form == PST_COMPACT_TOP_K)
        return !target->logits && classes <= PST_COMPACT_MOST_CLASSES &&
               take_size(object, "top", classes - 1, &target->kept);
    if (target->form == PST_COMPACT_SAMPLED)
        return !target->logits && classes <= PST_COMPACT_MOST_CLASSES &&
               take_size(object, "draws", (json_int_t)1 << 32, &target->kept);
    return true;
}

static enum pst_status take_target(struct pst_target *target, const json_t *object, struct pst_error *error)
{
    const json_t *name = json_object_get(object, "name"), *heat = json_object_get(object, "temperature");
    const char *text = json_string_value(name);
    struct pst_tensor_spec *dense = &target->dense;
    bool good = text != NULL && json_string_length(name) < sizeof dense->name &&
                pst_target_kind(text, &target->logits) && take_form(object, &target->form) &&
                take_size(object, "classes", (json_int_t)1 << 40, &target->classes) &&
                take_kept(object, target) &&
                (heat == NULL || (json_is_number(heat) && json_number_value(heat) >= 0));
    if (!good)
        return pst_fail(error, PST_BAD_DATA, "header: its key 'compact' does not describe its targets");
    *dense = (struct pst_tensor_spec){ .dtype = PST_DTYPE_F32, .rank = 1, .shape = { target->classes } };
    dense->temperature = json_number_value(heat);
    memcpy(dense->name, text, strlen(text) + 1);
    return pst_target_parts(target, error);
}

static enum pst_status take_absent(struct pst_absent *absent, const json_t *object, struct pst_error *error)
{
    const json_t *place = json_object_get(object, "place");
    json_int_t number = json_integer_value(place);
    const char *due;
    if (pst_spec_from_json(&absent->spec, object, &due) != NULL || !json_is_integer(place) || number < 0 ||
        number >= PST_MAX_TENSORS)
        return pst_fail(error, PST_BAD_DATA,
                        "header: its key 'compact' does not describe the tensors left out");
    absent->place = (size_t)number;
    return PST_OK;
}

/* A list of at most PST_MAX_TENSORS objects. */
static bool is_list(const json_t *list)
{
    return json_is_array(list) && json_array_size(list) <= PST_MAX_TENSORS;
}

enum pst_status pst_description_from_json(struct pst_description *description, const json_t *object,
                                          struct pst_error *error)
{
    const json_t *targets = json_object_get(object, "targets"), *tensors = json_object_get(object, "tensors");
    *description = (struct pst_description){ 0 };
    enum pst_status status = refuse_old(object, error);
    if (status != PST_OK)
        return status;
    if (!take_inputs(object, &description->digest) || !is_list(targets) || !is_list(tensors))
        return pst_fail(error, PST_BAD_DATA,
                        "header: its key 'compact' lacks inputs, targets or tensors, or is of a newer kind");
    description->target_count = json_array_size(targets);
    description->absent_count = json_array_size(tensors);
    description->targets = pst_allocate(description->target_count + 1, sizeof *description->targets, error);
    description->absent = pst_allocate(description->absent_count + 1, sizeof *description->absent, error);
    status = description->targets == NULL || description->absent == NULL ? PST_TRY_AGAIN : PST_OK;
    for (size_t i = 0; i < description->target_count && status == PST_OK; i++)
        status = take_target(&description->targets[i], json_array_get(targets, i), error);
    for (size_t i = 0; i < description->absent_count && status == PST_OK; i++)
        status = take_absent(&description->absent[i], json_array_get(tensors, i), error);
    if (status != PST_OK)
        pst_description_free(description);
    return status;
}
