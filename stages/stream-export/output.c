/* The output: a file that appears when it is whole, or standard output. */
#include "stages/stream-export/export.h"

#include <string.h>
#include <unistd.h>

#define BUFFER ((size_t)1 << 20)

enum pst_status output_open(struct pst_run *run, struct output *output, const char *path,
                            struct pst_error *error)
{
    output->path = path != NULL && strcmp(path, "-") != 0 ? path : NULL;
    output->fd = STDOUT_FILENO;
    enum pst_status status = PST_OK;
    if (output->path != NULL) {
        status = pst_atomic_open(&output->file, path, PST_LEFTOVER_REPLACE, error);
        output->fd = output->file.fd;
    }
    if (status == PST_OK && output->file.unlocked)
        pst_say_unlocked(run, path);
    output->terminal = status == PST_OK && isatty(output->fd);
    return status == PST_OK ? pst_buffer_reserve(&output->buffer, BUFFER, 0, error) : status;
}

/* Writes bytes, unless there was an error before. */
static void hand_on(struct output *output, const void *bytes, size_t size)
{
    if (output->error.status == PST_OK)
        output->error.status = pst_write_all(
            output->fd, bytes, size, output->path != NULL ? output->path : "standard output", &output->error);
}

static void empty_buffer(struct output *output)
{
    hand_on(output, output->buffer.data, output->used);
    output->used = 0;
}

char *output_room(struct output *output, size_t size)
{
    if (output->used + size > BUFFER)
        empty_buffer(output);
    return (char *)output->buffer.data + output->used;
}

void output_used(struct output *output, const char *end)
{
    size_t used = (size_t)(end - (const char *)output->buffer.data);
    output->written += used - output->used;
    output->used = used;
}

void output_write(struct output *output, const void *bytes, size_t size)
{
    if (size <= BUFFER) {
        char *at = output_room(output, size);
        memcpy(at, bytes, size);
        output_used(output, at + size);
        return;
    }
    empty_buffer(output);
    hand_on(output, bytes, size);
    output->written += size;
}

void output_end_line(struct output *output)
{
    ((char *)output->buffer.data)[output->used - 1] = '\n';
}

enum pst_status output_flush(struct output *output, struct pst_error *error)
{
    empty_buffer(output);
    return output->error.status == PST_OK
               ? PST_OK
               : pst_fail(error, output->error.status, "%s", output->error.message);
}

enum pst_status output_finish(struct output *output, struct pst_error *error)
{
    enum pst_status status = output_flush(output, error);
    return status == PST_OK && output->path != NULL ? pst_atomic_commit(&output->file, error) : status;
}

void output_stop(struct output *output)
{
    if (output->path != NULL)
        pst_atomic_abandon(&output->file, false);
    pst_buffer_free(&output->buffer);
}
