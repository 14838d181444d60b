/* Several recordings as one set; see shards.h. */
#include "stages/replay/shards.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- whether recordings fit together ---- */

static bool same_tensor(const struct pst_tensor_spec *a, const struct pst_tensor_spec *b)
{
    return strcmp(a->name, b->name) == 0 && a->dtype == b->dtype && a->rank == b->rank &&
           memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0 && a->scale == b->scale &&
           a->offset == b->offset;
}

static bool same_tensors(const struct pst_header *a, const struct pst_header *b)
{
    if (a->tensor_count != b->tensor_count || a->classes != b->classes)
        return false;
    for (size_t i = 0; i < a->tensor_count; i++) {
        if (!same_tensor(&a->tensors[i], &b->tensors[i]))
            return false;
    }
    return true;
}

/* Writes words for a known difference in how two tensors were made. Returns false if there is none. */
static bool differ(const struct pst_header *a, const struct pst_header *b, size_t i, char *words, size_t size)
{
    const struct pst_tensor_spec *one = &a->tensors[i], *other = &b->tensors[i];
    bool known = one->origin[0] != '\0' && other->origin[0] != '\0';
    if (known && strcmp(one->origin, other->origin) != 0)
        pst_lineage_difference(a->lineage, one->origin, b->lineage, other->origin, words, size);
    else if (one->temperature != other->temperature)
        snprintf(words, size, "T = %g here, T = %g there", one->temperature, other->temperature);
    else
        return false;
    return true;
}

/* Recordings are one set if they hold the same tensors, made in the same way. */
static enum pst_status check_fit(const struct shard *first, const struct shard *shard,
                                 struct pst_error *error)
{
    const struct pst_header *a = pst_recording_header(first->recording);
    const struct pst_header *b = pst_recording_header(shard->recording);
    char words[320];
    if (!same_tensors(a, b))
        return pst_fail(error, PST_BAD_DATA,
                        "%s and %s do not hold the same tensors, so they cannot be replayed as one set",
                        first->path, shard->path);
    for (size_t i = 0; i < a->tensor_count; i++) {
        if (differ(a, b, i, words, sizeof words))
            return pst_fail(error, PST_BAD_DATA, "%s and %s do not make one set, '%s' was made otherwise: %s",
                            first->path, shard->path, a->tensors[i].name, words);
    }
    return PST_OK;
}

/* The highest epoch of a recording: epochs count on over recordings, and no stream has more. */
#define MOST_EPOCHS ((uint64_t)1 << 40)

/* Epochs must not go down from batch to batch, because otherwise the epochs of a set could not be counted. */
static enum pst_status check_epochs(const struct shard *shard, struct pst_error *error)
{
    uint64_t last = 0;
    for (size_t i = 0; i < pst_recording_batches(shard->recording); i++) {
        struct pst_recorded batch = pst_recording_batch_at(shard->recording, i);
        if (batch.epoch < last || batch.epoch > MOST_EPOCHS)
            return pst_fail(error, PST_BAD_DATA,
                            "%s, batch %" PRIu64 ": epoch %" PRIu64 " after epoch %" PRIu64
                            "; epochs must go up, and not beyond %" PRIu64,
                            shard->path, batch.seq, batch.epoch, last, MOST_EPOCHS);
        last = batch.epoch;
    }
    return PST_OK;
}

/* ---- opening ---- */

/* The last recording that has batches, or NULL. */
static const struct shard *last_with_batches(const struct shards *shards)
{
    size_t i = shards->count;
    while (i > 0 && pst_recording_batches(shards->list[i - 1].recording) == 0)
        i--;
    return i > 0 ? &shards->list[i - 1] : NULL;
}

/* The set's epoch at which a recording with batches begins. If its first batch follows the last one of the
 * recording before, the epochs go on; otherwise a new epoch begins. */
static uint64_t first_epoch(const struct shards *shards, const struct shard *shard)
{
    const struct shard *before = last_with_batches(shards);
    struct pst_recorded next = pst_recording_batch_at(shard->recording, 0);
    if (before == NULL)
        return next.epoch;
    struct pst_recorded last =
        pst_recording_batch_at(before->recording, pst_recording_batches(before->recording) - 1);
    if (next.seq != last.seq + 1 || next.epoch < last.epoch)
        return shards->epochs;
    return before->first_epoch + next.epoch - pst_recording_batch_at(before->recording, 0).epoch;
}

static void append(struct shards *shards, struct shard *shard)
{
    const struct pst_recording *recording = shard->recording;
    size_t count = pst_recording_batches(recording);
    shard->first_sample = shards->samples;
    shard->first_batch = shards->batches;
    if (count > 0) {
        shard->first_epoch = first_epoch(shards, shard);
        shards->epochs = shard->first_epoch + pst_recording_batch_at(recording, count - 1).epoch -
                         pst_recording_batch_at(recording, 0).epoch + 1;
    }
    shards->samples += pst_recording_samples(recording);
    shards->batches += count;
    shards->left_out += pst_recording_left_out(recording);
    shards->count++;
}

enum pst_status shards_open(struct shards *shards, size_t count, char **paths, size_t max_message,
                            bool salvage, struct pst_error *error)
{
    shards->list = pst_allocate(count, sizeof *shards->list, error);
    if (shards->list == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < count; i++) {
        struct shard *shard = &shards->list[i];
        shard->path = paths[i];
        enum pst_status status = pst_recording_open(&shard->recording, paths[i], max_message, salvage, error);
        if (status == PST_OK)
            status = check_epochs(shard, error);
        if (status == PST_OK && i > 0)
            status = check_fit(&shards->list[0], shard, error);
        if (status != PST_OK) {
            pst_recording_close(shard->recording);
            return status;
        }
        append(shards, shard);
    }
    return PST_OK;
}

/* A header without the number of its first batch. Owned by the caller; NULL if memory is short. */
static json_t *header_of_all(const struct shard *shard)
{
    json_t *object = pst_header_to_json(pst_recording_header(shard->recording));
    json_object_del(object, "first");
    return object;
}

/* Whether a recording begins with this batch, and keeps its epochs in the set. */
static bool begins_with(const struct shard *shard, uint64_t seq)
{
    if (pst_recording_header(shard->recording)->first != seq)
        return false;
    if (pst_recording_batches(shard->recording) == 0)
        return true;
    struct pst_recorded first = pst_recording_batch_at(shard->recording, 0);
    return first.seq == seq && first.epoch == shard->first_epoch;
}

bool shards_are_one_stream(const struct shards *shards)
{
    json_t *first = header_of_all(&shards->list[0]);
    uint64_t due = pst_recording_header(shards->list[0].recording)->first;
    bool one = first != NULL;
    for (size_t i = 0; i < shards->count && one; i++) {
        json_t *header = header_of_all(&shards->list[i]);
        one = begins_with(&shards->list[i], due) && json_equal(first, header);
        due += pst_recording_batches(shards->list[i].recording);
        json_decref(header);
    }
    json_decref(first);
    return one;
}

/* The number of the batch that comes after a recording's last one. */
static uint64_t due_after(const struct shard *shard)
{
    return pst_recording_header(shard->recording)->first + pst_recording_batches(shard->recording);
}

/* Whether any recording begins where this one ends. */
static bool goes_on(const struct shards *shards, const struct shard *shard)
{
    for (size_t i = 0; i < shards->count; i++) {
        if (pst_recording_header(shards->list[i].recording)->first == due_after(shard))
            return true;
    }
    return false;
}

uint64_t shards_missing(const struct shards *shards)
{
    uint64_t missing = 0;
    for (size_t i = 0; i < shards->count; i++) {
        const struct shard *shard = &shards->list[i];
        uint64_t announced = pst_recording_header(shard->recording)->batches, due = due_after(shard);
        if (announced > due && !goes_on(shards, shard))
            missing += announced - due;
    }
    return missing;
}

void shards_keep(struct shards *shards, uint64_t bytes, bool in_order)
{
    double all = 0;
    for (size_t i = 0; i < shards->count; i++)
        all += (double)pst_recording_memory(shards->list[i].recording);
    for (size_t i = 0; i < shards->count; i++) {
        uint64_t its = pst_recording_memory(shards->list[i].recording);
        double share = (double)bytes / all;
        pst_recording_keep(shards->list[i].recording, share >= 1 ? its : (uint64_t)(share * (double)its),
                           in_order);
    }
}

void shards_close(struct shards *shards)
{
    for (size_t i = 0; i < shards->count; i++)
        pst_recording_close(shards->list[i].recording);
    free(shards->list);
    *shards = (struct shards){ 0 };
}

/* ---- finding ---- */

static struct shard_batch describe(struct shard *shard, size_t index)
{
    struct shard_batch batch = { .shard = shard,
                                 .index = index,
                                 .recorded = pst_recording_batch_at(shard->recording, index) };
    batch.recorded.epoch += shard->first_epoch - pst_recording_batch_at(shard->recording, 0).epoch;
    batch.recorded.first += shard->first_sample;
    return batch;
}

struct shard_batch shards_batch(const struct shards *shards, size_t batch)
{
    size_t i = shards->count - 1;
    while (shards->list[i].first_batch > batch || pst_recording_batches(shards->list[i].recording) == 0)
        i--;
    return describe(&shards->list[i], batch - shards->list[i].first_batch);
}

struct shard_batch shards_find(const struct shards *shards, uint64_t sample)
{
    size_t i = shards->count - 1;
    while (shards->list[i].first_sample > sample || pst_recording_batches(shards->list[i].recording) == 0)
        i--;
    struct shard *shard = &shards->list[i];
    return describe(shard, pst_recording_find(shard->recording, sample - shard->first_sample));
}
