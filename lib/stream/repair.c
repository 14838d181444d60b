/* Repairing a recording that was cut short, and joining recordings that go on from each other. */
#include "lib/base/linux.h"

#include "lib/stream/recording.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct repair {
    const char *path;
    int fd;       /* of the recording, locked */
    uint64_t end; /* of its last whole batch */
    size_t max_message;
    struct pst_recording *recording;
    struct pst_index index;
    struct pst_repair *result;
};

static enum pst_status fail_io(const char *path, const char *what, struct pst_error *error)
{
    return pst_fail(error, PST_IO_ERROR, "%s: cannot be %s: %s", path, what, strerror(errno));
}

static enum pst_status fail_busy(const char *path, struct pst_error *error)
{
    return pst_fail(error, PST_TRY_AGAIN, "%s: another process is still writing it", path);
}

/* ---- what is whole ----------------------------------------------------------------------------------- */

static enum pst_status fail_damaged(const char *path, uint64_t at, const char *follows,
                                    struct pst_error *error)
{
    return pst_fail(error, PST_BAD_DATA,
                    "%s: damaged at byte %" PRIu64 ", and %s; 'loader --skip-bad %s' replays what is whole",
                    path, at, follows, path);
}

/*
 * Opens a recording that may be cut short, of which every batch up to the first fault must be all there is.
 * end: receives where its whole batches end.
 */
static enum pst_status open_cut(struct pst_recording **recording, const char *path, size_t max_message,
                                uint64_t *end, struct pst_error *error)
{
    enum pst_status status = pst_recording_open(recording, path, max_message, true, error);
    if (status != PST_OK)
        return status;
    const struct pst_recording *cut = *recording;
    *end = cut->header_bytes;
    for (size_t i = 0; i < cut->run_count; i++) {
        if (cut->runs[i].begin != *end)
            return fail_damaged(path, *end, "whole batches follow", error);
        *end += pst_recording_run_length(cut, i) * cut->runs[i].bytes;
    }
    if (cut->trailer_begin != 0 && cut->trailer_begin != *end)
        return fail_damaged(path, *end, "its trailer follows", error);
    return PST_OK;
}

/* Counts a recording's batches from number `from` on as ones of the repaired one; its sums are theirs. */
static void count(struct repair *repair, const struct pst_recording *recording, size_t from)
{
    const struct pst_trailer *whole = pst_reader_trailer(recording->reader);
    struct pst_trailer *sum = &repair->result->trailer;
    for (size_t i = 0; i < recording->run_count; i++) {
        const struct pst_run *run = &recording->runs[i];
        size_t length = pst_recording_run_length(recording, i);
        for (size_t batch = run->first < from ? from : run->first; batch < run->first + length; batch++)
            pst_index_add(&repair->index, run->bytes, run->n, run->epoch);
    }
    sum->batches += whole->batches;
    sum->samples += whole->samples;
    sum->batch_checksum += whole->batch_checksum;
    sum->sample_checksum += whole->sample_checksum;
    repair->result->next += recording->count - from;
}

/* Makes a recording's sums those of `length` of its batches, from number `from` on: they are read again. */
static enum pst_status sum_again(struct pst_recording *recording, size_t from, size_t length,
                                 struct pst_error *error)
{
    enum pst_status status = PST_OK;
    recording->reader->so_far = (struct pst_trailer){ 0 };
    for (size_t i = 0; i < length && status == PST_OK; i++)
        status = pst_recording_read(recording, from + i, &recording->whole, error);
    return status;
}

/* ---- going on ---------------------------------------------------------------------------------------- */

/* Whether two headers are of one stream that was begun twice: all but the run and the first batch is equal.
 */
static bool same_stream(const struct pst_header *a, const struct pst_header *b)
{
    json_t *one = pst_header_to_json(a), *other = pst_header_to_json(b);
    json_t *objects[] = { one, other };
    for (size_t i = 0; i < 2 && objects[i] != NULL; i++) {
        json_object_del(objects[i], "run");
        json_object_del(objects[i], "first");
    }
    bool same = one != NULL && json_equal(one, other);
    json_decref(one);
    json_decref(other);
    return same;
}

/*
 * What both have, after a joining that broke off, must be the same; then only the rest is appended.
 * skip: batches of `more` that the recording has already.
 */
static enum pst_status check_overlap(const struct repair *repair, struct pst_recording *more, size_t skip,
                                     const char *path, struct pst_error *error)
{
    struct pst_recording *recording = repair->recording;
    struct pst_trailer all = *pst_reader_trailer(recording->reader);
    uint64_t from = pst_recording_header(more)->first - pst_recording_header(recording)->first;
    enum pst_status status = sum_again(recording, (size_t)from, skip, error);
    uint64_t ours = pst_reader_trailer(recording->reader)->batch_checksum;
    recording->reader->so_far = all;
    if (status == PST_OK)
        status = sum_again(more, 0, skip, error);
    uint64_t theirs = pst_reader_trailer(more->reader)->batch_checksum;
    if (status == PST_OK && ours != theirs)
        return pst_fail(error, PST_BAD_DATA,
                        "%s does not go on from %s: both have %zu batches from number %" PRIu64
                        " on, and not the same ones",
                        path, repair->path, skip, pst_recording_header(more)->first);
    return status;
}

/* skip: receives how many of the first batches of `more` the recording has already. */
static enum pst_status check_next(const struct repair *repair, struct pst_recording *more, const char *path,
                                  size_t *skip, struct pst_error *error)
{
    const struct pst_header *header = pst_recording_header(more);
    uint64_t next = repair->result->next;
    const struct pst_recording *recording = repair->recording;
    if (!same_stream(pst_recording_header(recording), header))
        return pst_fail(error, PST_BAD_DATA, "%s does not go on from %s: its header says another stream",
                        path, repair->path);
    bool goes_on = header->first == next;
    bool overlaps = header->first < next && header->first >= pst_recording_header(recording)->first &&
                    next == pst_recording_due(recording);
    if (!goes_on && !overlaps)
        return pst_fail(error, PST_BAD_DATA,
                        "%s begins with batch %" PRIu64 ", but batch %" PRIu64
                        " is the next; --start %" PRIu64,
                        path, header->first, next, next);
    uint64_t both = next - header->first;
    *skip = both < more->count ? (size_t)both : more->count;
    return *skip > 0 ? check_overlap(repair, more, *skip, path, error) : PST_OK;
}

/* Whether a writer still has its lock on a file. */
static bool is_busy(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool busy = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0;
    if (fd >= 0)
        close(fd);
    return busy;
}

/* Opens what is to be appended; nobody may be writing it still. */
static enum pst_status open_more(const struct repair *repair, struct pst_recording **more, const char *path,
                                 uint64_t *end, size_t *skip, struct pst_error *error)
{
    if (is_busy(path)) {
        fail_busy(path, error);
        return PST_TRY_AGAIN;
    }
    enum pst_status status = open_cut(more, path, repair->max_message, end, error);
    return status == PST_OK ? check_next(repair, *more, path, skip, error) : status;
}

static enum pst_status copy_bytes(struct repair *repair, struct pst_recording *more, uint64_t begin,
                                  uint64_t end, struct pst_error *error)
{
    enum { CHUNK = 1 << 20 };
    char *bytes = malloc(CHUNK);
    enum pst_status status =
        bytes == NULL ? pst_fail(error, PST_TRY_AGAIN, "out of memory for copying") : PST_OK;
    while (begin < end && status == PST_OK) {
        size_t size = end - begin < CHUNK ? (size_t)(end - begin) : CHUNK;
        status = pst_input_read_at(more->reader->source.input, begin, bytes, size, error);
        if (status == PST_OK)
            status = pst_write_all(repair->fd, bytes, size, repair->path, error);
        begin += size;
    }
    free(bytes);
    return status;
}

static enum pst_status append(struct repair *repair, const char *path, struct pst_error *error)
{
    struct pst_recording *more = NULL;
    uint64_t end;
    size_t skip = 0;
    enum pst_status status = open_more(repair, &more, path, &end, &skip, error);
    if (status == PST_OK && skip > 0)
        status = sum_again(more, skip, more->count - skip, error);
    if (status == PST_OK && skip < more->count)
        status = copy_bytes(repair, more, pst_recording_begin(more, skip), end, error);
    if (status == PST_OK)
        count(repair, more, skip);
    pst_recording_close(more);
    return status;
}

/* ---- the end ----------------------------------------------------------------------------------------- */

static enum pst_status pack_end(struct repair *repair, struct pst_packed *frame, struct pst_error *error)
{
    struct pst_packed meta = { 0 };
    msgpack_packer packer = pst_packer(&meta);
    repair->index.header_bytes = repair->recording->header_bytes;
    pst_pack_trailer(&packer, &repair->result->trailer, &repair->index,
                     pst_recording_header(repair->recording)->run);
    pst_pack_envelope(frame, &meta, "trailer", 3);
    bool failed = meta.failed || frame->failed;
    pst_buffer_free(&meta.buffer);
    return failed ? pst_fail(error, PST_TRY_AGAIN, "out of memory for a trailer") : PST_OK;
}

/* Whether the recording ends with this trailer already. */
static bool ends_with(const struct repair *repair, const struct pst_packed *frame)
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
static enum pst_status give_name(struct repair *repair, struct pst_error *error)
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

static enum pst_status mend(struct repair *repair, char **more, size_t more_count, struct pst_error *error)
{
    struct pst_packed frame = { 0 };
    enum pst_status status = pack_end(repair, &frame, error);
    repair->result->was_whole = status == PST_OK && more_count == 0 && ends_with(repair, &frame);
    if (repair->recording->trailer_begin == 0)
        repair->result->cut = repair->recording->size - repair->end;
    if (status == PST_OK && !repair->result->was_whole) {
        if (ftruncate(repair->fd, (off_t)repair->end) != 0 ||
            lseek(repair->fd, (off_t)repair->end, SEEK_SET) < 0)
            status = fail_io(repair->path, "cut", error);
        for (size_t i = 0; i < more_count && status == PST_OK; i++)
            status = append(repair, more[i], error);
        if (status == PST_OK)
            status = pack_end(repair, &frame, error);
        if (status == PST_OK)
            status = pst_write_all(repair->fd, frame.buffer.data, frame.size, repair->path, error);
        if (status == PST_OK && fsync(repair->fd) != 0)
            status = fail_io(repair->path, "written to disk", error);
    }
    pst_buffer_free(&frame.buffer);
    return status == PST_OK ? give_name(repair, error) : status;
}

/* Looks at everything before anything is changed. */
static enum pst_status look_at_all(struct repair *repair, char **more, size_t more_count,
                                   struct pst_error *error)
{
    enum pst_status status =
        open_cut(&repair->recording, repair->path, repair->max_message, &repair->end, error);
    if (status != PST_OK)
        return status;
    repair->result->next = pst_recording_due(repair->recording);
    for (size_t i = 0; i < more_count && status == PST_OK; i++) {
        struct pst_recording *other = NULL;
        uint64_t end;
        size_t skip = 0;
        status = open_more(repair, &other, more[i], &end, &skip, error);
        if (status == PST_OK)
            repair->result->next += other->count - skip;
        pst_recording_close(other);
    }
    return status;
}

enum pst_status pst_recording_repair(const char *path, char **more, size_t more_count, size_t max_message,
                                     struct pst_repair *result, struct pst_error *error)
{
    *result = (struct pst_repair){ 0 };
    struct repair repair = { .path = path, .max_message = max_message, .result = result };
    repair.fd = open(path, O_RDWR | O_CLOEXEC);
    if (repair.fd < 0)
        return pst_fail(error, PST_NO_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    enum pst_status status = PST_OK;
    if (flock(repair.fd, LOCK_EX | LOCK_NB) != 0)
        status = fail_busy(path, error);
    if (status == PST_OK)
        status = look_at_all(&repair, more, more_count, error);
    if (status == PST_OK) {
        result->next = pst_recording_header(repair.recording)->first;
        count(&repair, repair.recording, 0);
        status = mend(&repair, more, more_count, error);
    }
    pst_recording_close(repair.recording);
    pst_index_free(&repair.index);
    close(repair.fd);
    return status;
}
