/* Whether a mean of teachers is what the averager that made it says in the stream's history. */
#include "stages/student-trainer/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- where it was made ---- */

static bool is_averager(const json_t *entry, const char *mean)
{
    bool of_logits = json_is_true(json_object_get(entry, "logits"));
    return is_stage(entry, "averager") && of_logits == (strcmp(mean, "logits") == 0);
}

size_t find_averager(const json_t **history, const char *mean)
{
    for (size_t i = json_array_size(*history); i-- > 0;) {
        const json_t *entry = json_array_get(*history, i);
        if (may_change(entry))
            return PST_NONE;
        if (taken(entry, mean, false) != NULL) {
            *history = json_object_get(entry, "recording");
            return find_averager(history, mean);
        }
        if (is_averager(entry, mean))
            return i;
    }
    return PST_NONE;
}

/* Whether all that stands before a place of a history is told: by pipestill's stages, and, where `whole`, by
 * none that drops tensors. */
static bool is_told(const json_t *history, size_t end, bool whole)
{
    for (size_t i = 0; i < end; i++) {
        const json_t *entry = json_array_get(history, i);
        if (may_change(entry) || (whole && is_stage(entry, "compactor")))
            return false;
    }
    return true;
}

/* ---- which teachers ---- */

static void add_name(struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->list[i], name) == 0)
            return;
    }
    if (names->count == names->room) {
        size_t room = names->room * 2 + 8;
        const char **grown = realloc(names->list, room * sizeof *grown);
        if (grown == NULL) {
            names->short_of_memory = true;
            return;
        }
        names->list = grown;
        names->room = room;
    }
    names->list[names->count++] = name;
}

/* Adds NAME of each KIND/NAME that a stage brought, asked or joined. */
static void add_teachers_of(struct names *names, const json_t *entry, const char *kind)
{
    const char *teacher = json_string_value(json_object_get(entry, "name"));
    if (is_stage(entry, "teacher-forward") && teacher != NULL)
        add_name(names, teacher);
    const json_t *joined = json_object_get(entry, "take");
    for (size_t i = 0; is_stage(entry, "stream-join") && i < json_array_size(joined); i++) {
        const char *name = json_string_value(json_array_get(joined, i));
        const char *slash = name == NULL ? NULL : strchr(name, '/');
        if (slash != NULL && (strncmp(name, kind, strlen(kind)) == 0 || strncmp(name, "logits/", 7) == 0))
            add_name(names, slash + 1);
    }
}

enum pst_status find_teachers(struct names *names, const struct pst_header *header, size_t mean,
                              const json_t *history, size_t averager, struct pst_error *error)
{
    const char *kind = strcmp(header->tensors[mean].name, "logits") == 0 ? "logits/" : "soft/";
    /* What stands before a mean that was joined is of no concern to it. */
    for (size_t i = 0; i < mean && history == header->history; i++) {
        if (strncmp(header->tensors[i].name, kind, strlen(kind)) == 0)
            add_name(names, header->tensors[i].name + strlen(kind));
    }
    for (size_t i = 0; i < averager; i++)
        add_teachers_of(names, json_array_get(history, i), kind);
    return names->short_of_memory ? pst_fail(error, PST_TRY_AGAIN, "out of memory") : PST_OK;
}

/* ---- number and weights ---- */

/* The averager's --teachers, where the history tells of every tensor that there was. */
static enum pst_status check_count(const struct names *names, const struct pst_header *header,
                                   const json_t *history, const json_t *averager, struct pst_error *error)
{
    json_int_t expected = json_integer_value(json_object_get(averager, "teachers"));
    if (expected <= 0 || (json_int_t)names->count == expected || history != header->history ||
        !is_told(history, json_array_size(history), true))
        return PST_OK;
    char list[200] = "";
    size_t used = 0;
    for (size_t i = 0; i < names->count && used < sizeof list; i++)
        used +=
            (size_t)snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? ": " : ", ", names->list[i]);
    return pst_fail(error, PST_BAD_DATA,
                    "the averager was told of %" JSON_INTEGER_FORMAT
                    " teachers (--teachers), but the stream and its history name %zu%s",
                    expected, names->count, list);
}

static bool is_known(const struct names *names, const char *name, size_t length)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strlen(names->list[i]) == length && memcmp(names->list[i], name, length) == 0)
            return true;
    }
    return false;
}

/* The averager's --weight, each of a teacher that was there. */
static enum pst_status check_weights(const struct names *names, const json_t *averager,
                                     struct pst_error *error)
{
    const json_t *weights = json_object_get(averager, "weight");
    for (size_t i = 0; i < json_array_size(weights); i++) {
        const char *weight = json_string_value(json_array_get(weights, i));
        const char *equals = weight == NULL ? NULL : strrchr(weight, '=');
        if (equals != NULL && !is_known(names, weight, (size_t)(equals - weight)))
            return pst_fail(error, PST_BAD_DATA,
                            "the stream's history tells of an averager with --weight %s, but neither the "
                            "stream nor its history knows such a teacher",
                            weight);
    }
    return PST_OK;
}

/* ---- kind ---- */

/* A mean that no averager has made, while one says that it made the other mean, which is not there. */
static enum pst_status check_kind(const struct pst_header *header, const char *mean, struct pst_error *error)
{
    const char *other = strcmp(mean, "logits") == 0 ? "soft" : "logits";
    const json_t *history = header->history;
    if (pst_header_find(header, other) != PST_NONE || !is_told(history, json_array_size(history), true))
        return PST_OK;
    bool said = false;
    for (size_t i = 0; i < json_array_size(history); i++) {
        const json_t *entry = json_array_get(history, i);
        if (taken(entry, mean, false) != NULL)
            return PST_OK;
        said = said || is_averager(entry, other);
    }
    if (!said)
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA,
                    "the stream has the mean '%s', but its history tells of an averager of %s, whose mean is "
                    "'%s'",
                    mean, strcmp(other, "logits") == 0 ? "logits (--logits)" : "probabilities", other);
}

enum pst_status check_mean(const struct pst_header *header, size_t mean, struct pst_error *error)
{
    const char *name = header->tensors[mean].name;
    const json_t *history = header->history;
    if (strcmp(name, "soft") != 0 && strcmp(name, "logits") != 0)
        return PST_OK;
    size_t at = find_averager(&history, name);
    if (at == PST_NONE)
        return check_kind(header, name, error);
    const json_t *averager = json_array_get(history, at);
    if (json_is_true(json_object_get(averager, "logits")) &&
        json_is_true(json_object_get(averager, "geometric")))
        return pst_fail(error, PST_BAD_DATA,
                        "the stream's history tells of an averager with both --logits and --geometric, "
                        "which is a mean of probabilities");
    if (!is_told(history, at, false))
        return PST_OK;
    struct names names = { 0 };
    enum pst_status status = find_teachers(&names, header, mean, history, at, error);
    if (status == PST_OK)
        status = check_count(&names, header, history, averager, error);
    if (status == PST_OK)
        status = check_weights(&names, averager, error);
    free(names.list);
    return status;
}
