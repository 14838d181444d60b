/* Whether a stream's history leads back to the inputs that are to be left out. */
#include "lib/compact/compactor.h"

#include <jansson.h>
#include <string.h>

static bool is_by(const json_t *entry, const char *stage)
{
    const char *name = json_string_value(json_object_get(entry, "stage"));
    return name != NULL && strcmp(name, stage) == 0;
}

static bool names_data_set(const json_t *source)
{
    return is_by(source, "loader") && json_is_string(json_object_get(source, "data")) &&
           json_is_string(json_object_get(source, "digest"));
}

/* Whether each epoch has its samples as the others have them, so that a sample's id says all. */
static bool is_same_in_all_epochs(const json_t *source)
{
    static const char *const augmentations[] = { "shift", "elastic", "rotate", "scale-jitter" };
    for (size_t i = 0; i < sizeof augmentations / sizeof *augmentations; i++) {
        if (json_number_value(json_object_get(source, augmentations[i])) != 0)
            return false;
    }
    return names_data_set(source);
}

/* Whether a replay left every sample in the recorded epoch. One that does not say so is of an older loader,
 * and its options are looked at. */
static bool is_traceable(const json_t *replay)
{
    const json_t *said = json_object_get(replay, "traceable");
    if (said != NULL)
        return json_is_true(said);
    return !json_is_true(json_object_get(replay, "shuffle")) &&
           json_integer_value(json_object_get(replay, "epochs")) == 1;
}

/* Whether a sample's id and epoch still say which input it had. */
static bool is_known_by_id(const json_t *history)
{
    if (is_same_in_all_epochs(json_array_get(history, 0)))
        return true;
    for (size_t i = 1; i < json_array_size(history); i++) {
        const json_t *entry = json_array_get(history, i);
        if (is_by(entry, "loader") && !is_traceable(entry))
            return false;
    }
    return true;
}

static enum pst_status check_digest(const json_t *history, struct pst_error *error)
{
    if (is_known_by_id(history))
        return PST_OK;
    return pst_fail(
        error, PST_BAD_DATA,
        "the inputs differ from epoch to epoch, and a replay mixed the epochs, so nothing could make "
        "them again; use --inputs keep, or compact the recording before it is "
        "replayed");
}

/* Whether a stage is one of those that hand on samples in the order in which they came. */
static bool keeps_order(const json_t *entry)
{
    static const char *const stages[] = { "teacher-forward", "temperature-softmax", "averager", "stream-join",
                                          "compactor" };
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        if (is_by(entry, stages[i]))
            return true;
    }
    return false;
}

/* By reference only the history leads back to the samples, so it must begin with a loader and keep its order.
 */
static enum pst_status check_reference(const json_t *history, struct pst_error *error)
{
    if (!names_data_set(json_array_get(history, 0)))
        return pst_fail(error, PST_BAD_DATA,
                        "the stream's source is no loader of a data set that could give its inputs again; "
                        "use --inputs keep, or digest for stream-join");
    for (size_t i = 1; i < json_array_size(history); i++) {
        const json_t *entry = json_array_get(history, i);
        const char *name = json_string_value(json_object_get(entry, "stage"));
        if (is_by(entry, "loader"))
            return pst_fail(error, PST_BAD_DATA,
                            "the stream was replayed, perhaps in another order than its source's; compact "
                            "the recording before it is replayed, or use --inputs %s",
                            is_known_by_id(history) ? "digest or keep" : "keep");
        if (!keeps_order(entry))
            return pst_fail(error, PST_BAD_DATA,
                            "the stream went through '%s', which may have left out samples or changed their "
                            "order; use --inputs %s",
                            name == NULL ? "?" : name, is_known_by_id(history) ? "digest or keep" : "keep");
    }
    return PST_OK;
}

enum pst_status pst_compactor_check_history(const json_t *history, enum pst_compact_inputs inputs,
                                            struct pst_error *error)
{
    if (inputs == PST_COMPACT_KEEP)
        return PST_OK;
    return inputs == PST_COMPACT_BY_DIGEST ? check_digest(history, error) : check_reference(history, error);
}
