/*
 * Recordings: streams in files. The places of batches, as runs of batches that are alike, come from the
 * index in the trailer, or from a scan of every message if there is none.
 */
#include "lib/stream/recording.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- runs of batches ---------------------------------------------------------------------------------- */

static bool goes_on(const struct pst_recording *recording, const struct pst_run *run)
{
    if (recording->run_count == 0)
        return false;
    const struct pst_run *last = &recording->runs[recording->run_count - 1];
    uint64_t length = recording->count - last->first;
    return run->bytes == last->bytes && run->n == last->n && run->epoch == last->epoch &&
           run->begin == last->begin + length * last->bytes && run->seq == last->seq + length;
}

enum pst_status pst_recording_add(struct pst_recording *recording, const struct pst_run *run, uint64_t count,
                                  struct pst_error *error)
{
    size_t samples;
    if (!pst_multiply(count, run->n, &samples) || samples > UINT64_MAX / 2 - recording->samples)
        return pst_fail(error, PST_BAD_DATA, "more samples than can be counted");
    if (!goes_on(recording, run)) {
        struct pst_run *grown =
            pst_grown(recording->runs, &recording->room, recording->run_count, sizeof *grown, error);
        if (grown == NULL)
            return PST_TRY_AGAIN;
        recording->runs = grown;
        struct pst_run *added = &recording->runs[recording->run_count++];
        *added = *run;
        added->first = recording->count;
        added->sample = recording->samples;
        added->data = 0;
    }
    recording->count += count;
    recording->samples += samples;
    return PST_OK;
}

enum pst_status pst_recording_add_batch(struct pst_recording *recording, const struct pst_skimmed *message,
                                        struct pst_error *error)
{
    if (message->n > UINT32_MAX)
        return pst_fail(error, PST_BAD_DATA, "a batch of %llu samples: in a recording it has at most %llu",
                        (unsigned long long)message->n, (unsigned long long)UINT32_MAX);
    return pst_recording_add(recording,
                             &(struct pst_run){ .begin = message->begin,
                                                .bytes = message->end - message->begin,
                                                .seq = message->seq,
                                                .epoch = message->epoch,
                                                .n = (uint32_t)message->n },
                             1, error);
}

size_t pst_recording_run_length(const struct pst_recording *recording, size_t run)
{
    size_t next = run + 1 < recording->run_count ? recording->runs[run + 1].first : recording->count;
    return next - recording->runs[run].first;
}

uint64_t pst_recording_due(const struct pst_recording *recording)
{
    if (recording->run_count == 0)
        return recording->reader->header.first;
    size_t last = recording->run_count - 1;
    return recording->runs[last].seq + pst_recording_run_length(recording, last);
}

struct pst_run *pst_recording_run(const struct pst_recording *recording, uint64_t number, bool by_sample)
{
    size_t low = 0, high = recording->run_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        const struct pst_run *run = &recording->runs[middle];
        if ((by_sample ? run->sample : run->first) <= number)
            low = middle;
        else
            high = middle;
    }
    return &recording->runs[low];
}

uint64_t pst_recording_begin(const struct pst_recording *recording, size_t index)
{
    const struct pst_run *run = pst_recording_run(recording, index, false);
    return run->begin + (index - run->first) * run->bytes;
}

struct pst_recorded pst_recording_batch_at(const struct pst_recording *recording, size_t index)
{
    const struct pst_run *run = pst_recording_run(recording, index, false);
    uint64_t within = index - run->first;
    return (struct pst_recorded){
        .seq = run->seq + within, .epoch = run->epoch, .first = run->sample + within * run->n, .n = run->n
    };
}

size_t pst_recording_find(const struct pst_recording *recording, uint64_t sample)
{
    const struct pst_run *run = pst_recording_run(recording, sample, true);
    return run->first + (size_t)((sample - run->sample) / run->n);
}

/* ---- the trailer's index ----------------------------------------------------------------------------- */

/*
 * The first bytes of a trailer, and the fewest bytes of a batch, if they are written with the shortest
 * heads.
 */
static const char trailer_mark[] = "\x83\xa4kind\xa7trailer\xa4meta";

enum { TRAILER_MARK = sizeof trailer_mark - 1, LEAST_BATCH = 40 };

static enum pst_status bad(struct pst_error *error, const char *what)
{
    return pst_fail(error, PST_BAD_DATA, "%s", what);
}

/* The last place of the mark in bytes; NULL if there is none. */
static const char *find_last(const char *bytes, size_t size, const char *mark, size_t mark_size)
{
    for (size_t at = size; at >= mark_size; at--) {
        if (memcmp(bytes + at - mark_size, mark, mark_size) == 0)
            return bytes + at - mark_size;
    }
    return NULL;
}

/*
 * Looks for a trailer that ends where the file ends. Searches backwards for its mark, and checks its form
 * and checksum. A trailer with other heads is not found, so the recording is scanned.
 * begin: receives where it begins. Returns PST_OK; PST_END if there is none; PST_IO_ERROR; PST_TRY_AGAIN.
 */
static enum pst_status find_trailer(struct pst_recording *recording, uint64_t *begin, struct pst_error *error)
{
    struct pst_reader *reader = recording->reader;
    uint64_t room = PST_MAX_META + 64;
    size_t size = (size_t)(recording->size < room ? recording->size : room);
    char *tail = malloc(size);
    if (tail == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a trailer");
    enum pst_status status =
        pst_input_read_at(reader->source.input, recording->size - size, tail, size, error);
    const char *found = status == PST_OK ? find_last(tail, size, trailer_mark, TRAILER_MARK) : NULL;
    *begin = found == NULL ? 0 : recording->size - size + (uint64_t)(found - tail);
    free(tail);
    if (found == NULL)
        return status == PST_OK ? PST_END : status;
    struct pst_skimmed message;
    struct pst_error ignored;
    pst_reader_goto(reader, *begin, 0);
    status = pst_reader_skim(reader, &message, &ignored);
    return status == PST_OK && message.end == recording->size ? PST_OK : PST_END;
}

/* Whether the batches of a run have enough bytes for their samples. */
static bool is_long_enough(const struct pst_header *header, const struct pst_index_run *run)
{
    size_t least = LEAST_BATCH, bytes = 0;
    for (size_t i = 0; i < header->tensor_count && least <= run->bytes; i++) {
        if (!pst_multiply(run->samples, header->tensors[i].sample_bytes, &bytes))
            return false;
        least += header->encoding == PST_PLAIN ? bytes : pst_zstd_least(bytes);
    }
    return run->bytes >= least;
}

/* Lists the batches of a run. begin: where the run begins; receives where it ends. end: of all batches. */
static enum pst_status add_run(struct pst_recording *recording, const struct pst_index_run *run,
                               uint64_t *begin, uint64_t end, struct pst_error *error)
{
    if (run->samples > UINT32_MAX || !is_long_enough(&recording->reader->header, run) || *begin > end ||
        run->count > (end - *begin) / run->bytes)
        return bad(error, "the index does not fit the file; stream-repair makes a new one");
    struct pst_run added = { .begin = *begin,
                             .bytes = run->bytes,
                             .seq = pst_recording_due(recording),
                             .epoch = run->epoch,
                             .n = (uint32_t)run->samples };
    *begin += run->count * run->bytes;
    return pst_recording_add(recording, &added, run->count, error);
}

/* Lists all batches by the index. trailer: where it begins; the reader has just read it. */
static enum pst_status use_index(struct pst_recording *recording, uint64_t trailer, struct pst_error *error)
{
    struct pst_reader *reader = recording->reader;
    struct pst_index index;
    enum pst_status status = pst_index_take(&index, reader->envelope.meta.data, reader->envelope.meta_size,
                                            reader->header.run, error);
    if (status != PST_OK)
        return status;
    uint64_t at = recording->header_bytes;
    if (index.header_bytes != recording->header_bytes)
        status = bad(
            error,
            "the index does not fit the file: its header has another length; stream-repair makes a new one");
    for (size_t i = 0; i < index.run_count && status == PST_OK; i++)
        status = add_run(recording, &index.runs[i], &at, trailer, error);
    if (status == PST_OK && at != trailer)
        status = pst_fail(error, PST_BAD_DATA,
                          "the index ends at byte %" PRIu64 ", but the trailer begins at byte %" PRIu64
                          "; two streams in one file?",
                          at, trailer);
    pst_index_free(&index);
    return status;
}

/* ---- a look at every message ------------------------------------------------------------------------- */

static enum pst_status add_skimmed(struct pst_recording *recording, const struct pst_skimmed *message,
                                   struct pst_error *error)
{
    uint64_t due = pst_recording_due(recording);
    if (message->end > recording->size)
        return bad(error, "truncated: the file ends within it");
    if (message->seq != due)
        return pst_fail(error, PST_BAD_DATA, "batch %" PRIu64 " stands here", message->seq);
    return pst_recording_add_batch(recording, message, error);
}

/* Adds the place to an error that ended a scan and, if stream-repair can help, the command. */
static enum pst_status fail_scan(const struct pst_recording *recording, uint64_t begin, bool mendable,
                                 struct pst_error *error)
{
    const char *path = recording->reader->source.input->name;
    char what[sizeof error->message];
    memcpy(what, error->message, sizeof what);
    return pst_fail(error, error->status, "byte %" PRIu64 ", batch %" PRIu64 ": %.200s%s%s%s", begin,
                    pst_recording_due(recording), what, mendable ? "; 'stream-repair " : "",
                    mendable ? path : "", mendable ? "' keeps all batches that are whole" : "");
}

static enum pst_status scan(struct pst_recording *recording, struct pst_error *error)
{
    struct pst_reader *reader = recording->reader;
    struct pst_skimmed message;
    uint64_t begin = recording->header_bytes;
    enum pst_status status = PST_OK;
    pst_reader_goto(reader, begin, reader->header.first);
    while (status == PST_OK && (status = pst_reader_skim(reader, &message, error)) == PST_OK) {
        if (message.kind == PST_TRAILER_MESSAGE && message.end == recording->size)
            return PST_OK;
        if (message.kind != PST_BATCH_MESSAGE) {
            bad(error, "a second header, or something behind the trailer; two streams in one file?");
            return fail_scan(recording, begin, false, error);
        }
        status = add_skimmed(recording, &message, error);
        if (status == PST_OK)
            begin = message.end;
    }
    if (status == PST_END)
        status = bad(error, "truncated: the recording ends without a trailer");
    return status == PST_BAD_DATA
               ? fail_scan(recording, begin, !reader->beyond_limit && !reader->of_another_run, error)
               : status;
}

/* ---- opening ----------------------------------------------------------------------------------------- */

/* Takes the sums of the trailer that the reader has just read, and compares what is known already. */
static enum pst_status take_sums(struct pst_recording *recording, struct pst_error *error)
{
    struct pst_trailer *said = &recording->said;
    const struct pst_envelope *trailer = &recording->reader->envelope;
    if (!pst_trailer_take(trailer->meta.data, trailer->meta_size, said))
        return bad(
            error,
            "the trailer's metadata lacks batches, samples or a checksum, or one of them is not a number");
    struct pst_trailer counted = *said;
    counted.batches = recording->count;
    counted.samples = recording->samples;
    return pst_trailer_check(said, &counted, error);
}

static enum pst_status list_batches(struct pst_recording *recording, bool salvage, struct pst_error *error)
{
    if (salvage)
        return pst_recording_salvage(recording, error);
    uint64_t trailer = 0;
    enum pst_status status = find_trailer(recording, &trailer, error);
    if (status == PST_OK)
        status = use_index(recording, trailer, error);
    if (status == PST_END)
        status = scan(recording, error);
    return status == PST_OK ? take_sums(recording, error) : status;
}

static enum pst_status not_a_file(const char *name, struct pst_error *error)
{
    return pst_fail(error, PST_BAD_DATA,
                    "%s: not a file: a recording is read at many places, which a pipe does not allow; "
                    "write it to a file first",
                    name);
}

static enum pst_status prepare(struct pst_recording *recording, bool salvage, struct pst_error *error)
{
    struct pst_header header;
    if (!pst_input_size(recording->reader->source.input, &recording->size))
        return not_a_file(recording->reader->source.input->name, error);
    enum pst_status status = pst_reader_header(recording->reader, &header, error);
    if (status != PST_OK)
        return status;
    pst_header_free(&header); /* the reader has its own */
    recording->header_bytes = recording->reader->source.offset;
    status = list_batches(recording, salvage, error);
    if (status == PST_BAD_DATA)
        return pst_fail_at(error, "%s", recording->reader->source.input->name);
    if (status != PST_OK)
        return status;
    recording->budget = PST_RECORDING_MEMORY;
    recording->seen = pst_allocate(recording->count / 64 + 1, sizeof *recording->seen, error);
    recording->laid_out = pst_allocate(recording->count / 64 + 1, sizeof *recording->laid_out, error);
    return recording->seen == NULL || recording->laid_out == NULL ? PST_TRY_AGAIN : PST_OK;
}

enum pst_status pst_recording_open(struct pst_recording **recording, const char *path, size_t max_message,
                                   bool salvage, struct pst_error *error)
{
    struct pst_input *input;
    struct pst_link_settings settings = pst_link_settings_default();
    struct stat named;
    if (stat(path, &named) == 0 && S_ISFIFO(named.st_mode)) /* opening it would wait for its writer */
        return not_a_file(path, error);
    enum pst_status status = pst_input_open(&input, path, &settings, error);
    if (status != PST_OK)
        return status;
    *recording = calloc(1, sizeof **recording);
    if (*recording == NULL) {
        pst_input_close(input);
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a recording");
    }
    status = pst_reader_new(&(*recording)->reader, input, max_message, error);
    if (status == PST_OK)
        status = prepare(*recording, salvage, error);
    if (status == PST_OK)
        return PST_OK;
    pst_recording_close(*recording);
    *recording = NULL;
    return status;
}

const struct pst_header *pst_recording_header(const struct pst_recording *recording)
{
    return &recording->reader->header;
}

size_t pst_recording_batches(const struct pst_recording *recording)
{
    return recording->count;
}

uint64_t pst_recording_left_out(const struct pst_recording *recording)
{
    return recording->left_out;
}

uint64_t pst_recording_samples(const struct pst_recording *recording)
{
    return recording->samples;
}

void pst_recording_close(struct pst_recording *recording)
{
    if (recording == NULL)
        return;
    pst_reader_free(recording->reader);
    pst_batch_free(&recording->whole);
    for (size_t i = 0; i < recording->kept_count; i++)
        pst_batch_free(&recording->kept[i].batch);
    free(recording->kept);
    free(recording->seen);
    free(recording->laid_out);
    free(recording->runs);
    free(recording);
}
