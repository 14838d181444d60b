/* Which samples of recordings are taken. */
#include "stages/replay/choose.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USUAL_CLASSES 65536 /* for a stream that does not say how many it has */

/* ---- labels ---- */

/* Reads the labels of a batch. labels: receives those of all samples of the set. */
static enum pst_status read_batch_labels(const struct shard_batch *found, size_t y, size_t classes,
                                         struct pst_batch *batch, int32_t *labels, struct pst_error *error)
{
    enum pst_status status = pst_recording_read(found->shard->recording, found->index, batch, error);
    if (status != PST_OK)
        return status;
    const int32_t *read = batch->tensors[y].data;
    for (size_t row = 0; row < batch->n; row++) {
        if (read[row] < 0 || (size_t)read[row] >= classes)
            return pst_fail(error, PST_BAD_DATA, "%s, batch %" PRIu64 ": label %" PRId32 " is not a class",
                            found->shard->path, found->recorded.seq, read[row]);
        labels[found->recorded.first + row] = read[row];
    }
    return PST_OK;
}

static enum pst_status read_labels(const struct shards *shards, size_t classes, int32_t *labels,
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
    return (size_t)((const int32_t *)labels)[sample];
}

/* ---- choosing ---- */

/* --sample: a share or a number, drawn from all samples alike. */
static enum pst_status settle_sample(const struct selection_options *options,
                                     struct pst_selection_rules *rules, struct pst_error *error)
{
    char text[32];
    double percent;
    uint64_t number;
    size_t length = strlen(options->sample);
    bool share = length > 1 && length < sizeof text && options->sample[length - 1] == '%';
    snprintf(text, sizeof text, "%.*s", share ? (int)length - 1 : (int)length, options->sample);
    if (share && pst_parse_double(text, 0, 100, &percent) && percent > 0)
        rules->fraction = percent / 100;
    else if (!share && pst_parse_u64(options->sample, 1, SIZE_MAX / 2, &number))
        rules->limit = (size_t)number;
    else
        return pst_fail(error, PST_USAGE, "--sample: '%s' is neither a share, as 1%%, nor a number from 1",
                        options->sample);
    return PST_OK;
}

enum pst_status check_selection_options(const struct selection_options *options, struct pst_error *error)
{
    struct pst_selection_rules ignored;
    bool others =
        options->only != NULL || options->omit != NULL || options->fraction < 1 || options->limit > 0;
    if (options->sample == NULL)
        return PST_OK;
    return others ? pst_fail(error, PST_USAGE,
                             "--sample takes of all samples alike; no other option that chooses goes with it")
                  : settle_sample(options, &ignored, error);
}

/* Divides the chosen samples into special ones and the rest. */
static enum pst_status divide(const struct selection_options *options, const struct pst_header *restored,
                              const struct pst_labels *labels, struct recorded_choice *choice,
                              struct pst_error *error)
{
    struct pst_class_map map = { 0 };
    if (labels->class_of == NULL)
        return pst_fail(error, PST_USAGE, "--special needs labels, and there are none that are classes in %s",
                        labels->name);
    enum pst_status status =
        pst_stream_classes(restored, labels->classes, options->special, "--special", NULL, &map, error);
    choice->classes = labels->classes;
    choice->mask = pst_allocate(labels->classes, sizeof *choice->mask, status == PST_OK ? error : NULL);
    if (status == PST_OK && choice->mask == NULL)
        status = PST_TRY_AGAIN;
    for (size_t i = 0; status == PST_OK && i < labels->classes; i++)
        choice->mask[i] = map.new_of[i] >= 0;
    for (size_t part = 0; part < 2 && status == PST_OK; part++)
        status = pst_chosen_part(&choice->all, labels, choice->mask, part == 1, &choice->parts[part], error);
    if (status == PST_OK)
        status = pst_special_start(&choice->special, choice->parts[1].count, choice->parts[0].count,
                                   options->special_share, options->seed, error);
    pst_class_map_free(&map);
    return status;
}

static enum pst_status choose_by(const struct selection_options *options, const struct pst_header *restored,
                                 const struct pst_labels *labels, struct recorded_choice *choice,
                                 struct pst_error *error)
{
    struct pst_selection_rules rules = { .only = options->only,
                                         .omit = options->omit,
                                         .fraction = options->fraction,
                                         .limit = options->limit,
                                         .seed = options->seed };
    enum pst_status status = options->sample == NULL ? PST_OK : settle_sample(options, &rules, error);
    if (status == PST_OK)
        status = pst_choose(labels, &rules, &choice->all, error);
    return status == PST_OK && options->special != NULL ? divide(options, restored, labels, choice, error)
                                                        : status;
}

enum pst_status choose_recorded(const struct selection_options *options, const struct shards *shards,
                                const struct pst_header *restored, struct recorded_choice *choice,
                                struct pst_error *error)
{
    struct pst_error ignored;
    size_t y, classes = restored->classes > 0 ? (size_t)restored->classes : USUAL_CLASSES;
    enum pst_status status = PST_OK;
    bool labelled = options->sample == NULL && classes <= PST_MAX_CLASSES &&
                    pst_header_require(restored, "y", PST_DTYPE_I32, 0, NULL, &y, &ignored) == PST_OK;
    int32_t *read = labelled ? pst_allocate((size_t)shards->samples, sizeof *read, error) : NULL;
    if (labelled)
        status = read == NULL ? PST_TRY_AGAIN : read_labels(shards, classes, read, error);
    struct pst_labels labels = { .name = shards->list[0].path,
                                 .samples = shards->samples,
                                 .classes = classes,
                                 .class_of = labelled ? label_of : NULL,
                                 .labels = read };
    if (status == PST_OK)
        status = choose_by(options, restored, &labels, choice, error);
    free(read);
    return status;
}

void free_choice(struct recorded_choice *choice)
{
    pst_chosen_free(&choice->all);
    pst_chosen_free(&choice->parts[0]);
    pst_chosen_free(&choice->parts[1]);
    free(choice->mask);
}
