/*
 * Whether what the stream says of its targets agrees with what its history says of how they were made. Only
 * a contradiction is refused: what the history does not tell, or a stage that is not pipestill's may have
 * changed, is believed.
 */
#include "stages/student-trainer/history.h"

#include <string.h>

bool is_stage(const json_t *entry, const char *name)
{
    const char *stage = json_string_value(json_object_get(entry, "stage"));
    return stage != NULL && strcmp(stage, name) == 0;
}

bool may_change(const json_t *entry)
{
    static const char *const known[] = { "loader",      "teacher-forward", "temperature-softmax", "averager",
                                         "stream-join", "compactor",       "dispatcher",          "worker" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (is_stage(entry, known[i]))
            return false;
    }
    return true;
}

const char *taken(const json_t *entry, const char *name, bool prefix)
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

static enum pst_status check_target(const struct pst_header *header, size_t index, bool tempered,
                                    struct pst_error *error)
{
    bool logits;
    if (!pst_target_kind(header->tensors[index].name, &logits))
        return PST_OK;
    enum pst_status status = tempered ? check_temperature(header, &header->tensors[index], error) : PST_OK;
    if (status == PST_OK)
        status = check_mean(header, index, error);
    return status == PST_OK ? check_models(header, index, error) : status;
}

enum pst_status check_history(const struct trainer *trainer, const struct pst_header *header,
                              struct pst_error *error)
{
    const struct pst_loss *loss = &trainer->training.loss;
    const json_t *first = NULL;
    enum pst_status status = check_data(header->history, &first, error);
    for (size_t k = 0; k < loss->count && status == PST_OK; k++)
        status = check_target(header, trainer->stream.targets[k].index, loss->terms[k].type->has_temperature,
                              error);
    return status;
}
