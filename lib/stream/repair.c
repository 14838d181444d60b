/* Giving a recording that was cut short its true end. */
#include "lib/base/linux.h"

#include "lib/stream/repair.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

enum pst_status pst_repair_open(struct pst_recording **recording, const char *path, size_t max_message,
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

void pst_repair_count(struct pst_repairing *repair, const struct pst_recording *recording, size_t from)
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

/* ---- the end ----------------------------------------------------------------------------------------- */

static enum pst_status pack_end(struct pst_repairing *repair, struct pst_packed *frame,
                                struct pst_error *error)
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
static bool ends_with(const struct pst_repairing *repair, const struct pst_packed *frame)
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
static enum pst_status give_name(struct pst_repairing *repair, struct pst_error *error)
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

static enum pst_status mend(struct pst_repairing *repair, char **more, size_t more_count,
                            struct pst_error *error)
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
            status = pst_repair_append(repair, more[i], error);
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
static enum pst_status look_at_all(struct pst_repairing *repair, char **more, size_t more_count,
                                   struct pst_error *error)
{
    enum pst_status status =
        pst_repair_open(&repair->recording, repair->path, repair->max_message, &repair->end, error);
    if (status != PST_OK)
        return status;
    repair->result->next = pst_recording_due(repair->recording);
    for (size_t i = 0; i < more_count && status == PST_OK; i++) {
        struct pst_recording *other = NULL;
        uint64_t end;
        size_t skip = 0;
        status = pst_repair_open_more(repair, &other, more[i], &end, &skip, error);
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
    struct pst_repairing repair = { .path = path, .max_message = max_message, .result = result };
    repair.fd = open(path, O_RDWR | O_CLOEXEC);
    if (repair.fd < 0)
        return pst_fail(error, PST_NO_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    enum pst_status status = PST_OK;
    if (flock(repair.fd, LOCK_EX | LOCK_NB) != 0)
        status = pst_fail(error, PST_TRY_AGAIN, "%s: another process is still writing it", path);
    if (status == PST_OK)
        status = look_at_all(&repair, more, more_count, error);
    if (status == PST_OK) {
        result->next = pst_recording_header(repair.recording)->first;
        pst_repair_count(&repair, repair.recording, 0);
        status = mend(&repair, more, more_count, error);
    }
    pst_recording_close(repair.recording);
    pst_index_free(&repair.index);
    close(repair.fd);
    return status;
}
