/* Messages up to their data; see message.h. */
#include "lib/stream/message.h"

#include <inttypes.h>
#include <string.h>

/* ---- the buffer in front of an input ------------------------------------------------------------------ */

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

/* Reads the bytes behind the buffer's contents. waiting: bytes of the buffer that are not taken yet. */
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

/* ---- messages ----------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint32_t keys;
} kinds[] = {
    [PST_HEADER_MESSAGE] = { "header", 3 },
    [PST_BATCH_MESSAGE] = { "batch", 4 },
    [PST_TRAILER_MESSAGE] = { "trailer", 3 },
};

enum pst_status pst_take_token(struct pst_source_buffer *source, enum pst_token_kind kind, uint64_t *number,
                               struct pst_error *error)
{
    struct pst_token token = { 0 };
    enum pst_status status = pst_source_token(source, &token, error);
    *number = token.number;
    if (status == PST_END)
        return truncated(error);
    if (status == PST_OK && token.kind != kind)
        return pst_fail(error, PST_BAD_DATA, "damaged: a value is not of the kind that is due");
    return status;
}

/* Takes a string of at most 15 bytes. */
static enum pst_status take_word(struct pst_source_buffer *source, char word[16], struct pst_error *error)
{
    uint64_t length;
    enum pst_status status = pst_take_token(source, PST_TOKEN_STR, &length, error);
    if (status != PST_OK)
        return status;
    if (length > 15)
        return pst_fail(error, PST_BAD_DATA, "damaged: a short string is due");
    word[length] = '\0';
    return pst_source_take(source, word, length, error);
}

enum pst_status pst_take_key(struct pst_source_buffer *source, const char *key, struct pst_error *error)
{
    char word[16];
    enum pst_status status = take_word(source, word, error);
    if (status == PST_OK && strcmp(word, key) != 0)
        return pst_fail(error, PST_BAD_DATA, "damaged: the key '%s' is due", key);
    return status;
}

static enum pst_status take_meta(struct pst_source_buffer *source, struct pst_envelope *envelope, size_t most,
                                 struct pst_error *error)
{
    uint64_t size = 0, crc = 0;
    enum pst_status status = pst_take_key(source, "meta", error);
    if (status == PST_OK)
        status = pst_take_token(source, PST_TOKEN_BIN, &size, error);
    if (status == PST_OK && size > most)
        return pst_fail(error, PST_BAD_DATA, "metadata of %" PRIu64 " bytes is more than is allowed", size);
    if (status == PST_OK && size == 0)
        return pst_fail(error, PST_BAD_DATA, "damaged: a message without metadata");
    if (status == PST_OK)
        status = pst_buffer_reserve(&envelope->meta, size, 0, error);
    if (status == PST_OK)
        status = pst_source_take(source, envelope->meta.data, size, error);
    if (status == PST_OK)
        status = pst_take_key(source, "crc", error);
    if (status == PST_OK)
        status = pst_take_token(source, PST_TOKEN_UINT, &crc, error);
    if (status != PST_OK)
        return status;
    envelope->meta_size = size;
    envelope->crc = pst_crc32c(0, envelope->meta.data, size);
    if (crc != envelope->crc)
        return pst_fail(error, PST_BAD_DATA, "damaged: the checksum of the metadata does not fit");
    return PST_OK;
}

static enum pst_status take_kind(struct pst_source_buffer *source, uint64_t keys, enum pst_message_kind *kind,
                                 struct pst_error *error)
{
    char word[16];
    enum pst_status status = pst_take_key(source, "kind", error);
    if (status == PST_OK)
        status = take_word(source, word, error);
    if (status != PST_OK)
        return status;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(word, kinds[i].name) == 0 && keys == kinds[i].keys) {
            *kind = (enum pst_message_kind)i;
            return PST_OK;
        }
    }
    return pst_fail(error, PST_BAD_DATA, "damaged: a message of an unknown kind");
}

enum pst_status pst_envelope_take(struct pst_source_buffer *source, struct pst_envelope *envelope,
                                  size_t max_message, struct pst_error *error)
{
    struct pst_token token;
    enum pst_status status = pst_source_token(source, &token, error);
    if (status != PST_OK)
        return status;
    if (token.kind != PST_TOKEN_MAP)
        return pst_fail(error, PST_BAD_DATA, "not a message of a pipestill stream");
    status = take_kind(source, token.number, &envelope->kind, error);
    if (status != PST_OK)
        return status;
    return take_meta(source, envelope, max_message < PST_MAX_META ? max_message : PST_MAX_META, error);
}

uint32_t pst_envelope_pack(struct pst_packed *frame, const struct pst_packed *meta,
                           enum pst_message_kind kind)
{
    uint32_t crc = pst_crc32c(0, meta->buffer.data, meta->size);
    frame->size = 0;
    msgpack_packer packer = pst_packer(frame);
    msgpack_pack_map(&packer, kinds[kind].keys);
    pst_pack_text(&packer, "kind");
    pst_pack_text(&packer, kinds[kind].name);
    pst_pack_text(&packer, "meta");
    msgpack_pack_bin_with_body(&packer, meta->buffer.data, meta->size);
    pst_pack_pair(&packer, "crc", crc);
    return crc;
}
