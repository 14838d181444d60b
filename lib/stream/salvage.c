/*
 * What is whole of a recording that was cut short or damaged. Every message is read; where one is not whole,
 * the next is looked for by how a message begins.
 */
#include "lib/stream/recording.h"

#include <inttypes.h>
#include <string.h>

/* Every message is a map of three or four pairs that begins with the key "kind". */
static const char mark[] = "\xa4kind";

enum { MARK = sizeof mark - 1 };

/*
 * Finds the next place where a message may begin.
 * from: where to look from. Returns PST_OK; PST_END where there is none; PST_IO_ERROR; PST_STOPPED.
 */
static enum pst_status find_next(struct pst_recording *recording, uint64_t from, uint64_t *found,
                                 struct pst_error *error)
{
    enum { CHUNK = 1 << 16 };
    char bytes[CHUNK];
    for (uint64_t at = from; at + 1 + MARK <= recording->size;) {
        uint64_t left = recording->size - at;
        size_t size = left < CHUNK ? (size_t)left : CHUNK;
        enum pst_status status = pst_input_read_at(recording->reader->source.input, at, bytes, size, error);
        if (status != PST_OK)
            return status;
        for (size_t i = 0; i + 1 + MARK <= size; i++) {
            if ((bytes[i] == '\x83' || bytes[i] == '\x84') && memcmp(bytes + i + 1, mark, MARK) == 0) {
                *found = at + i;
                return PST_OK;
            }
        }
        at += size - MARK;
    }
    return PST_END;
}

/*
 * Looks at the message that begins at a byte.
 * Returns PST_OK; PST_END where there is no whole one; PST_BAD_DATA where there is one that is too large for
 * this program, which is no damage; PST_IO_ERROR; PST_TRY_AGAIN; PST_STOPPED.
 */
static enum pst_status look(struct pst_recording *recording, uint64_t begin, struct pst_skimmed *message,
                            struct pst_error *error)
{
    struct pst_reader *reader = recording->reader;
    pst_reader_goto(reader, begin, 0);
    enum pst_status status = pst_reader_skim(reader, message, error);
    if (status == PST_BAD_DATA && reader->beyond_limit)
        return pst_fail_at(error, "byte %" PRIu64, begin);
    if (status == PST_BAD_DATA || (status == PST_OK && message->end > recording->size))
        return PST_END;
    return status;
}

/* Reads a batch, and lists it where it is whole. Returns PST_OK; PST_END where it is not; and as look. */
static enum pst_status take_batch(struct pst_recording *recording, const struct pst_skimmed *message,
                                  struct pst_error *error)
{
    uint64_t due = pst_recording_due(recording);
    if (message->seq < due)
        return PST_END;
    pst_reader_goto(recording->reader, message->begin, message->seq);
    enum pst_status status = pst_reader_next(recording->reader, &recording->whole, error);
    if (status == PST_BAD_DATA)
        return PST_END;
    if (status != PST_OK)
        return status;
    recording->left_out += message->seq - due;
    return pst_recording_add(recording,
                             &(struct pst_run){ .begin = message->begin,
                                                .bytes = message->end - message->begin,
                                                .seq = message->seq,
                                                .epoch = message->epoch,
                                                .n = (uint32_t)message->n },
                             1, error);
}

/* Notes the trailer, which knows how many batches there were. */
static enum pst_status take_trailer(struct pst_recording *recording, const struct pst_skimmed *message)
{
    uint64_t batches = 0;
    struct pst_meta_field fields[] = { { "batches", &batches, false } };
    bool crcs;
    if (!pst_reader_meta(recording->reader, fields, 1, &crcs))
        return PST_END;
    recording->trailer_begin = message->begin;
    uint64_t end = recording->reader->header.first + batches, due = pst_recording_due(recording);
    if (end > due)
        recording->left_out += end - due;
    return PST_OK;
}

static enum pst_status take_message(struct pst_recording *recording, const struct pst_skimmed *message,
                                    struct pst_error *error)
{
    if (message->kind == PST_HEADER_MESSAGE || recording->trailer_begin != 0)
        return pst_fail(error, PST_BAD_DATA, "byte %" PRIu64 ": another stream; two streams in one file?",
                        message->begin);
    return message->kind == PST_BATCH_MESSAGE ? take_batch(recording, message, error)
                                              : take_trailer(recording, message);
}

/* Without a trailer the header's plan tells what is missing at the end, and else that something is. */
static void count_missing(struct pst_recording *recording)
{
    const struct pst_header *header = &recording->reader->header;
    uint64_t due = pst_recording_due(recording), end = recording->header_bytes;
    if (recording->run_count > 0) {
        const struct pst_run *last = &recording->runs[recording->run_count - 1];
        end = last->begin + pst_recording_run_length(recording, recording->run_count - 1) * last->bytes;
    }
    if (header->batches > due)
        recording->left_out += header->batches - due;
    else if (header->batches == 0 && recording->size > end)
        recording->left_out++;
}

enum pst_status pst_recording_salvage(struct pst_recording *recording, struct pst_error *error)
{
    uint64_t at = recording->header_bytes;
    enum pst_status status = PST_OK;
    while (status == PST_OK) {
        struct pst_skimmed message;
        status = look(recording, at, &message, error);
        if (status == PST_OK)
            status = take_message(recording, &message, error);
        if (status == PST_OK)
            at = message.end;
        else if (status == PST_END)
            status = find_next(recording, at + 1, &at, error);
    }
    if (status != PST_END)
        return status;
    if (recording->trailer_begin == 0)
        count_missing(recording);
    return PST_OK;
}
