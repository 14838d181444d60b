/*
 * Recordings as a source. Without other options they are replayed exactly as they were: the same batches in
 * the same order under the same epochs. Otherwise they are a set of samples, which are chosen, shuffled and
 * put into batches of another size. In both cases frames may be spliced.
 */
#include "stages/replay/choose.h"
#include "stages/replay/splice.h"

#include "pipestill/compact.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { USUAL_BATCH = 128 };

struct recorded {
    const struct selection_options *options; /* the stage's */
    size_t batch;                            /* samples in a batch, if batches are made anew */
    struct shards shards;
    bool by_sample; /* not in the recorded batches */
    struct recorded_choice choice;
    uint64_t count;   /* samples of one time through them */
    uint64_t batches; /* of one time through them */
    struct pst_permutation permutation;
    uint64_t pass, position; /* next: how many passes are done, and the sample or batch */
    /* Of recordings in a compact form; restorer is NULL for others. */
    struct pst_restorer *restorer;
    struct pst_buffer scratch;
    struct pst_header restored;
    struct pst_batch compact; /* as recorded, or made of recorded samples */
    /* Of frames that are spliced. */
    struct splice_span span;
    struct splice splice;
    struct pst_batch plain; /* not spliced yet */
};

static struct recorded *recorded_of(const struct pst_run *run)
{
    return ((const struct replay *)run->self)->source;
}

/* The header of the recordings. */
static const struct pst_header *recorded_header(const struct recorded *replay)
{
    return pst_recording_header(replay->shards.list[0].recording);
}

/* The header of the output before splicing. */
static const struct pst_header *restored_header(const struct recorded *replay)
{
    return replay->restorer == NULL ? recorded_header(replay) : &replay->restored;
}

static bool is_spliced(const struct recorded *replay)
{
    return replay->options->splice != NULL;
}

static bool chosen_only(const struct recorded *replay)
{
    return replay->choice.all.words != NULL;
}

static enum pst_status open_restorer(struct pst_run *run, struct pst_error *error)
{
    struct recorded *replay = recorded_of(run);
    const struct pst_header *header = recorded_header(replay);
    const char *path = replay->shards.list[0].path;
    if (!pst_compact_is(header))
        return PST_OK;
    enum pst_status status = pst_restorer_new(&replay->restorer, header, pst_link_options(run)->max_message,
                                              &replay->restored, error);
    if (status != PST_OK)
        return pst_fail_at(error, "%s", path);
    if (!pst_restorer_lacks_inputs(replay->restorer))
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA,
                    "%s: its inputs were left out; 'loader … | stream-join %s' brings its targets to them",
                    path, path);
}

/* ---- in which order ---- */

/* The number, in the whole set, of the sample at a position. */
static uint64_t sample_at(const struct recorded *replay, uint64_t position)
{
    bool special;
    if (replay->options->special != NULL) {
        uint64_t number = pst_special_at(&replay->choice.special, replay->pass, position, &special);
        return pst_chosen_at(&replay->choice.parts[special], number);
    }
    uint64_t number = replay->options->shuffle ? pst_permute(&replay->permutation, position) : position;
    return chosen_only(replay) ? pst_chosen_at(&replay->choice.all, number) : number;
}

static void begin_pass(struct recorded *replay, uint64_t pass)
{
    replay->pass = pass;
    replay->position = 0;
    if (replay->options->shuffle)
        pst_permutation_start(&replay->permutation, replay->count, replay->options->seed, pass);
}

/*
 * The number of samples in the batch that begins at a position. If shuffled, each pass through the set is an
 * epoch; otherwise a batch ends where a recorded epoch ends. epoch: receives the batch's epoch, counted
 * within one pass.
 */
static size_t samples_from(const struct recorded *replay, uint64_t position, uint64_t *epoch)
{
    uint64_t left = replay->count - position;
    size_t most = left < replay->batch ? (size_t)left : replay->batch;
    *epoch = 0;
    if (replay->options->shuffle)
        return most;
    size_t n = 0;
    while (n < most) {
        uint64_t sample = sample_at(replay, position + n);
        struct pst_recorded found = shards_find(&replay->shards, sample).recorded;
        if (n == 0)
            *epoch = found.epoch;
        if (found.epoch != *epoch)
            break;
        uint64_t rest = found.first + found.n - sample;
        n += chosen_only(replay) ? 1 : (size_t)rest;
    }
    return n < most ? n : most;
}

static uint64_t count_batches(const struct recorded *replay)
{
    if (!replay->by_sample)
        return replay->shards.batches;
    if (replay->options->shuffle)
        return (replay->count + replay->batch - 1) / replay->batch;
    uint64_t batches = 0, epoch;
    for (uint64_t position = 0; position < replay->count; batches++)
        position += samples_from(replay, position, &epoch);
    return batches;
}

/* The number of the first batch. A part of a recording keeps its own numbers. */
static uint64_t base(const struct recorded *replay)
{
    return replay->by_sample ? 0 : recorded_header(replay)->first;
}

/* Goes to batch number --start. */
static enum pst_status go_to_start(struct recorded *replay, struct pst_error *error)
{
    uint64_t start = replay->options->start, epochs = replay->options->epochs, first = base(replay);
    begin_pass(replay, 0);
    if (start == 0)
        return PST_OK;
    if (start < first || (epochs > 0 && start - first > replay->batches * epochs))
        return pst_fail(error, PST_USAGE,
                        "--start %" PRIu64 ": the stream has batches %" PRIu64 " to %" PRIu64, start, first,
                        first + replay->batches * epochs);
    uint64_t skip = (start - first) % replay->batches, epoch;
    begin_pass(replay, (start - first) / replay->batches);
    if (!replay->by_sample)
        replay->position = skip;
    else if (replay->options->shuffle)
        replay->position = skip * replay->batch;
    else
        for (; skip > 0; skip--)
            replay->position += samples_from(replay, replay->position, &epoch);
    return PST_OK;
}

/* ---- the stage ---- */

/* What this replay does to the recorded samples. */
static const char *effect_of(const struct recorded *replay)
{
    if (replay->options->shuffle)
        return "reorders";
    bool some = selects_samples(replay->options) || replay->options->start > 0 || replay->shards.left_out > 0;
    return some ? "selects" : "adds";
}

static enum pst_status prepare(struct pst_run *run, struct pst_error *error)
{
    struct recorded *replay = recorded_of(run);
    replay->count = replay->shards.samples;
    replay->by_sample = replay->batch > 0 || replay->options->shuffle || selects_samples(replay->options);
    if (replay->by_sample && replay->batch == 0)
        replay->batch = USUAL_BATCH;
    shards_keep(&replay->shards, replay->options->memory, !replay->options->shuffle && !is_spliced(replay));
    if (replay->shards.left_out > 0)
        pst_say(run, "left out: %" PRIu64 " damaged or missing batches", replay->shards.left_out);
    if (replay->count == 0)
        return pst_fail(error, PST_BAD_DATA, "%s: a recording without samples", replay->shards.list[0].path);
    enum pst_status status = open_restorer(run, error);
    if (status == PST_OK && is_spliced(replay))
        status = splice_open(&replay->splice, &replay->span, &replay->shards, restored_header(replay), error);
    if (status == PST_OK && selects_samples(replay->options)) {
        status = choose_recorded(replay->options, &replay->shards, restored_header(replay), &replay->choice,
                                 error);
        replay->count =
            replay->options->special != NULL ? replay->choice.special.count : replay->choice.all.count;
    }
    pst_set_effect(run, effect_of(replay));
    if (status == PST_OK) {
        replay->batches = count_batches(replay);
        status = replay->batches == 0 ? pst_fail(error, PST_BAD_DATA, "a recording without batches")
                                      : go_to_start(replay, error);
    }
    return status;
}

static enum pst_status start(struct pst_run *run, size_t count, char **paths, struct pst_error *error)
{
    struct recorded *replay = recorded_of(run);
    replay->options = &((const struct replay *)run->self)->options;
    replay->batch = replay->options->batch;
    enum pst_status status = check_selection_options(replay->options, error);
    if (status == PST_OK && is_spliced(replay))
        status = splice_parse(replay->options->splice, &replay->span, error);
    if (status == PST_OK)
        status = shards_open(&replay->shards, count, paths, pst_link_options(run)->max_message,
                             replay->options->skip_bad, error);
    return status == PST_OK ? prepare(run, error) : status;
}

/* Whether the output is the recorded stream. */
static bool is_verbatim(const struct recorded *replay)
{
    return replay->restorer == NULL && !replay->by_sample && !is_spliced(replay) &&
           shards_are_one_stream(&replay->shards) && replay->options->epochs == 1 &&
           replay->options->start == 0 && replay->shards.left_out == 0 && replay->options->run == NULL;
}

/* Whether the headers of all recordings have the same value for a key. */
static bool say_the_same(const struct shards *shards, const char *key)
{
    const struct pst_header *first = pst_recording_header(shards->list[0].recording);
    const json_t *said = json_object_get(first->other, key);
    for (size_t i = 1; i < shards->count; i++)
        if (!json_equal(said, json_object_get(pst_recording_header(shards->list[i].recording)->other, key)))
            return false;
    return true;
}

/* Makes `header` the output's header, with the recorded counts. */
static enum pst_status copy_header(struct pst_run *run, struct pst_header *header, struct pst_error *error)
{
    const struct recorded *replay = recorded_of(run);
    if (!is_spliced(replay))
        return pst_header_copy(header, restored_header(replay), error);
    enum pst_status status = pst_header_copy(header, &replay->splice.header, error);
    size_t x = replay->splice.x;
    return status == PST_OK && header->tensors[x].origin[0] == '\0' ? pst_made_from_unknown(run, x, error)
                                                                    : status;
}

/* Enters how often each class comes, compared with the data set. In the recording some classes may come more
 * often already. */
static enum pst_status tell_oversampling(const struct recorded *replay, struct pst_header *header,
                                         struct pst_error *error)
{
    const struct recorded_choice *choice = &replay->choice;
    const json_t *before = json_object_get(header->other, "class_oversampling");
    json_t *list = json_array();
    for (size_t i = 0; i < choice->classes; i++) {
        double recorded = before == NULL ? 1 : json_number_value(json_array_get(before, i));
        json_array_append_new(list,
                              json_real(recorded * pst_special_factor(&choice->special, choice->mask[i])));
    }
    if (header->other == NULL)
        header->other = json_object();
    return json_object_set_new(header->other, "class_oversampling", list) == 0
               ? PST_OK
               : pst_fail(error, PST_TRY_AGAIN, "out of memory for a header");
}

static enum pst_status on_header(struct pst_run *run, struct pst_header *header, struct pst_error *error)
{
    const struct recorded *replay = recorded_of(run);
    char name[sizeof header->run];
    memcpy(name, header->run, sizeof name);
    pst_header_free(header);
    enum pst_status status = copy_header(run, header, error);
    if (status == PST_OK && is_verbatim(replay))
        pst_verbatim(run);
    if (status != PST_OK || is_verbatim(replay))
        return status;
    uint64_t missing = replay->shards.left_out > 0 ? 0 : shards_missing(&replay->shards);
    if (missing > 0)
        pst_say(run, "%" PRIu64 " of the batches that the header announces are missing: it was cut short",
                missing);
    memcpy(header->run, name, sizeof name);
    uint64_t epochs = replay->options->shuffle ? 1 : replay->shards.epochs;
    size_t all;
    header->samples = replay->count / epochs;
    if (!say_the_same(&replay->shards, "class_oversampling"))
        json_object_del(header->other, "class_oversampling");
    if (selects_samples(replay->options) || replay->shards.left_out > 0 ||
        !say_the_same(&replay->shards, "class_counts"))
        json_object_del(header->other, "class_counts"); /* they were of other samples */
    if (replay->options->special != NULL && tell_oversampling(replay, header, error) != PST_OK)
        return PST_TRY_AGAIN;
    header->epochs = epochs * replay->options->epochs;
    header->batches =
        pst_multiply(replay->batches, replay->options->epochs, &all) && all > 0 ? base(replay) + all : 0;
    header->first = replay->options->start > 0 ? replay->options->start : base(replay);
    return PST_OK;
}

/* Makes room in a batch for n samples as they were recorded. */
static enum pst_status make_room(const struct recorded *replay, size_t n, struct pst_batch *batch,
                                 struct pst_error *error)
{
    enum pst_status status = pst_batch_follow(batch, recorded_header(replay), error);
    return status == PST_OK ? pst_batch_resize(batch, recorded_header(replay), n, 0, error) : status;
}

/* Reads a batch as it was recorded. For splicing it is copied from the batches that the recording keeps in
 * memory, because the neighbours of its frames are read from these, too. */
static enum pst_status read_batch(const struct recorded *replay, const struct shard_batch *found,
                                  struct pst_batch *batch, struct pst_error *error)
{
    if (!is_spliced(replay))
        return pst_recording_read(found->shard->recording, found->index, batch, error);
    enum pst_status status = make_room(replay, found->recorded.n, batch, error);
    batch->seq = found->recorded.seq;
    return status == PST_OK ? pst_recording_copy(found->shard->recording,
                                                 found->recorded.first - found->shard->first_sample,
                                                 found->recorded.n, batch, 0, error)
                            : status;
}

static enum pst_status next_batch(struct recorded *replay, struct pst_batch *batch, struct pst_error *error)
{
    struct shard_batch found = shards_batch(&replay->shards, (size_t)replay->position);
    enum pst_status status = read_batch(replay, &found, batch, error);
    batch->epoch = found.recorded.epoch + replay->pass * replay->shards.epochs;
    replay->position++;
    return status;
}

static enum pst_status next_chosen(struct recorded *replay, struct pst_batch *batch, struct pst_error *error)
{
    uint64_t epoch;
    size_t n = samples_from(replay, replay->position, &epoch);
    enum pst_status status = make_room(replay, n, batch, error);
    batch->epoch = replay->options->shuffle ? replay->pass : epoch + replay->pass * replay->shards.epochs;
    bool in_row = !replay->options->shuffle && !chosen_only(replay);
    for (size_t i = 0, count; i < n && status == PST_OK; i += count) {
        uint64_t sample = sample_at(replay, replay->position + i);
        struct shard_batch found = shards_find(&replay->shards, sample);
        uint64_t rest = found.recorded.first + found.recorded.n - sample;
        count = !in_row ? 1 : rest < n - i ? (size_t)rest : n - i;
        status = pst_recording_copy(found.shard->recording, sample - found.shard->first_sample, count, batch,
                                    i, error);
    }
    replay->position += n;
    return status;
}

/* Restores the batch that was read. Its samples may be of several recordings; messages name the first. */
static enum pst_status restore(struct recorded *replay, struct pst_batch *batch, struct pst_error *error)
{
    enum pst_status status =
        pst_restorer_batch(replay->restorer, &replay->compact, batch, &replay->scratch, error);
    if (status == PST_OK)
        return PST_OK;
    if (replay->by_sample)
        return pst_fail_at(error, "%s%s", replay->shards.list[0].path,
                           replay->shards.count > 1 ? " or one after it" : "");
    struct shard_batch found = shards_batch(&replay->shards, (size_t)replay->position - 1);
    return pst_fail_at(error, "%s, batch %" PRIu64, found.shard->path, replay->compact.seq);
}

/* Reads the next batch and restores it. */
static enum pst_status next_plain(struct recorded *replay, struct pst_batch *batch, struct pst_error *error)
{
    struct pst_batch *read = replay->restorer == NULL ? batch : &replay->compact;
    enum pst_status status =
        replay->by_sample ? next_chosen(replay, read, error) : next_batch(replay, read, error);
    return status == PST_OK && replay->restorer != NULL ? restore(replay, batch, error) : status;
}

/* first: the position, or the number of the batch, at which the plain batch began. */
static enum pst_status splice_batch(struct recorded *replay, uint64_t first, struct pst_batch *batch,
                                    struct pst_error *error)
{
    const struct splice *splice = &replay->splice;
    uint64_t sample = replay->by_sample ? 0 : shards_batch(&replay->shards, (size_t)first).recorded.first;
    enum pst_status status = pst_batch_derive(batch, &splice->header, &replay->plain, error);
    for (size_t i = 0; i < batch->n && status == PST_OK; i++) {
        char *x = (char *)batch->tensors[splice->x].data + i * splice->header.tensors[splice->x].sample_bytes;
        uint64_t number = replay->by_sample ? sample_at(replay, first + i) : sample + i;
        status = splice_sample(splice, &replay->shards, number, x, error);
    }
    return status;
}

static enum pst_status next(struct pst_run *run, struct pst_batch *batch, struct pst_error *error)
{
    struct recorded *replay = recorded_of(run);
    if (replay->position >= (replay->by_sample ? replay->count : replay->batches))
        begin_pass(replay, replay->pass + 1);
    if (replay->options->epochs > 0 && replay->pass >= replay->options->epochs)
        return PST_END;
    uint64_t first = replay->position;
    if (!is_spliced(replay))
        return next_plain(replay, batch, error);
    enum pst_status status = next_plain(replay, &replay->plain, error);
    return status == PST_OK ? splice_batch(replay, first, batch, error) : status;
}

static void stop(struct pst_run *run)
{
    struct recorded *replay = recorded_of(run);
    pst_restorer_free(replay->restorer);
    pst_buffer_free(&replay->scratch);
    pst_header_free(&replay->restored);
    pst_batch_free(&replay->compact);
    splice_free(&replay->splice);
    pst_batch_free(&replay->plain);
    shards_close(&replay->shards);
    free_choice(&replay->choice);
}

const struct way recorded_way = {
    .size = sizeof(struct recorded),
    .start = start,
    .on_header = on_header,
    .next = next,
    .stop = stop,
};
