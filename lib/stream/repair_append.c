/* Appending recordings that go on where a repaired one ends. */
#include "lib/base/linux.h"

#include "lib/stream/repair.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
static enum pst_status check_overlap(const struct pst_repairing *repair, struct pst_recording *more,
                                     size_t skip, const char *path, struct pst_error *error)
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
static enum pst_status check_next(const struct pst_repairing *repair, struct pst_recording *more,
                                  const char *path, size_t *skip, struct pst_error *error)
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

enum pst_status pst_repair_open_more(const struct pst_repairing *repair, struct pst_recording **more,
                                     const char *path, uint64_t *end, size_t *skip, struct pst_error *error)
{
    if (is_busy(path)) {
        pst_fail(error, PST_TRY_AGAIN, "%s: another process is still writing it", path);
        return PST_TRY_AGAIN;
    }
    enum pst_status status = pst_repair_open(more, path, repair->max_message, end, error);
    return status == PST_OK ? check_next(repair, *more, path, skip, error) : status;
}

static enum pst_status copy_bytes(struct pst_repairing *repair, struct pst_recording *more, uint64_t begin,
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

enum pst_status pst_repair_append(struct pst_repairing *repair, const char *path, struct pst_error *error)
{
    struct pst_recording *more = NULL;
    uint64_t end;
    size_t skip = 0;
    enum pst_status status = pst_repair_open_more(repair, &more, path, &end, &skip, error);
    if (status == PST_OK && skip > 0)
        status = sum_again(more, skip, more->count - skip, error);
    if (status == PST_OK && skip < more->count)
        status = copy_bytes(repair, more, pst_recording_begin(more, skip), end, error);
    if (status == PST_OK)
        pst_repair_count(repair, more, skip);
    pst_recording_close(more);
    return status;
}
