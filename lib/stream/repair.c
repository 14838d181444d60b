/* Giving a recording that was cut short its true end. */
#include "lib/stream/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A repair while it is done. */
struct repairing {
    const char *path;
    int fd;                          /* of the recording, locked */
    struct pst_recording *recording; /* owned */
    uint64_t end;                    /* byte behind its last whole batch */
    struct pst_index index;          /* of all batches; owned */
    struct pst_repair *result;
};

static enum pst_status fail_io(const char *path, const char *what, struct pst_error *error)
{
    return pst_fail(error, PST_IO_ERROR, "%s: cannot be %s: %s", path, what, strerror(errno));
}

/* ---- what is whole ----------------------------------------------------------------------------------- */

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

/* What the trailer is to say. */
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
    pst_pack_envelope(frame, &meta, "trailer", 3);
    bool failed = meta.failed || frame->failed;
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

static enum pst_status mend(struct repairing *repair, struct pst_error *error)
{
    struct pst_packed frame = { 0 };
    count_batches(repair);
    enum pst_status status = pack_end(repair, &frame, error);
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
        return pst_fail(error, PST_NO_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    enum pst_status status = PST_OK;
    if (!pst_lock_for_writer(repair.fd))
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
