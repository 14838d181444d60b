/*
 * Whether what the stream says of its targets agrees with what its history says of how they were made. Only
 * a contradiction is refused: what the history does not tell, or a stage that is not pipestill's may have
 * changed, is believed.
 */
#include "stages/student-trainer/trainer.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_stage(const json_t *entry, const char *name)
{
    const char *stage = json_string_value(json_object_get(entry, "stage"));
    return stage != NULL && strcmp(stage, name) == 0;
}

/* Whether a stage may have dropped or changed targets in a way that its entry does not tell. */
static bool may_change(const json_t *entry)
{
    static const char *const known[] = { "loader",      "teacher-forward", "temperature-softmax", "averager",
                                         "stream-join", "compactor",       "dispatcher",          "worker" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (is_stage(entry, known[i]))
            return false;
    }
    return true;
}

/* Whether a stream-join took a tensor: of this name, or, where `prefix`, one whose name begins so. Returns
 * its whole name, or NULL. */
static const char *taken(const json_t *entry, const char *name, bool prefix)
{
    const json_t *names = json_object_get(entry, "take");
    for (size_t i = 0; is_stage(entry, "stream-join") && i < json_array_size(names); i++) {
        const char *one = json_string_value(json_array_get(names, i));
        if (one != NULL && (prefix ? strncmp(one, name, strlen(name)) == 0 : strcmp(one, name) == 0))
            return one;
    }
    return NULL;
}

/* ---- data ---- */

/* All histories, that of the stream and those joined to it, must begin with the same data. */
static enum pst_status check_data(const json_t *history, const json_t **first, struct pst_error *error)
{
    const json_t *source = json_array_get(history, 0);
    const char *digest = json_string_value(json_object_get(source, "digest"));
    if (digest != NULL && *first == NULL)
        *first = source;
    if (digest != NULL) {
        const char *other = json_string_value(json_object_get(*first, "digest"));
        if (strcmp(digest, other) != 0)
            return pst_fail(error, PST_BAD_DATA,
                            "the stream's history tells of two data sets: its inputs are from one with the "
                            "digest %.16s, targets joined to it from one with %.16s",
                            other, digest);
    }
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < json_array_size(history) && status == PST_OK; i++)
        status = check_data(json_object_get(json_array_get(history, i), "recording"), first, error);
    return status;
}

/* ---- temperature ---- */

/* The T of a temperature-softmax that makes soft targets; 0 for any other stage. */
static double softened(const json_t *entry)
{
    if (!is_stage(entry, "temperature-softmax") || json_is_true(json_object_get(entry, "from-probs")))
        return 0;
    return json_number_value(json_object_get(entry, "temperature"));
}

static double temperature_of(const json_t *history, const char *name);

/* The T of what the averager before `end` found: all it averages has the same. */
static double temperature_of_members(const json_t *history, size_t end)
{
    for (size_t i = end; i-- > 0;) {
        const json_t *entry = json_array_get(history, i);
        const char *joined = taken(entry, "soft/", true);
        double here =
            joined == NULL ? softened(entry) : temperature_of(json_object_get(entry, "recording"), joined);
        if (here > 0)
            return here;
        if (may_change(entry))
            return 0;
    }
    return 0;
}

/* The T that a history says soft targets of this name were made at; 0 where it does not say. */
static double temperature_of(const json_t *history, const char *name)
{
    bool mean = strcmp(name, "soft") == 0;
    double last = 0;
    char logits[PST_NAME_SIZE + 8];
    snprintf(logits, sizeof logits, "logits%s", mean ? "" : name + strlen("soft"));
    for (size_t i = json_array_size(history); i-- > 0;) {
        const json_t *entry = json_array_get(history, i);
        if (may_change(entry))
            return 0;
        if (taken(entry, name, false) != NULL)
            return temperature_of(json_object_get(entry, "recording"), name);
        if (mean && is_stage(entry, "averager") && !json_is_true(json_object_get(entry, "logits")))
            return temperature_of_members(history, i);
        if (mean)
            continue;
        /* The first stage to soften after the teacher was asked has made it. */
        const char *teacher = json_string_value(json_object_get(entry, "name"));
        if (taken(entry, logits, false) != NULL || (is_stage(entry, "teacher-forward") && teacher != NULL &&
                                                    strcmp(teacher, name + strlen("soft/")) == 0))
            return last;
        if (softened(entry) > 0)
            last = softened(entry);
    }
    return 0;
}

static enum pst_status check_temperature(const struct pst_header *header, const struct pst_tensor_spec *soft,
                                         struct pst_error *error)
{
    if (strcmp(soft->name, "soft") != 0 && strncmp(soft->name, "soft/", strlen("soft/")) != 0)
        return PST_OK;
    double said = temperature_of(header->history, soft->name);
    if (said == 0 || fabs(said - soft->temperature) <= 1e-9 * said)
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA,
                    "tensor '%s' says that it is at temperature %g, but the stream's history says that it "
                    "was softened at %g",
                    soft->name, soft->temperature, said);
}

/* ---- number of teachers ---- */

/* Names of teachers, each once; they live in header and history. */
struct names {
    const char **list;
    size_t count, room;
    bool short_of_memory;
};

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

/* Where the averager that made the mean stands, and whether nothing in the history can have dropped anything.
 */
static size_t find_averager(const json_t *history, bool of_logits)
{
    size_t found = PST_NONE;
    for (size_t i = 0; i < json_array_size(history); i++) {
        const json_t *entry = json_array_get(history, i);
        if (may_change(entry) || is_stage(entry, "compactor"))
            return PST_NONE;
        if (is_stage(entry, "averager") && json_is_true(json_object_get(entry, "logits")) == of_logits)
            found = i;
    }
    return found;
}

static enum pst_status compare_count(const struct names *names, size_t expected, struct pst_error *error)
{
    char list[200] = "";
    size_t used = 0;
    for (size_t i = 0; i < names->count && used < sizeof list; i++)
        used +=
            (size_t)snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? ": " : ", ", names->list[i]);
    if (names->short_of_memory)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    if (names->count == expected)
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA,
                    "the averager was told of %zu teachers (--teachers), but the stream and its history "
                    "name %zu%s",
                    expected, names->count, list);
}

/* The averager's --teachers against the tensors that stand before its mean, and the teachers asked before it.
 */
static enum pst_status check_count(const struct pst_header *header, size_t mean, struct pst_error *error)
{
    bool of_logits = strcmp(header->tensors[mean].name, "logits") == 0;
    if (!of_logits && strcmp(header->tensors[mean].name, "soft") != 0)
        return PST_OK;
    size_t at = find_averager(header->history, of_logits);
    json_int_t expected =
        json_integer_value(json_object_get(json_array_get(header->history, at), "teachers"));
    if (at == PST_NONE || expected <= 0)
        return PST_OK;
    const char *kind = of_logits ? "logits/" : "soft/";
    struct names names = { 0 };
    for (size_t i = 0; i < mean; i++) {
        if (strncmp(header->tensors[i].name, kind, strlen(kind)) == 0)
            add_name(&names, header->tensors[i].name + strlen(kind));
    }
    for (size_t i = 0; i < at; i++)
        add_teachers_of(&names, json_array_get(header->history, i), kind);
    enum pst_status status = compare_count(&names, (size_t)expected, error);
    free(names.list);
    return status;
}

enum pst_status check_history(const struct pst_header *header, struct pst_error *error)
{
    const json_t *first = NULL;
    enum pst_status status = check_data(header->history, &first, error);
    if (status != PST_OK || settings.targets == HARD)
        return status;
    if (settings.soft_loss != PST_SOFT_LOGITS)
        status = check_temperature(header, &header->tensors[stream.soft_index], error);
    return status == PST_OK ? check_count(header, stream.soft_index, error) : status;
}
