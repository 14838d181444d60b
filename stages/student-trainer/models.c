/*
 * Whether each teacher that is learned from is one model. A stream may have logits/NAME and soft/NAME from
 * two recordings, which may have asked two models under the same name.
 */
#include "stages/student-trainer/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The digests of the models that one teacher's tensors are from: NULL where there is no such tensor, "" where
 * the history does not say. */
struct origin {
    const char *logits, *soft;
    const char *one, *other; /* models that contradict each other; NULL: there is no contradiction */
    bool thinned;            /* a compactor may have dropped some of the tensors */
    bool mixed;              /* and others came after that, so that not all need be there at once */
};

static bool differ(const char *a, const char *b)
{
    return a != NULL && b != NULL && a[0] != '\0' && b[0] != '\0' && strcmp(a, b) != 0;
}

static void contradict(struct origin *origin, const char *one, const char *other)
{
    if (origin->one == NULL && differ(one, other)) {
        origin->one = one;
        origin->other = other;
    }
}

/* A tensor came. One of its name was there before only where a compactor has dropped that. */
static void bring(struct origin *origin, const char **tensor, const char *model)
{
    if (origin->thinned) {
        origin->mixed = true;
        origin->one = origin->other = NULL;
    } else {
        contradict(origin, *tensor, model);
    }
    *tensor = model;
}

enum { ROOM = PST_NAME_SIZE + 8 };

static void name_tensors(const char *teacher, char logits[ROOM], char soft[ROOM])
{
    snprintf(logits, ROOM, "logits/%s", teacher);
    snprintf(soft, ROOM, "soft/%s", teacher);
}

static struct origin origin_of(const json_t *history, size_t end, const char *teacher);

/* What a stream-join brought. */
static void join(struct origin *origin, const json_t *entry, const char *teacher)
{
    char logits[ROOM], soft[ROOM];
    name_tensors(teacher, logits, soft);
    bool has_logits = taken(entry, logits, false) != NULL, has_soft = taken(entry, soft, false) != NULL;
    if (!has_logits && !has_soft)
        return;
    const json_t *recording = json_object_get(entry, "recording");
    struct origin from = origin_of(recording, json_array_size(recording), teacher);
    if (has_logits)
        bring(origin, &origin->logits, from.logits == NULL ? "" : from.logits);
    if (has_soft)
        bring(origin, &origin->soft, from.soft == NULL ? "" : from.soft);
    contradict(origin, from.one, from.other);
}

static void soften(struct origin *origin, const json_t *entry)
{
    if (json_is_true(json_object_get(entry, "from-probs"))) {
        if (origin->soft != NULL)
            origin->logits = origin->soft;
    } else if (origin->logits != NULL) {
        origin->soft = origin->logits;
    }
}

static void follow(struct origin *origin, const json_t *entry, const char *teacher)
{
    const char *name = json_string_value(json_object_get(entry, "name"));
    if (may_change(entry)) {
        *origin = (struct origin){ .logits = "", .soft = "" };
    } else if (is_stage(entry, "teacher-forward") && name != NULL && strcmp(name, teacher) == 0) {
        const char *model = json_string_value(json_object_get(entry, "model"));
        bring(origin, &origin->logits, model == NULL ? "" : model);
    } else if (is_stage(entry, "stream-join")) {
        join(origin, entry, teacher);
    } else if (is_stage(entry, "temperature-softmax")) {
        soften(origin, entry);
    } else if (is_stage(entry, "compactor") && !json_is_true(json_object_get(entry, "restore"))) {
        contradict(origin, origin->logits, origin->soft);
        origin->thinned = true;
    }
}

/* Where the tensors of a teacher are from that were there before a place of a history. */
static struct origin origin_of(const json_t *history, size_t end, const char *teacher)
{
    struct origin origin = { 0 };
    for (size_t i = 0; i < end; i++)
        follow(&origin, json_array_get(history, i), teacher);
    if (!origin.mixed)
        contradict(&origin, origin.logits, origin.soft);
    return origin;
}

static bool has_both(const struct pst_header *header, const char *teacher)
{
    char logits[ROOM], soft[ROOM];
    name_tensors(teacher, logits, soft);
    return pst_header_find(header, logits) != PST_NONE && pst_header_find(header, soft) != PST_NONE;
}

/* here: whether the stream still has both tensors, so that no compactor has dropped either. */
static enum pst_status check_teacher(struct origin origin, bool here, const char *teacher,
                                     struct pst_error *error)
{
    if (here)
        contradict(&origin, origin.logits, origin.soft);
    if (origin.one == NULL)
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA,
                    "the stream's history tells of two models that are both called '%s', one with the "
                    "digest %.16s and one with %.16s; ask one of them under another --name",
                    teacher, origin.one, origin.other);
}

/* The teachers of a mean, as they were when it was made. */
static enum pst_status check_members(const struct pst_header *header, size_t mean, struct pst_error *error)
{
    const json_t *history = header->history;
    size_t at = find_averager(&history, header->tensors[mean].name);
    if (at == PST_NONE)
        return PST_OK;
    struct names names = { 0 };
    enum pst_status status = find_teachers(&names, header, mean, history, at, error);
    for (size_t i = 0; i < names.count && status == PST_OK; i++) {
        struct origin origin = origin_of(history, at, names.list[i]);
        bool here = history == header->history && has_both(header, names.list[i]);
        /* One that a compactor may have dropped is perhaps no part of the mean. */
        if (here || !origin.thinned)
            status = check_teacher(origin, here, names.list[i], error);
    }
    free(names.list);
    return status;
}

enum pst_status check_models(const struct pst_header *header, size_t target, struct pst_error *error)
{
    const char *name = header->tensors[target].name;
    const char *slash = strchr(name, '/');
    if (slash == NULL)
        return check_members(header, target, error);
    if (strncmp(name, "soft/", strlen("soft/")) != 0 && strncmp(name, "logits/", strlen("logits/")) != 0)
        return PST_OK;
    const json_t *history = header->history;
    struct origin origin = origin_of(history, json_array_size(history), slash + 1);
    return check_teacher(origin, has_both(header, slash + 1), slash + 1, error);
}
