/* Whether a checkpoint is of this run, with these options and this stream; and if not, what differs. */
#include "stages/student-trainer/trainer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The lineages of this run and of the checkpoint's, and the file for the words. */
struct comparison {
    const json_t *lineage, *other_lineage;
    FILE *out;
};

static void print_value(FILE *out, const json_t *value)
{
    char *text = value == NULL || json_is_string(value)
                     ? NULL
                     : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12));
    if (json_is_string(value))
        fprintf(out, "'%.100s'", json_string_value(value));
    else
        fprintf(out, "%.100s", text != NULL ? text : "not given");
    free(text);
}

/* Origins differ because of an earlier stage; the lineages show which. */
static void print_origins(const struct comparison *compared, const char *here, const char *there)
{
    char words[256];
    pst_lineage_difference(compared->lineage, here, compared->other_lineage, there, words, sizeof words);
    fputs(words, compared->out);
}

static bool differ(const struct comparison *compared, const char *name, const json_t *here,
                   const json_t *there);

/* Writes about the first key of one object that the other one lacks or has with another value. */
static bool keys_differ(const struct comparison *compared, const json_t *keys, const json_t *here,
                        const json_t *there)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)keys, key, value)
    {
        if (differ(compared, key, json_object_get(here, key), json_object_get(there, key)))
            return true;
    }
    return false;
}

static const char *name_of(const json_t *element)
{
    return json_string_value(json_object_get(element, "name"));
}

/* The element of this name, such as a tensor; NULL if there is none. */
static const json_t *find(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *element = json_array_get(list, i);
        if (name_of(element) != NULL && strcmp(name_of(element), name) == 0)
            return element;
    }
    return NULL;
}

/* Writes about the first tensor of a list that the other list lacks. side: the one that has it. */
static bool tensor_is_missing(const struct comparison *compared, const json_t *list, const json_t *other,
                              const char *side)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = name_of(json_array_get(list, i));
        if (name != NULL && find(other, name) == NULL) {
            fprintf(compared->out, "tensor '%s' is only %s", name, side);
            return true;
        }
    }
    return false;
}

/* name: of the lists, for elements without a name. */
static bool elements_differ(const struct comparison *compared, const char *name, const json_t *here,
                            const json_t *there)
{
    if (tensor_is_missing(compared, here, there, "here") || tensor_is_missing(compared, there, here, "there"))
        return true;
    for (size_t i = 0; i < json_array_size(here) && json_array_size(here) == json_array_size(there); i++) {
        const json_t *one = json_array_get(here, i), *other = json_array_get(there, i);
        if (json_equal(one, other))
            continue;
        if (name_of(one) != NULL)
            fprintf(compared->out, "tensor '%s': ", name_of(one));
        return differ(compared, name, one, other);
    }
    return false;
}

/* Writes words for the first difference between two values. Returns whether there is one. */
static bool differ(const struct comparison *compared, const char *name, const json_t *here,
                   const json_t *there)
{
    if (json_equal(here, there))
        return false;
    if (json_is_object(here) && json_is_object(there))
        return keys_differ(compared, here, here, there) || keys_differ(compared, there, here, there);
    if (json_is_array(here) && json_is_array(there) && elements_differ(compared, name, here, there))
        return true;
    if (strcmp(name, "origin") == 0 && json_is_string(here) && json_is_string(there)) {
        print_origins(compared, json_string_value(here), json_string_value(there));
        return true;
    }
    fprintf(compared->out, "%s is ", name);
    print_value(compared->out, here);
    fputs(" here, ", compared->out);
    print_value(compared->out, there);
    fputs(" there", compared->out);
    return true;
}

static json_t *parse(const char *text)
{
    return text == NULL ? NULL : json_loads(text, 0, NULL);
}

/* Compares the description of this run, which it takes over, with that in the checkpoint, a JSON object as a
 * text. */
static enum pst_status compare(const struct trainer *trainer, const json_t *state, const char *key,
                               json_t *here, const char *what, struct pst_error *error)
{
    json_t *there = parse(json_string_value(json_object_get(state, key)));
    json_t *lineage = parse(trainer->stream.lineage);
    json_t *other_lineage = parse(json_string_value(json_object_get(state, "lineage")));
    struct pst_text made;
    struct comparison compared = { lineage, other_lineage, pst_text_open(&made) };
    bool same = json_equal(here, there);
    bool found = compared.out != NULL && there != NULL && differ(&compared, key, here, there);
    char *words = pst_text_close(&made);
    found = words != NULL && found;
    enum pst_status status =
        same ? PST_OK
             : pst_fail(error, PST_BAD_DATA, "%s: was made with %s%s%.300s",
                        trainer->settings.checkpoint_path, what, found ? ": " : "", found ? words : "");
    free(words);
    json_decref(here);
    json_decref(there);
    json_decref(lineage);
    json_decref(other_lineage);
    return status;
}

/*
 * This run's options, without those that are not given and that the checkpoint does not have. An earlier
 * version, which had no such option, wrote it; and the default of a new option changes nothing. NULL if
 * memory is short.
 */
static json_t *options_to_compare(const struct pst_run *run, const json_t *state)
{
    char *text = pst_settings_text(run);
    json_t *here = parse(text), *there = parse(json_string_value(json_object_get(state, "settings")));
    free(text);
    const char *name;
    void *next;
    json_t *value;
    json_object_foreach_safe(here, next, name, value)
    {
        if (json_object_get(there, name) == NULL &&
            pst_options_given(run, (const char *const[]){ name, NULL }) == NULL)
            json_object_del(here, name);
    }
    json_decref(there);
    return here;
}

enum pst_status check_resumed(const struct pst_run *run, const json_t *state, struct pst_error *error)
{
    const struct trainer *trainer = run->self;
    json_t *options = options_to_compare(run, state);
    if (options == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a checkpoint");
    enum pst_status status = compare(trainer, state, "settings", options, "other options than these", error);
    if (status == PST_OK)
        status = compare(trainer, state, "stream", parse(trainer->stream.description),
                         "another stream than this one", error);
    return status;
}
