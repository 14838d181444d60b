/*
 * Recorded frames with the frames before and after them. Neighbours are found by id, so recordings may hold
 * samples in any order, and several recordings parts of one utterance.
 */
#include "stages/replay/splice.h"

#include "pipestill/speech.h"
#include "pipestill/view.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct splice_frame {
    uint64_t id, sample;
};

enum pst_status splice_parse(const char *text, struct splice_span *span, struct pst_error *error)
{
    if (pst_parse_splice(text, &span->before, &span->after))
        return PST_OK;
    return pst_fail(error, PST_USAGE, "--splice: '%.60s' is not BEFORE,AFTER, two numbers up to %d", text,
                    PST_MAX_SPLICE);
}

/* ---- the header -------------------------------------------------------------------------------------- */

/* Whether an entry of the lineage is for plain frames made by loader. */
static bool is_loaded(const json_t *entry)
{
    const char *stage = json_string_value(json_object_get(entry, "stage"));
    const char *makes = json_string_value(json_object_get(entry, "makes"));
    return stage != NULL && strcmp(stage, "loader") == 0 && makes != NULL && strcmp(makes, "x") == 0 &&
           json_object_get(entry, "splice") == NULL;
}

/* Enters in the header how x is spliced, as loader does. */
static enum pst_status note_splice(struct splice *splice, struct pst_error *error)
{
    struct pst_header *header = &splice->header;
    if (header->other == NULL)
        header->other = json_object();
    const json_t *said = json_object_get(header->other, "inputs");
    json_t *inputs = said == NULL ? json_object() : json_copy((json_t *)(uintptr_t)said);
    json_t *pair = json_pack("[I, I]", (json_int_t)splice->span.before, (json_int_t)splice->span.after);
    json_object_set_new(inputs, "splice", pair);
    return json_object_set_new(header->other, "inputs", inputs) == 0
               ? PST_OK
               : pst_fail(error, PST_TRY_AGAIN, "out of memory for a header");
}

/* The digest of a header's inputs, as loader enters it. Returns false if memory is short. */
static bool digest_inputs(const struct pst_header *header, char digest[PST_DIGEST_TEXT])
{
    char *text = json_dumps(json_object_get(header->other, "inputs"), JSON_COMPACT | JSON_SORT_KEYS);
    if (text != NULL)
        pst_digest(text, strlen(text), digest);
    free(text);
    return text != NULL;
}

/*
 * Sets the origin of the spliced x. Frames of loader become, bit for bit, what loader itself splices, so
 * they get the same origin; but not if samples are known to be missing, because an utterance may then end
 * too early. Without a known origin of x there is none.
 */
static enum pst_status set_origin(struct splice *splice, const struct shards *shards, const char *plain,
                                  struct pst_error *error)
{
    struct pst_header *header = &splice->header;
    char text[32], digest[PST_DIGEST_TEXT];
    const json_t *made = json_object_get(header->lineage, plain);
    bool whole = shards->left_out == 0 && shards_missing(shards) == 0;
    if (plain[0] == '\0')
        return PST_OK;
    snprintf(text, sizeof text, "%zu,%zu", splice->span.before, splice->span.after);
    json_t *entry;
    if (whole && is_loaded(made) && digest_inputs(header, digest)) {
        entry = json_copy((json_t *)(uintptr_t)made);
        json_object_set_new(entry, "inputs", json_string(digest));
    } else {
        entry = json_pack("{s:s, s:s, s:[s]}", "stage", "replay", "makes", "x", "from", plain);
    }
    json_object_set_new(entry, "splice", json_string(text));
    return pst_lineage_enter(header, entry, header->tensors[splice->x].origin, error);
}

/* Everything except x passes on. */
static enum pst_status make_header(struct splice *splice, const struct shards *shards,
                                   const struct pst_header *plain, struct pst_error *error)
{
    enum pst_status status = pst_header_copy(&splice->header, plain, error);
    if (status != PST_OK)
        return status;
    status = note_splice(splice, error);
    splice->header.tensor_count = 0;
    for (size_t i = 0; i < plain->tensor_count && status == PST_OK; i++) {
        struct pst_tensor_spec spec = plain->tensors[i];
        if (strcmp(spec.name, "x") != 0) {
            status = pst_header_pass_tensor(&splice->header, &spec, i, NULL, error);
            continue;
        }
        spec.shape[1] = spec.shape[0];
        spec.shape[0] = splice->span.before + 1 + splice->span.after;
        spec.rank = 2;
        spec.origin[0] = '\0';
        status = pst_header_add_tensor(&splice->header, &spec, &splice->x, error);
        if (status == PST_OK)
            status = set_origin(splice, shards, plain->tensors[i].origin, error);
    }
    return status;
}

/* ---- what can be spliced ------------------------------------------------------------------------------ */

/* Checks that the recordings hold frames that can be found by id. id: receives its place. */
static enum pst_status check_tensors(struct splice *splice, const struct shards *shards, size_t *id,
                                     struct pst_error *error)
{
    const char *path = shards->list[0].path;
    const struct pst_header *header = pst_recording_header(shards->list[0].recording);
    char text[128];
    size_t x = pst_header_find(header, "x");
    *id = pst_header_find(header, "id");
    if (x == PST_NONE || *id == PST_NONE)
        return pst_fail(error, PST_BAD_DATA, "%s: the recording has no '%s', which --splice needs", path,
                        x == PST_NONE ? "x" : "id");
    const struct pst_tensor_spec *spec = &header->tensors[x];
    if (spec->rank != 1 || (spec->dtype != PST_DTYPE_F32 && spec->dtype != PST_DTYPE_F16))
        return pst_fail(error, PST_BAD_DATA, "%s: 'x' is %s, but --splice takes plain frames, f32 [N]", path,
                        pst_spec_text(spec, text, sizeof text));
    if (json_object_get(json_object_get(header->lineage, spec->origin), "speed") != NULL)
        return pst_fail(
            error, PST_BAD_DATA,
            "%s: its utterances were played faster or slower (--speed), so recorded frames are not "
            "each other's neighbours; record what loader itself splices",
            path);
    splice->recorded_x = x;
    splice->bytes = spec->sample_bytes;
    return PST_OK;
}

static uint64_t utterance_of(uint64_t id)
{
    return id >> PST_FRAME_BITS;
}

static uint64_t frame_of(uint64_t id)
{
    return id & (PST_MAX_FRAMES - 1);
}

/* Fails: an utterance lacks a frame, or has it twice. due: the id expected in place of `frame`. */
static enum pst_status fail_frame(const struct shards *shards, const struct splice_frame *frame, uint64_t due,
                                  struct pst_error *error)
{
    struct shard_batch found = shards_find(shards, frame->sample);
    if (frame->id < due)
        return pst_fail(error, PST_BAD_DATA,
                        "%s: epoch %" PRIu64 " has frame %" PRIu64 " of utterance %" PRIu64
                        " twice, so --splice cannot tell its neighbours",
                        found.shard->path, found.recorded.epoch, frame_of(frame->id),
                        utterance_of(frame->id));
    return pst_fail(
        error, PST_BAD_DATA,
        "%s: epoch %" PRIu64 " has frame %" PRIu64 " of utterance %" PRIu64 ", but not frame %" PRIu64
        ", so --splice lacks a neighbour; record whole utterances, and choose when they are "
        "replayed",
        found.shard->path, found.recorded.epoch, frame_of(frame->id), utterance_of(frame->id), frame_of(due));
}

/* ---- the index ---------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    uint64_t one = ((const struct splice_frame *)a)->id, other = ((const struct splice_frame *)b)->id;
    return one < other ? -1 : one > other;
}

static void sort(struct splice_frame *frames, size_t count)
{
    size_t i = 1;
    while (i < count && frames[i - 1].id < frames[i].id)
        i++;
    if (i < count)
        qsort(frames, count, sizeof *frames, compare);
}

/* Sorts the frames of one epoch, and checks that its utterances are whole. */
static enum pst_status settle_epoch(const struct splice *splice, const struct shards *shards, size_t first,
                                    size_t end, struct pst_error *error)
{
    struct splice_frame *frames = splice->frames;
    sort(frames + first, end - first);
    for (size_t i = first; i < end; i++) {
        bool begins = i == first || utterance_of(frames[i].id) != utterance_of(frames[i - 1].id);
        uint64_t due = begins ? frames[i].id - frame_of(frames[i].id) : frames[i - 1].id + 1;
        if (frames[i].id != due)
            return fail_frame(shards, &frames[i], due, error);
        splice->place[frames[i].sample] = i;
    }
    return PST_OK;
}

/* ids: has room for those of a batch. */
static enum pst_status read_ids(const struct splice *splice, const struct shard_batch *batch, size_t id,
                                struct pst_buffer *ids, struct pst_error *error)
{
    size_t n = batch->recorded.n, first = (size_t)batch->recorded.first;
    enum pst_status status = pst_buffer_reserve(ids, n * sizeof(uint64_t), 0, error);
    if (status == PST_OK)
        status = pst_recording_copy_tensor(batch->shard->recording, id, first - batch->shard->first_sample, n,
                                           ids->data, error);
    for (size_t i = 0; i < n && status == PST_OK; i++)
        splice->frames[first + i] =
            (struct splice_frame){ .id = ((const uint64_t *)ids->data)[i], .sample = first + i };
    return status;
}

/* Epochs do not go down from batch to batch of the set, so the frames of each epoch stand together. */
static enum pst_status make_index(const struct splice *splice, const struct shards *shards, size_t id,
                                  struct pst_error *error)
{
    struct pst_buffer ids = { 0 };
    enum pst_status status = PST_OK;
    size_t first = 0, end = 0;
    uint64_t epoch = 0;
    for (size_t i = 0; i < shards->batches && status == PST_OK; i++) {
        struct shard_batch batch = shards_batch(shards, i);
        if (batch.recorded.epoch != epoch) {
            status = settle_epoch(splice, shards, first, end, error);
            first = end;
            epoch = batch.recorded.epoch;
        }
        end = (size_t)batch.recorded.first + batch.recorded.n;
        if (status == PST_OK)
            status = read_ids(splice, &batch, id, &ids, error);
    }
    pst_buffer_free(&ids);
    return status == PST_OK ? settle_epoch(splice, shards, first, end, error) : status;
}

enum pst_status splice_open(struct splice *splice, const struct splice_span *span,
                            const struct shards *shards, const struct pst_header *plain,
                            struct pst_error *error)
{
    size_t id;
    *splice = (struct splice){ .span = *span, .samples = shards->samples };
    enum pst_status status = check_tensors(splice, shards, &id, error);
    if (status == PST_OK)
        status = make_header(splice, shards, plain, error);
    if (status != PST_OK)
        return status;
    splice->frames = pst_allocate((size_t)splice->samples, sizeof *splice->frames, error);
    splice->place = pst_allocate((size_t)splice->samples, sizeof *splice->place, error);
    return splice->frames == NULL || splice->place == NULL ? PST_TRY_AGAIN
                                                           : make_index(splice, shards, id, error);
}

void splice_free(struct splice *splice)
{
    free(splice->frames);
    free(splice->place);
    pst_header_free(&splice->header);
    *splice = (struct splice){ 0 };
}

/* ---- samples ------------------------------------------------------------------------------------------ */

/* How many frames from a place on are samples that follow each other in one batch; at most `most`. */
static size_t stretch_from(const struct splice *splice, const struct shard_batch *batch, uint64_t place,
                           size_t most)
{
    uint64_t sample = splice->frames[place].sample, rest = batch->recorded.first + batch->recorded.n - sample;
    size_t count = 1;
    while (count < most && count < rest && splice->frames[place + count].sample == sample + count)
        count++;
    return count;
}

/* Reads frames that stand one after another in an utterance. */
static enum pst_status read_frames(const struct splice *splice, const struct shards *shards, uint64_t place,
                                   size_t count, char *x, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t i = 0, n; i < count && status == PST_OK; i += n) {
        uint64_t sample = splice->frames[place + i].sample;
        struct shard_batch batch = shards_find(shards, sample);
        n = stretch_from(splice, &batch, place + i, count - i);
        status =
            pst_recording_copy_tensor(batch.shard->recording, splice->recorded_x,
                                      sample - batch.shard->first_sample, n, x + i * splice->bytes, error);
    }
    return status;
}

/* An utterance's frames are numbered from 0 without gaps, so only its end must be searched. */
enum pst_status splice_sample(const struct splice *splice, const struct shards *shards, uint64_t sample,
                              void *x, struct pst_error *error)
{
    const struct splice_frame *frames = splice->frames;
    uint64_t place = splice->place[sample], id = frames[place].id;
    size_t all = splice->span.before + 1 + splice->span.after, bytes = splice->bytes, after = 0;
    size_t before = frame_of(id) < splice->span.before ? (size_t)frame_of(id) : splice->span.before;
    while (after < splice->span.after && place + after + 1 < splice->samples &&
           frames[place + after + 1].id == id + after + 1)
        after++;
    char *rows = x, *first = rows + (splice->span.before - before) * bytes;
    size_t count = before + 1 + after;
    enum pst_status status = read_frames(splice, shards, place - before, count, first, error);
    for (char *row = rows; row < first && status == PST_OK; row += bytes)
        memcpy(row, first, bytes);
    const char *last = first + (count - 1) * bytes;
    for (char *row = first + count * bytes; row < rows + all * bytes && status == PST_OK; row += bytes)
        memcpy(row, last, bytes);
    return status;
}
