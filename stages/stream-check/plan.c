/*
 * What of a stream can be compared with what the teachers say. logits/NAME and soft/NAME are one teacher's;
 * soft and logits are the averager's, and can be made again where the history says how and all of the
 * teachers that went into the mean are given.
 */
#include "stages/stream-check/check.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t find_teacher(const char *name)
{
    for (size_t t = 0; t < check.teacher_count; t++) {
        if (strcmp(check.teachers[t].name, name) == 0)
            return t;
    }
    return PST_NONE;
}

/* Says why a mean is not compared. */
static enum pst_status leave_out(const char *tensor, const char *why, const char *name)
{
    snprintf(check.reasons[check.reason_count++].text, sizeof check.reasons[0].text, "'%s': %s%s%s%s", tensor,
             why, name == NULL ? "" : " '", name == NULL ? "" : name, name == NULL ? "" : "'");
    return PST_OK;
}

/* Begins a comparison, with room for all teachers as its members. */
static enum pst_status begin(const struct pst_header *header, size_t tensor, bool of_logits,
                             struct comparison *comparison, struct pst_error *error)
{
    const struct pst_tensor_spec *spec = &header->tensors[tensor];
    enum pst_status status =
        pst_header_require(header, spec->name, PST_DTYPE_F32, 1, &check.classes, &tensor, error);
    if (status != PST_OK)
        return status;
    if (!of_logits && !(spec->temperature > 0))
        return pst_fail(error, PST_BAD_DATA, "tensor '%s' does not say at which temperature it is",
                        spec->name);
    *comparison = (struct comparison){ .name = spec->name,
                                       .tensor = tensor,
                                       .of_logits = of_logits,
                                       .temperature = spec->temperature,
                                       .members = calloc(check.teacher_count, sizeof(size_t)),
                                       .shares = calloc(check.teacher_count, sizeof(double)) };
    if (comparison->members == NULL || comparison->shares == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    return PST_OK;
}

/* PREFIX/NAME of one teacher, where the stream has it. */
static enum pst_status plan_single(const struct pst_header *header, const char *prefix, size_t teacher,
                                   struct pst_error *error)
{
    char name[PST_NAME_SIZE + 8];
    snprintf(name, sizeof name, "%s/%s", prefix, check.teachers[teacher].name);
    size_t tensor = pst_header_find(header, name);
    if (tensor == PST_NONE)
        return PST_OK;
    struct comparison *comparison = &check.comparisons[check.comparison_count++];
    enum pst_status status = begin(header, tensor, strcmp(prefix, "logits") == 0, comparison, error);
    if (status != PST_OK)
        return status;
    comparison->members[0] = teacher;
    comparison->shares[0] = 1;
    comparison->member_count = 1;
    check.teachers[teacher].used = true;
    return PST_OK;
}

/* ---- means ---- */

/* Adds a member by name; false where that teacher is not given. */
static bool add_member(struct comparison *comparison, const char *name)
{
    size_t teacher = find_teacher(name);
    if (teacher == PST_NONE)
        return false;
    for (size_t i = 0; i < comparison->member_count; i++) {
        if (comparison->members[i] == teacher)
            return true;
    }
    comparison->members[comparison->member_count] = teacher;
    comparison->shares[comparison->member_count++] = 1;
    return true;
}

/* Adds the teachers that the first `count` entries of a history asked. Returns the name of one that is not
 * given, or NULL. */
static const char *add_from_history(struct comparison *comparison, const json_t *history, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(history, i);
        const json_t *joined = json_object_get(entry, "recording");
        const char *missing = add_from_history(comparison, joined, json_array_size(joined));
        if (missing != NULL)
            return missing;
        const char *stage = json_string_value(json_object_get(entry, "stage"));
        const char *name = json_string_value(json_object_get(entry, "name"));
        if (stage != NULL && name != NULL && strcmp(stage, "teacher-forward") == 0 &&
            !add_member(comparison, name))
            return name;
    }
    return NULL;
}

/* All whose tensors stand before the mean, in their order; those that were left out since, from the history.
 */
static const char *add_members(struct comparison *comparison, const struct pst_header *header, size_t entry)
{
    const char *kind = comparison->of_logits ? "logits/" : "soft/";
    for (size_t i = 0; i < comparison->tensor; i++) {
        const char *name = header->tensors[i].name;
        if (strncmp(name, kind, strlen(kind)) == 0 && !add_member(comparison, name + strlen(kind)))
            return name + strlen(kind);
    }
    return add_from_history(comparison, header->history, entry);
}

/* The averager's --weight NAME=W; those not named have 1. */
static bool weigh(struct comparison *comparison, const json_t *weights)
{
    for (size_t i = 0; i < json_array_size(weights); i++) {
        char name[PST_NAME_SIZE];
        const char *text = json_string_value(json_array_get(weights, i));
        const char *equals = text == NULL ? NULL : strrchr(text, '=');
        if (equals == NULL || (size_t)(equals - text) >= sizeof name)
            return false;
        snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
        size_t member = 0, teacher = find_teacher(name);
        while (member < comparison->member_count && comparison->members[member] != teacher)
            member++;
        if (member == comparison->member_count ||
            !pst_parse_double(equals + 1, 0, 1e6, &comparison->shares[member]))
            return false;
    }
    double sum = 0;
    for (size_t i = 0; i < comparison->member_count; i++)
        sum += comparison->shares[i];
    for (size_t i = 0; i < comparison->member_count; i++)
        comparison->shares[i] /= sum;
    return sum > 0;
}

/* The last averager of this kind; its place in the history, or PST_NONE. */
static size_t find_averager(const json_t *history, bool of_logits)
{
    for (size_t i = json_array_size(history); i-- > 0;) {
        const json_t *entry = json_array_get(history, i);
        const char *stage = json_string_value(json_object_get(entry, "stage"));
        if (stage != NULL && strcmp(stage, "averager") == 0 &&
            json_is_true(json_object_get(entry, "logits")) == of_logits)
            return i;
    }
    return PST_NONE;
}

static enum pst_status plan_mean(const struct pst_header *header, const char *name, struct pst_error *error)
{
    bool of_logits = strcmp(name, "logits") == 0;
    size_t tensor = pst_header_find(header, name);
    if (tensor == PST_NONE)
        return PST_OK;
    size_t at = find_averager(header->history, of_logits);
    if (at == PST_NONE)
        return leave_out(name, "the history has no averager that made it", NULL);
    const json_t *entry = json_array_get(header->history, at);
    struct comparison *comparison = &check.comparisons[check.comparison_count++];
    enum pst_status status = begin(header, tensor, of_logits, comparison, error);
    if (status != PST_OK)
        return status;
    const char *missing = add_members(comparison, header, at);
    json_int_t expected = json_integer_value(json_object_get(entry, "teachers"));
    comparison->geometric = json_is_true(json_object_get(entry, "geometric"));
    const char *why = NULL;
    if (missing != NULL)
        why = "it is a mean with a teacher that no --against gives,";
    else if (comparison->member_count == 0 || (expected > 0 && (size_t)expected != comparison->member_count))
        why = "the history does not name all teachers of the mean";
    else if (!weigh(comparison, json_object_get(entry, "weight")))
        why = "its weights do not fit its teachers";
    if (why == NULL) {
        for (size_t i = 0; i < comparison->member_count; i++)
            check.teachers[comparison->members[i]].used = true;
        return PST_OK;
    }
    free(comparison->members);
    free(comparison->shares);
    check.comparison_count--;
    return leave_out(name, why, missing);
}

enum pst_status plan(const struct pst_header *header, struct pst_error *error)
{
    check.comparisons = calloc(2 * check.teacher_count + 2, sizeof *check.comparisons);
    if (check.comparisons == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    enum pst_status status = PST_OK;
    for (size_t t = 0; t < check.teacher_count && status == PST_OK; t++) {
        status = plan_single(header, "logits", t, error);
        if (status == PST_OK)
            status = plan_single(header, "soft", t, error);
    }
    if (status == PST_OK)
        status = plan_mean(header, "soft", error);
    if (status == PST_OK)
        status = plan_mean(header, "logits", error);
    for (size_t t = 0; t < check.teacher_count && status == PST_OK; t++) {
        const struct teacher *teacher = &check.teachers[t];
        if (!teacher->used)
            status =
                pst_fail(error, PST_BAD_DATA,
                         "nothing in the stream can be compared with %s: it has neither logits/%s nor "
                         "soft/%s%s%s%s",
                         teacher->path, teacher->name, teacher->name, check.reason_count > 0 ? ", and " : "",
                         check.reason_count > 0 ? check.reasons[0].text : "",
                         pst_compact_is(header) ? pst_compact_advice(header)
                                                : "; --name says what a teacher is called there");
    }
    return status;
}

void free_plan(void)
{
    for (size_t i = 0; i < check.comparison_count; i++) {
        free(check.comparisons[i].members);
        free(check.comparisons[i].shares);
        pst_buffer_free(&check.comparisons[i].recorded);
    }
    free(check.comparisons);
}
