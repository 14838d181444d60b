/* Tokens and blocks from an input; see source.h. */
#include "lib/stream/source.h"

#include <string.h>

enum { MOST_FETCHED = 1 << 20 };

void pst_source_open(struct pst_source_buffer *source, struct pst_input *input)
{
    source->input = input;
    source->bytes = source->small;
    source->room = sizeof source->small;
}

void pst_source_close(struct pst_source_buffer *source)
{
    pst_input_close(source->input);
    pst_buffer_free(&source->large);
}

static size_t left(const struct pst_source_buffer *source)
{
    return source->end - source->at;
}

void pst_source_goto(struct pst_source_buffer *source, uint64_t offset)
{
    source->placed = true;
    source->offset = offset;
    source->at = source->end = 0;
}

void pst_source_skip(struct pst_source_buffer *source, uint64_t bytes)
{
    if (bytes > left(source)) {
        pst_source_goto(source, source->offset + bytes);
        return;
    }
    source->at += bytes;
    source->offset += bytes;
}

/* Reads what comes behind the buffer's contents, of which `waiting` bytes are not taken yet. */
static enum pst_status read_on(struct pst_source_buffer *source, size_t waiting, void *bytes, size_t size,
                               size_t *got, struct pst_error *error)
{
    if (!source->placed)
        return pst_input_read(source->input, bytes, size, got, error);
    return source->input->operations->read_at(source->input, source->offset + waiting, bytes, size, got,
                                              error);
}

/* Moves what is left to the front and reads more behind it. */
static enum pst_status refill(struct pst_source_buffer *source, struct pst_error *error)
{
    memmove(source->bytes, source->bytes + source->at, left(source));
    source->end -= source->at;
    source->at = 0;
    size_t got;
    enum pst_status status =
        read_on(source, source->end, source->bytes + source->end, source->room - source->end, &got, error);
    if (status == PST_OK)
        source->end += got;
    return status;
}

enum pst_status pst_source_fetch(struct pst_source_buffer *source, uint64_t offset, size_t size,
                                 struct pst_error *error)
{
    pst_source_goto(source, offset);
    if (size > MOST_FETCHED)
        return PST_OK;
    if (size > source->room) {
        enum pst_status status = pst_buffer_reserve(&source->large, size, 0, error);
        if (status != PST_OK)
            return status;
        source->bytes = source->large.data;
        source->room = size;
    }
    enum pst_status status = read_on(source, 0, source->bytes, size, &source->end, error);
    return status == PST_END ? PST_OK : status;
}

static enum pst_status truncated(struct pst_error *error)
{
    return pst_fail(error, PST_BAD_DATA, "truncated: the input ends within a message");
}

enum pst_status pst_source_token(struct pst_source_buffer *source, struct pst_token *token,
                                 struct pst_error *error)
{
    size_t length;
    while ((length = pst_token_read(source->bytes + source->at, left(source), token)) == 0) {
        enum pst_status status = refill(source, error);
        if (status == PST_END && left(source) > 0)
            return truncated(error);
        if (status != PST_OK)
            return status;
    }
    source->at += length;
    source->offset += length;
    return PST_OK;
}

enum pst_status pst_source_take(struct pst_source_buffer *source, void *bytes, size_t size,
                                struct pst_error *error)
{
    size_t count = left(source) < size ? left(source) : size;
    memcpy(bytes, source->bytes + source->at, count);
    source->at += count;
    source->offset += count;
    while (count < size) {
        size_t got;
        enum pst_status status = read_on(source, 0, (char *)bytes + count, size - count, &got, error);
        if (status == PST_END)
            return truncated(error);
        if (status != PST_OK)
            return status;
        count += got;
        source->offset += got;
    }
    return PST_OK;
}
