/* Which samples of recordings are taken. */
#include "stages/replay/choose.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- labels ---- */

/* Reads the labels of a batch. labels: receives those of all samples of the set. */
static enum pst_status read_batch_labels(const struct shard_batch *found, size_t y, size_t classes,
                                         struct pst_batch *batch, uint16_t *labels, struct pst_error *error)
{
    enum pst_status status = pst_recording_read(found->shard->recording, found->index, batch, error);
    if (status != PST_OK)
        return status;
    const int32_t *read = batch->tensors[y].data;
    for (size_t row = 0; row < batch->n; row++) {
        if (read[row] < 0 || (size_t)read[row] >= classes)
            return pst_fail(error, PST_BAD_DATA, "%s, batch %" PRIu64 ": label %" PRId32 " is no class",
                            found->shard->path, found->recorded.seq, read[row]);
        labels[found->recorded.first + row] = (uint16_t)read[row];
    }
    return PST_OK;
}

static enum pst_status read_labels(const struct shards *shards, size_t classes, uint16_t *labels,
                                   struct pst_error *error)
{
    size_t y = pst_header_find(pst_recording_header(shards->list[0].recording), "y");
    struct pst_batch batch = { 0 };
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < shards->batches && status == PST_OK; i++) {
        struct shard_batch found = shards_batch(shards, i);
        status = read_batch_labels(&found, y, classes, &batch, labels, error);
    }
    pst_batch_free(&batch);
    return status;
}

static size_t label_of(const void *labels, uint64_t sample)
{
    return ((const uint16_t *)labels)[sample];
}

/* ---- by class ---- */

/* mask: [classes]; receives the classes that are taken. */
static enum pst_status mark_classes(const struct wishes *wishes, size_t classes, bool *mask,
                                    struct pst_error *error)
{
    memset(mask, wishes->only == NULL, classes * sizeof *mask);
    if (wishes->only != NULL && pst_mark_classes(wishes->only, classes, true, mask, error) != PST_OK)
        return pst_fail_at(error, "--only-classes");
    if (wishes->omit != NULL && pst_mark_classes(wishes->omit, classes, false, mask, error) != PST_OK)
        return pst_fail_at(error, "--omit-classes");
    return PST_OK;
}

/* labels, rules: what depends on labels is set here. */
static enum pst_status choose_labelled(const struct wishes *wishes, const struct shards *shards,
                                       struct pst_labels *labels, struct pst_selection_rules *rules,
                                       struct pst_chosen *chosen, struct pst_error *error)
{
    uint16_t *read = pst_allocate((size_t)shards->samples, sizeof *read, error);
    bool *mask = pst_allocate(labels->classes, sizeof *mask, error);
    labels->labels = read;
    labels->class_of = label_of;
    rules->class_mask = mask;
    enum pst_status status =
        read == NULL || mask == NULL ? PST_TRY_AGAIN : mark_classes(wishes, labels->classes, mask, error);
    if (status == PST_OK)
        status = read_labels(shards, labels->classes, read, error);
    if (status == PST_OK)
        status = pst_choose(labels, rules, chosen, error);
    free(read);
    free(mask);
    return status;
}

/* ---- all ---- */

/* --sample: a share or a number, of all samples alike. */
static enum pst_status settle_sample(const struct wishes *wishes, struct pst_selection_rules *rules,
                                     struct pst_error *error)
{
    char text[32];
    double percent;
    uint64_t number;
    size_t length = strlen(wishes->sample);
    bool share = length > 1 && length < sizeof text && wishes->sample[length - 1] == '%';
    snprintf(text, sizeof text, "%.*s", share ? (int)length - 1 : (int)length, wishes->sample);
    if (share && pst_parse_double(text, 0, 100, &percent) && percent > 0)
        rules->fraction = percent / 100;
    else if (!share && pst_parse_u64(wishes->sample, 1, SIZE_MAX / 2, &number))
        rules->limit = (size_t)number;
    else
        return pst_fail(error, PST_USAGE, "--sample: '%s' is neither a share, as 1%%, nor a number from 1",
                        wishes->sample);
    return PST_OK;
}

enum pst_status check_wishes(const struct wishes *wishes, struct pst_error *error)
{
    struct pst_selection_rules ignored;
    bool others = wishes->only != NULL || wishes->omit != NULL || wishes->fraction < 1 || wishes->limit > 0;
    if (wishes->sample == NULL)
        return PST_OK;
    return others ? pst_fail(error, PST_USAGE,
                             "--sample takes of all samples alike; no other option that chooses goes with it")
                  : settle_sample(wishes, &ignored, error);
}

enum pst_status choose_recorded(const struct wishes *wishes, const struct shards *shards,
                                const struct pst_header *restored, struct pst_chosen *chosen,
                                struct pst_error *error)
{
    struct pst_error ignored;
    size_t y;
    struct pst_labels labels = { .name = shards->list[0].path,
                                 .samples = shards->samples,
                                 .classes =
                                     restored->classes > 0 ? (size_t)restored->classes : MOST_CLASSES };
    struct pst_selection_rules rules = { .fraction = wishes->fraction < 1 ? wishes->fraction : 0,
                                         .limit = wishes->limit,
                                         .seed = wishes->seed };
    bool labelled = labels.classes <= MOST_CLASSES &&
                    pst_header_require(restored, "y", PST_DTYPE_I32, 0, NULL, &y, &ignored) == PST_OK;
    enum pst_status status = wishes->sample == NULL ? PST_OK : settle_sample(wishes, &rules, error);
    if (labelled && wishes->sample == NULL)
        return choose_labelled(wishes, shards, &labels, &rules, chosen, error);
    if (status == PST_OK && (wishes->only != NULL || wishes->omit != NULL))
        return pst_fail(error, PST_USAGE,
                        "--only-classes and --omit-classes need labels, and there are none");
    return status == PST_OK ? pst_choose(&labels, &rules, chosen, error) : status;
}
