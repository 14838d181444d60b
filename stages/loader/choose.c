/* Which samples of recordings are taken. */
#include "stages/loader/choose.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Where labels come from: the recordings, or the data set where they were left out. */
struct sources {
    const struct shards *shards;
    struct rebuilder *rebuilder;
    size_t y; /* in the recordings, or PST_NONE */
    size_t classes;
    struct pst_batch batch;
};

/* A label as a byte. */
static enum pst_status take(const struct sources *sources, const struct shard_batch *found, int32_t label,
                            uint8_t *byte, struct pst_error *error)
{
    if (label < 0 || (size_t)label >= sources->classes)
        return pst_fail(error, PST_BAD_DATA, "%s, batch %" PRIu64 ": label %" PRId32 " is no class",
                        found->shard->path, found->recorded.seq, label);
    *byte = (uint8_t)label;
    return PST_OK;
}

static enum pst_status take_recorded(struct sources *sources, const struct shard_batch *found,
                                     uint8_t *labels, struct pst_error *error)
{
    enum pst_status status =
        pst_recording_read(found->shard->recording, found->index, &sources->batch, error);
    for (size_t row = 0; row < found->recorded.n && status == PST_OK; row++)
        status = take(sources, found, ((const int32_t *)sources->batch.tensors[sources->y].data)[row],
                      &labels[row], error);
    return status;
}

static enum pst_status take_from_set(struct sources *sources, const struct shard_batch *found,
                                     uint8_t *labels, struct pst_error *error)
{
    struct pst_recorded plain = pst_recording_batch_at(found->shard->recording, found->index);
    enum pst_status status = PST_OK;
    for (size_t row = 0; row < plain.n && status == PST_OK; row++) {
        size_t index = 0;
        struct origin origin = {
            .path = found->shard->path, .seq = plain.seq, .epoch = plain.epoch, .row = row
        };
        status = rebuilder_index(sources->rebuilder, &origin, &index, error);
        if (status == PST_OK)
            status = take(sources, found, sources->rebuilder->set.data.labels[index], &labels[row], error);
    }
    return status;
}

/* labels: receives those of all samples. */
static enum pst_status read_labels(struct sources *sources, uint8_t *labels, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < sources->shards->batches && status == PST_OK; i++) {
        struct shard_batch found = shards_batch(sources->shards, i);
        uint8_t *its = labels + found.recorded.first;
        status = sources->y != PST_NONE ? take_recorded(sources, &found, its, error)
                                        : take_from_set(sources, &found, its, error);
    }
    pst_batch_free(&sources->batch);
    return status;
}

static size_t label_of(const void *labels, uint64_t sample)
{
    return ((const uint8_t *)labels)[sample];
}

/* Whether every sample has a label: its own, or one in the data set. */
static bool has_labels(const struct sources *sources, const struct pst_header *restored)
{
    struct pst_error ignored;
    size_t y;
    return restored->classes <= MOST_CLASSES &&
           pst_header_require(restored, "y", PST_DTYPE_I32, 0, NULL, &y, &ignored) == PST_OK &&
           (sources->y != PST_NONE || sources->rebuilder->set.data.labels != NULL);
}

enum pst_status choose_recorded(const struct wishes *wishes, const struct shards *shards,
                                const struct pst_header *restored, struct rebuilder *rebuilder,
                                struct pst_chosen *chosen, struct pst_error *error)
{
    struct sources sources = { .shards = shards,
                               .rebuilder = rebuilder,
                               .y = pst_header_find(pst_recording_header(shards->list[0].recording), "y"),
                               .classes = restored->classes > 0 ? (size_t)restored->classes : MOST_CLASSES };
    bool mask[MOST_CLASSES];
    struct pst_selection_rules rules;
    bool labelled = has_labels(&sources, restored);
    enum pst_status status = settle_rules(wishes, labelled, sources.classes, mask, &rules, error);
    if (status != PST_OK)
        return status;
    uint8_t *bytes = labelled ? pst_allocate((size_t)shards->samples, 1, error) : NULL;
    if (labelled)
        status = bytes == NULL ? PST_TRY_AGAIN : read_labels(&sources, bytes, error);
    struct pst_labels labels = { .name = shards->list[0].path,
                                 .samples = shards->samples,
                                 .classes = sources.classes,
                                 .class_of = labelled ? label_of : NULL,
                                 .labels = bytes };
    if (status == PST_OK)
        status = pst_choose(&labels, &rules, chosen, error);
    free(bytes);
    return status;
}
