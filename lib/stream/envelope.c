/* Messages up to their data; see envelope.h. */
#include "lib/stream/envelope.h"

#include "pipestill/stream.h"

#include <inttypes.h>
#include <string.h>

static const struct {
    const char *name;
    uint64_t keys;
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
        return pst_fail(error, PST_BAD_DATA, "truncated: the input ends within a message");
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
