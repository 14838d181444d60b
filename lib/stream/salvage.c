/*
 * The whole batches of a recording that was cut short or damaged, and an end for one that was cut short.
 * Every message is read; if one is not whole, the next is searched for by the first bytes that every message
 * has.
 */
#include "lib/stream/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what is whole ----------------------------------------------------------------------------------- */

/* Every message is a map of three or four pairs that begins with the key "kind". */
static const char mark[] = "\xa4kind";

enum { MARK = sizeof mark - 1 };

/*
 * Finds the next place where a message may begin.
 * from: where to search from. Returns PST_OK; PST_END if there is none; PST_IO_ERROR; PST_STOPPED.
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
 * Skims the message that begins at a byte.
 * Returns PST_OK; PST_END if there is no whole one; PST_BAD_DATA if it is too large for this program, or of
 * another run, which is not damage; PST_IO_ERROR; PST_TRY_AGAIN; PST_STOPPED.
 */
static enum pst_status look(struct pst_recording *recording, uint64_t begin, struct pst_skimmed *message,
                            struct pst_error *error)
{
    struct pst_reader *reader = recording->reader;
    pst_reader_goto(reader, begin, 0);
    enum pst_status status = pst_reader_skim(reader, message, error);
    if (status == PST_BAD_DATA && (reader->beyond_limit || reader->of_another_run))
        return pst_fail_at(error, "byte %" PRIu64, begin);
    if (status == PST_BAD_DATA || (status == PST_OK && message->end > recording->size))
        return PST_END;
    return status;
}

/* Reads a batch, and lists it if it is whole. Returns PST_OK; PST_END if it is not; and as look. */
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
    return pst_recording_add_batch(recording, message, error);
}

/* Notes the trailer, and counts the batches that are missing before it. */
static enum pst_status take_trailer(struct pst_recording *recording, const struct pst_skimmed *message)
{
    const struct pst_envelope *trailer = &recording->reader->envelope;
    if (!pst_trailer_take(trailer->meta.data, trailer->meta_size, &recording->trailer))
        return PST_END;
    recording->trailer_begin = message->begin;
    uint64_t end = recording->reader->header.first + recording->trailer.batches,
             due = pst_recording_due(recording);
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

/* Without a trailer, counts what is missing at the end by the header's plan; without a plan, bytes behind
 * the last batch count as one. */
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

/* ---- repair ------------------------------------------------------------------------------------------ */

/* A repair while it is done. */
struct repairing {
    const char *path;
    int fd;                          /* of the recording, locked */
    struct pst_recording *recording; /* owned */
    uint64_t end;                    /* the byte after its last whole batch */
    struct pst_index index;          /* of all batches; owned */
    struct pst_repair *result;
};

static enum pst_status fail_io(const char *path, const char *what, struct pst_error *error)
{
    return pst_fail(error, PST_IO_ERROR, "%s: cannot be %s: %s", path, what, strerror(errno));
}

/* ---- where to cut -------------------------------------------------------------------------------------- */

static enum pst_status fail_damaged(const char *path, uint64_t at, const char *follows,
                                    struct pst_error *error)
{
    return pst_fail(error, PST_BAD_DATA,
                    "%s: damaged at byte %" PRIu64 ", and %s; 'replay --skip-bad %s' replays what is whole",
                    path, at, follows, path);
}

/* Opens the recording and finds where its last whole batch ends, if all before that is whole. */
static enum pst_status look_at_all(struct repairing *repair, size_t max_message, struct pst_error *error)
{
    enum pst_status status = pst_recording_open(&repair->recording, repair->path, max_message, true, error);
    if (status != PST_OK)
        return status;
    const struct pst_recording *cut = repair->recording;
    uint64_t end = cut->header_bytes;
    for (size_t i = 0; i < cut->run_count; i++) {
        if (cut->runs[i].begin != end)
            return fail_damaged(repair->path, end, "whole batches follow", error);
        end += pst_recording_run_length(cut, i) * cut->runs[i].bytes;
    }
    if (cut->trailer_begin != 0 && cut->trailer_begin != end)
        return fail_damaged(repair->path, end, "its trailer follows", error);
    repair->end = end;
    return PST_OK;
}

/* Computes what the new trailer holds. */
static void count_batches(struct repairing *repair)
{
    const struct pst_recording *recording = repair->recording;
    for (size_t i = 0; i < recording->run_count; i++) {
        const struct pst_run *run = &recording->runs[i];
        for (size_t batch = 0; batch < pst_recording_run_length(recording, i); batch++)
            pst_index_add(&repair->index, run->bytes, run->n, run->epoch);
    }
    repair->result->trailer = *pst_reader_trailer(recording->reader);
    repair->result->next = pst_recording_due(recording);
}

/* ---- the end ----------------------------------------------------------------------------------------- */

static enum pst_status pack_end(struct repairing *repair, struct pst_packed *frame, struct pst_error *error)
{
    struct pst_packed meta = { 0 };
    msgpack_packer packer = pst_packer(&meta);
    repair->index.header_bytes = repair->recording->header_bytes;
    pst_pack_trailer(&packer, &repair->result->trailer, &repair->index,
                     pst_recording_header(repair->recording)->run);
    pst_envelope_pack(frame, &meta, PST_TRAILER_MESSAGE);
    bool failed = meta.failed || frame->failed || pst_memory_ran_short();
    pst_buffer_free(&meta.buffer);
    return failed ? pst_fail(error, PST_TRY_AGAIN, "out of memory for a trailer") : PST_OK;
}

/* Whether the recording ends with this trailer already. */
static bool ends_with(const struct repairing *repair, const struct pst_packed *frame)
{
    struct pst_recording *recording = repair->recording;
    struct pst_error ignored;
    char *bytes = malloc(frame->size);
    bool same = bytes != NULL && recording->size == repair->end + frame->size &&
                pst_input_read_at(recording->reader->source.input, repair->end, bytes, frame->size,
                                  &ignored) == PST_OK &&
                memcmp(bytes, frame->buffer.data, frame->size) == 0;
    free(bytes);
    return same;
}

/* NAME.part becomes NAME, unless there is one. */
static enum pst_status give_name(struct repairing *repair, struct pst_error *error)
{
    char *path = repair->result->path;
    snprintf(path, sizeof repair->result->path, "%s", repair->path);
    size_t length = strlen(path), ending = strlen(".part");
    if (length <= ending || strcmp(path + length - ending, ".part") != 0)
        return PST_OK;
    path[length - ending] = '\0';
    if (access(path, F_OK) == 0)
        return pst_fail(error, PST_BAD_DATA, "%s is repaired, but %s exists already and is left as it is",
                        repair->path, path);
    if (rename(repair->path, path) != 0)
        return fail_io(repair->path, "renamed", error);
    return pst_sync_folder(path) ? PST_OK : fail_io(path, "written to disk", error);
}

static enum pst_status cut_and_end(struct repairing *repair, const struct pst_packed *frame,
                                   struct pst_error *error)
{
    if (ftruncate(repair->fd, (off_t)repair->end) != 0 || lseek(repair->fd, (off_t)repair->end, SEEK_SET) < 0)
        return fail_io(repair->path, "cut", error);
    enum pst_status status = pst_write_all(repair->fd, frame->buffer.data, frame->size, repair->path, error);
    if (status == PST_OK && fsync(repair->fd) != 0)
        return fail_io(repair->path, "written to disk", error);
    return status;
}

/* If there is a trailer, it must fit the batches; otherwise some were lost or replaced. */
static enum pst_status check_trailer(const struct repairing *repair, struct pst_error *error)
{
    const struct pst_recording *recording = repair->recording;
    if (recording->trailer_begin == 0 ||
        pst_trailer_check(&recording->trailer, &repair->result->trailer, error) == PST_OK)
        return PST_OK;
    return pst_fail_at(error, "%s", repair->path);
}

static enum pst_status mend(struct repairing *repair, struct pst_error *error)
{
    struct pst_packed frame = { 0 };
    count_batches(repair);
    enum pst_status status = check_trailer(repair, error);
    if (status == PST_OK)
        status = pack_end(repair, &frame, error);
    repair->result->was_whole = status == PST_OK && ends_with(repair, &frame);
    if (repair->recording->trailer_begin == 0)
        repair->result->cut = repair->recording->size - repair->end;
    if (status == PST_OK && !repair->result->was_whole)
        status = cut_and_end(repair, &frame, error);
    pst_buffer_free(&frame.buffer);
    return status == PST_OK ? give_name(repair, error) : status;
}

enum pst_status pst_recording_repair(const char *path, size_t max_message, struct pst_repair *result,
                                     struct pst_error *error)
{
    *result = (struct pst_repair){ 0 };
    struct repairing repair = { .path = path, .result = result };
    repair.fd = open(path, O_RDWR | O_CLOEXEC);
    if (repair.fd < 0)
        return pst_fail(error, pst_shortage_or(PST_NO_INPUT), "%s: cannot be opened: %s", path,
                        strerror(errno));
    enum pst_status status = PST_OK;
    enum pst_status locked = pst_lock_for_writer(repair.fd);
    result->unlocked = locked == PST_UNAVAILABLE;
    if (locked == PST_TRY_AGAIN)
        status = pst_fail(error, PST_TRY_AGAIN, "%s: another process is still writing it", path);
    if (status == PST_OK)
        status = look_at_all(&repair, max_message, error);
    if (status == PST_OK)
        status = mend(&repair, error);
    pst_recording_close(repair.recording);
    pst_index_free(&repair.index);
    close(repair.fd);
    return status;
}
