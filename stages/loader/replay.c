/*
 * Recordings as a source. Without a word they are replayed just as they were: the same batches in the same
 * order under the same epochs. Otherwise they are a set of samples like any other, which are chosen, shuffled
 * and put together to batches of another size.
 */
#include "stages/loader/choose.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static struct {
    struct shards shards;
    bool by_sample;           /* and not in the batches that were recorded */
    struct pst_chosen chosen; /* {0} where all samples are taken */
    uint64_t count;           /* samples taken */
    uint64_t batches;         /* of one time through them */
    struct pst_permutation permutation;
    uint64_t pass, position; /* what comes next: how often we went through, and the sample or batch */
    /* Of recordings in a compact form; restorer is NULL for others. */
    struct pst_restorer *restorer;
    struct pst_header restored;
    struct rebuilder rebuilder;
    struct pst_batch compact; /* as it was recorded, or put together from recorded samples */
    struct pst_buffer origins;
} replay;

/* The header that what is recorded follows. */
static const struct pst_header *recorded_header(void)
{
    return pst_recording_header(replay.shards.list[0].recording);
}

/* The header of what comes out. */
static const struct pst_header *restored_header(void)
{
    return replay.restorer == NULL ? recorded_header() : &replay.restored;
}

static bool chosen_only(void)
{
    return replay.chosen.words != NULL;
}

static bool inputs_left_out(void)
{
    return replay.restorer != NULL && pst_restorer_inputs(replay.restorer) != PST_COMPACT_KEEP;
}

static enum pst_status open_restorer(struct pst_error *error)
{
    const struct pst_header *header = recorded_header();
    enum pst_status status = PST_OK;
    if (pst_compact_is(header))
        status = pst_restorer_new(&replay.restorer, header, pst_link_options()->max_message, &replay.restored,
                                  error);
    if (status == PST_OK && !inputs_left_out())
        return refuse_files(replay.shards.list[0].path, error);
    if (status == PST_OK)
        status = rebuilder_open(&replay.rebuilder, pst_restorer_inputs(replay.restorer), header,
                                &replay.restored, error);
    return status == PST_OK ? PST_OK : pst_fail_at(error, "%s", replay.shards.list[0].path);
}

/* ---- in which order ---- */

/* The number, among all samples of the set, of the one at a position. */
static uint64_t sample_at(uint64_t position)
{
    uint64_t number = asked.shuffle ? pst_permute(&replay.permutation, position) : position;
    return chosen_only() ? pst_chosen_at(&replay.chosen, number) : number;
}

static void begin_pass(uint64_t pass)
{
    replay.pass = pass;
    replay.position = 0;
    if (asked.shuffle)
        pst_permutation_start(&replay.permutation, replay.count, asked.seed, pass);
}

/*
 * Samples of the batch that begins at a position. Shuffled, a time through the set is an epoch; else batches
 * end where a recorded epoch ends. epoch: receives the one that they belong to, within one time through.
 */
static size_t samples_from(uint64_t position, uint64_t *epoch)
{
    uint64_t left = replay.count - position;
    size_t most = left < asked.batch ? (size_t)left : asked.batch;
    *epoch = 0;
    if (asked.shuffle)
        return most;
    size_t n = 0;
    while (n < most) {
        uint64_t sample = sample_at(position + n);
        struct pst_recorded found = shards_find(&replay.shards, sample).recorded;
        if (n == 0)
            *epoch = found.epoch;
        if (found.epoch != *epoch)
            break;
        uint64_t rest = found.first + found.n - sample;
        n += chosen_only() ? 1 : (size_t)rest;
    }
    return n < most ? n : most;
}

static uint64_t count_batches(void)
{
    if (!replay.by_sample)
        return replay.shards.batches;
    if (asked.shuffle)
        return (replay.count + asked.batch - 1) / asked.batch;
    uint64_t batches = 0, epoch;
    for (uint64_t position = 0; position < replay.count; batches++)
        position += samples_from(position, &epoch);
    return batches;
}

/* The number of the recording's first batch; a part of a recording is replayed under its own numbers. */
static uint64_t base(void)
{
    return replay.by_sample ? 0 : recorded_header()->first;
}

/* Goes to batch number --start. */
static enum pst_status go_to_start(struct pst_error *error)
{
    begin_pass(0);
    if (asked.start == 0)
        return PST_OK;
    if (asked.start < base() || (asked.epochs > 0 && asked.start - base() > replay.batches * asked.epochs))
        return pst_fail(error, PST_USAGE,
                        "--start %" PRIu64 ": the stream has batches %" PRIu64 " to %" PRIu64, asked.start,
                        base(), base() + replay.batches * asked.epochs);
    uint64_t skip = (asked.start - base()) % replay.batches, epoch;
    begin_pass((asked.start - base()) / replay.batches);
    if (!replay.by_sample)
        replay.position = skip;
    else if (asked.shuffle)
        replay.position = skip * asked.batch;
    else
        for (; skip > 0; skip--)
            replay.position += samples_from(replay.position, &epoch);
    return PST_OK;
}

/* ---- the stage ---- */

static enum pst_status prepare(struct pst_error *error)
{
    replay.count = replay.shards.samples;
    replay.by_sample = asked.batch > 0 || asked.shuffle || is_choosy(&asked);
    if (replay.by_sample && asked.batch == 0)
        asked.batch = USUAL_BATCH;
    if (replay.shards.left_out > 0)
        pst_say("left out: %" PRIu64 " damaged or missing batches", replay.shards.left_out);
    if (replay.count == 0)
        return pst_fail(error, PST_BAD_DATA, "%s: a recording without samples", replay.shards.list[0].path);
    enum pst_status status = open_restorer(error);
    if (status == PST_OK && is_choosy(&asked)) {
        status = choose_recorded(&replay.shards, restored_header(), &replay.rebuilder, &replay.chosen, error);
        replay.count = replay.chosen.count;
    }
    if (status == PST_OK) {
        replay.batches = count_batches();
        status = replay.batches == 0 ? pst_fail(error, PST_BAD_DATA, "a recording without batches")
                                     : go_to_start(error);
    }
    if (status == PST_OK)
        status = pst_history_note("shuffle", json_boolean(asked.shuffle), error);
    /* Whether the history, an id and an epoch still say which input a sample had, augmented as it was. */
    bool traceable = asked.epochs == 1 && shards_keep_epochs(&replay.shards) &&
                     (!asked.shuffle || replay.shards.epochs == 1);
    if (status == PST_OK)
        status = pst_history_note("traceable", json_boolean(traceable), error);
    return status;
}

static enum pst_status start(size_t count, char **operands, struct pst_error *error)
{
    enum pst_status status = check_replay_wishes(error);
    if (status == PST_OK)
        status = shards_open(&replay.shards, count, operands, pst_link_options()->max_message, asked.skip_bad,
                             error);
    return status == PST_OK ? prepare(error) : status;
}

/* Whether the stream that comes out is the one that was recorded. */
static bool verbatim(void)
{
    return replay.restorer == NULL && !replay.by_sample && replay.shards.count == 1 && asked.epochs == 1 &&
           asked.start == 0 && replay.shards.left_out == 0 && asked.run == NULL;
}

static enum pst_status on_header(struct pst_header *header, struct pst_error *error)
{
    char run[sizeof header->run];
    memcpy(run, header->run, sizeof run);
    pst_header_free(header);
    enum pst_status status = pst_header_copy(header, restored_header(), error);
    if (status != PST_OK || verbatim())
        return status;
    memcpy(header->run, run, sizeof run);
    uint64_t epochs = asked.shuffle ? 1 : replay.shards.epochs;
    size_t all;
    header->samples = replay.count / epochs;
    header->epochs = epochs * asked.epochs;
    header->batches = pst_multiply(replay.batches, asked.epochs, &all) && all > 0 ? base() + all : 0;
    header->first = asked.start > 0 ? asked.start : base();
    return PST_OK;
}

static enum pst_status next_recorded(struct pst_batch *batch, struct origin *origins, struct pst_error *error)
{
    struct shard_batch found = shards_batch(&replay.shards, (size_t)replay.position);
    enum pst_status status = pst_recording_read(found.shard->recording, found.index, batch, error);
    for (size_t i = 0; origins != NULL && status == PST_OK && i < batch->n; i++)
        origins[i] =
            (struct origin){ .path = found.shard->path, .seq = batch->seq, .epoch = batch->epoch, .row = i };
    batch->epoch = found.recorded.epoch + replay.pass * replay.shards.epochs;
    replay.position++;
    return status;
}

/* Reads samples that stand one after another, and notes where they stood. */
static enum pst_status copy_samples(const struct shard_batch *found, uint64_t sample, size_t count,
                                    struct pst_batch *batch, size_t at, struct origin *origins,
                                    struct pst_error *error)
{
    struct pst_recorded plain = pst_recording_batch_at(found->shard->recording, found->index);
    uint64_t own = sample - found->shard->first_sample;
    for (size_t i = 0; origins != NULL && i < count; i++)
        origins[at + i] = (struct origin){ .path = found->shard->path,
                                           .seq = plain.seq,
                                           .epoch = plain.epoch,
                                           .row = (size_t)(own - plain.first) + i };
    return pst_recording_copy(found->shard->recording, own, count, batch, at, error);
}

static enum pst_status next_chosen(struct pst_batch *batch, size_t n, uint64_t epoch, struct origin *origins,
                                   struct pst_error *error)
{
    enum pst_status status = pst_batch_follow(batch, recorded_header(), error);
    if (status == PST_OK)
        status = pst_batch_resize(batch, recorded_header(), n, 0, error);
    batch->epoch = asked.shuffle ? replay.pass : epoch + replay.pass * replay.shards.epochs;
    bool in_row = !asked.shuffle && !chosen_only();
    for (size_t i = 0, count; i < n && status == PST_OK; i += count) {
        uint64_t sample = sample_at(replay.position + i);
        struct shard_batch found = shards_find(&replay.shards, sample);
        uint64_t rest = found.recorded.first + found.recorded.n - sample;
        count = !in_row ? 1 : rest < n - i ? (size_t)rest : n - i;
        status = copy_samples(&found, sample, count, batch, i, origins, error);
    }
    replay.position += n;
    return status;
}

/* The next batch as it is recorded. origins: receives where its samples stood. */
static enum pst_status next_compact(struct pst_batch *batch, struct origin **origins, struct pst_error *error)
{
    uint64_t epoch = 0;
    size_t n = replay.by_sample ? samples_from(replay.position, &epoch)
                                : shards_batch(&replay.shards, (size_t)replay.position).recorded.n;
    if (inputs_left_out()) {
        enum pst_status status = pst_buffer_reserve(&replay.origins, n * sizeof **origins, 0, error);
        if (status != PST_OK)
            return status;
        *origins = replay.origins.data;
    }
    return replay.by_sample ? next_chosen(batch, n, epoch, *origins, error)
                            : next_recorded(batch, *origins, error);
}

/* Restores what was read. A batch that was put together may be of several recordings; the first is named. */
static enum pst_status restore(struct pst_batch *batch, struct pst_error *error)
{
    enum pst_status status = pst_restorer_batch(replay.restorer, &replay.compact, batch, error);
    if (status == PST_OK)
        return PST_OK;
    if (replay.by_sample)
        return pst_fail_at(error, "%s%s", replay.shards.list[0].path,
                           replay.shards.count > 1 ? " or one after it" : "");
    struct shard_batch found = shards_batch(&replay.shards, (size_t)replay.position - 1);
    return pst_fail_at(error, "%s, batch %" PRIu64, found.shard->path, replay.compact.seq);
}

static enum pst_status next(struct pst_batch *batch, const struct pst_header *header, struct pst_error *error)
{
    if (replay.position >= (replay.by_sample ? replay.count : replay.batches))
        begin_pass(replay.pass + 1);
    if (asked.epochs > 0 && replay.pass >= asked.epochs)
        return PST_END;
    (void)header;
    struct origin *origins = NULL;
    enum pst_status status = next_compact(replay.restorer == NULL ? batch : &replay.compact, &origins, error);
    if (status == PST_OK && replay.restorer != NULL)
        status = restore(batch, error);
    if (status == PST_OK && inputs_left_out())
        status = rebuilder_fill(&replay.rebuilder, &replay.compact, origins, batch, error);
    return status;
}

static void stop(void)
{
    rebuilder_close(&replay.rebuilder);
    pst_restorer_free(replay.restorer);
    pst_header_free(&replay.restored);
    pst_batch_free(&replay.compact);
    pst_buffer_free(&replay.origins);
    shards_close(&replay.shards);
    pst_chosen_free(&replay.chosen);
}

const struct kind replay_kind = {
    .start = start,
    .on_header = on_header,
    .next = next,
    .verbatim = verbatim,
    .stop = stop,
};
