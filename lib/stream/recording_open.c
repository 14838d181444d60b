/*
 * Opening a recording: its places come from the index in its trailer, or from a look at every message. With
 * salvage every batch is read, and what is damaged is left out.
 */
#include "lib/stream/recording.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* How the messages of a stream begin when they are written with the shortest heads. */
static const char batch_mark[] = "\x84\xa4kind\xa5"
                                 "batch\xa4meta";
static const char trailer_mark[] = "\x83\xa4kind\xa7trailer\xa4meta";

enum { MARK = sizeof batch_mark - 1, TRAILER_MARK = sizeof trailer_mark - 1 };

static enum pst_status bad(struct pst_error *error, const char *what)
{
    return pst_fail(error, PST_BAD_DATA, "%s", what);
}

/* ---- the trailer's index ----------------------------------------------------------------------------- */

/* The last place in bytes where the mark is; NULL where it is nowhere. */
static const char *find_last(const char *bytes, size_t size, const char *mark, size_t mark_size)
{
    for (size_t at = size; at >= mark_size; at--) {
        if (memcmp(bytes + at - mark_size, mark, mark_size) == 0)
            return bytes + at - mark_size;
    }
    return NULL;
}

/*
 * Looks for a trailer that ends where the file ends. It is found from behind, by its mark, and believed when
 * it has the right form and checksum; a stream written with other heads is simply scanned.
 * begin: receives where it begins. Returns PST_OK; PST_END where there is none; PST_IO_ERROR; PST_TRY_AGAIN.
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

/* Lists the batches of a run. */
static enum pst_status add_run(struct pst_recording *recording, const struct pst_index_run *run,
                               uint64_t *begin, uint64_t end, struct pst_error *error)
{
    if (run->samples > UINT32_MAX || run->count > (end - *begin) / run->bytes)
        return bad(error, "the index does not fit the file");
    struct pst_place place = { .begin = *begin, .epoch = run->epoch, .n = (uint32_t)run->samples };
    enum pst_status status = PST_OK;
    for (uint64_t i = 0; i < run->count && status == PST_OK; i++) {
        place.seq = recording->reader->header.first + recording->count;
        status = pst_recording_add(recording, &place, error);
        place.begin += run->bytes;
    }
    *begin = place.begin;
    return status;
}

/* Lists all batches by the index. trailer: where the trailer begins, which is at hand in the reader. */
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
        status = bad(error, "the index does not fit the file: its header has another length");
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
    uint64_t due = recording->reader->header.first + recording->count;
    if (message->end > recording->size)
        return pst_fail(error, PST_BAD_DATA, "truncated: the file ends within batch %" PRIu64, due);
    if (message->seq != due)
        return pst_fail(error, PST_BAD_DATA, "batch %" PRIu64 " stands where %" PRIu64 " is due",
                        message->seq, due);
    return pst_recording_add(recording,
                             &(struct pst_place){ .begin = message->begin,
                                                  .seq = message->seq,
                                                  .epoch = message->epoch,
                                                  .n = (uint32_t)message->n },
                             error);
}

static enum pst_status scan(struct pst_recording *recording, struct pst_error *error)
{
    struct pst_reader *reader = recording->reader;
    struct pst_skimmed message;
    enum pst_status status;
    pst_reader_goto(reader, recording->header_bytes, reader->header.first);
    while ((status = pst_reader_skim(reader, &message, error)) == PST_OK) {
        if (message.kind == PST_TRAILER_MESSAGE && message.end == recording->size)
            return PST_OK;
        if (message.kind != PST_BATCH_MESSAGE)
            status = bad(error, "a second header, or something behind the trailer; two streams in one file?");
        else
            status = add_skimmed(recording, &message, error);
        if (status != PST_OK)
            break;
    }
    if (status == PST_END)
        status = bad(error, "truncated: the recording ends without a trailer");
    pst_fail_at(error, "byte %" PRIu64, reader->source.offset);
    return status;
}

/* ---- salvage ----------------------------------------------------------------------------------------- */

/*
 * Goes to the next message that looks like a batch, behind a damaged place.
 * from: where to look from. Returns PST_OK with the reader there; PST_END where there is none; PST_IO_ERROR.
 */
static enum pst_status find_next(struct pst_recording *recording, uint64_t from, uint64_t *found,
                                 struct pst_error *error)
{
    enum { CHUNK = 1 << 16 };
    char bytes[CHUNK];
    for (uint64_t at = from; at + MARK <= recording->size;) {
        uint64_t left = recording->size - at;
        size_t size = left < CHUNK ? (size_t)left : CHUNK;
        enum pst_status status = pst_input_read_at(recording->reader->source.input, at, bytes, size, error);
        if (status != PST_OK)
            return status;
        for (size_t i = 0; i + MARK <= size; i++) {
            if (bytes[i] == batch_mark[0] && memcmp(bytes + i, batch_mark, MARK) == 0) {
                *found = at + i;
                return PST_OK;
            }
        }
        at += size - MARK + 1;
    }
    return PST_END;
}

/* Reads the message at hand as a batch. Returns PST_OK where it is whole and may follow what came before. */
static enum pst_status try_batch(struct pst_recording *recording, uint64_t begin, struct pst_error *error)
{
    struct pst_reader *reader = recording->reader;
    const struct pst_place *last = recording->count == 0 ? NULL : &recording->places[recording->count - 1];
    struct pst_skimmed message;
    pst_reader_goto(reader, begin, 0);
    enum pst_status status = pst_reader_skim(reader, &message, error);
    if (status != PST_OK)
        return status;
    if (message.kind != PST_BATCH_MESSAGE)
        return PST_END;
    uint64_t least = last == NULL ? reader->header.first : last->seq + 1;
    if (message.end > recording->size || message.seq < least)
        return bad(error, "not a batch that can follow");
    pst_reader_goto(reader, begin, message.seq);
    status = pst_reader_next(reader, &recording->whole, error);
    if (status != PST_OK)
        return status;
    recording->left_out += message.seq - least;
    status = pst_recording_add(
        recording,
        &(struct pst_place){
            .begin = begin, .seq = message.seq, .epoch = message.epoch, .n = (uint32_t)message.n },
        error);
    pst_source_goto(&reader->source, message.end);
    return status;
}

/* Lists the batches that are whole. What stands between them is left out. */
static enum pst_status salvage_all(struct pst_recording *recording, struct pst_error *error)
{
    uint64_t at = recording->header_bytes;
    for (;;) {
        struct pst_error ignored;
        enum pst_status status = try_batch(recording, at, &ignored);
        if (status == PST_OK) {
            at = recording->reader->source.offset;
            continue;
        }
        if (status != PST_BAD_DATA && status != PST_END) {
            *error = ignored;
            return status;
        }
        status = find_next(recording, at + 1, &at, error);
        if (status == PST_END)
            break;
        if (status != PST_OK)
            return status;
    }
    const struct pst_header *header = &recording->reader->header;
    uint64_t next = recording->count == 0 ? header->first : recording->places[recording->count - 1].seq + 1;
    if (header->batches > next)
        recording->left_out += header->batches - next;
    return PST_OK;
}

/* ---- opening ----------------------------------------------------------------------------------------- */

static enum pst_status list_batches(struct pst_recording *recording, bool salvage, struct pst_error *error)
{
    if (salvage)
        return salvage_all(recording, error);
    uint64_t trailer = 0;
    enum pst_status status = find_trailer(recording, &trailer, error);
    if (status == PST_OK)
        status = use_index(recording, trailer, error);
    return status == PST_END ? scan(recording, error) : status;
}

static enum pst_status prepare(struct pst_recording *recording, bool salvage, struct pst_error *error)
{
    struct pst_header header;
    if (!pst_input_size(recording->reader->source.input, &recording->size))
        return bad(error, "not a file: a recording is read at many places, which a pipe does not allow");
    enum pst_status status = pst_reader_header(recording->reader, &header, error);
    if (status != PST_OK)
        return status;
    pst_header_free(&header); /* the reader has its own */
    recording->header_bytes = recording->reader->source.offset;
    return list_batches(recording, salvage, error);
}

enum pst_status pst_recording_open(struct pst_recording **recording, const char *path, size_t max_message,
                                   bool salvage, struct pst_error *error)
{
    struct pst_input *input;
    struct pst_link_settings settings = pst_link_settings_default();
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
    if (strstr(error->message, path) == NULL)
        pst_fail_at(error, "%s", path);
    pst_recording_close(*recording);
    *recording = NULL;
    return status;
}
