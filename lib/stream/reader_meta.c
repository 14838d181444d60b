/* The metadata of batches and trailers: maps of named numbers, and a batch's checksums. */
#include "lib/stream/reader.h"

#include <string.h>

static bool parse_crcs(struct pst_reader *reader, struct pst_cursor *cursor)
{
    struct pst_token token;
    const uint8_t *bytes;
    if (!pst_cursor_next(cursor, &token, &bytes) || token.kind != PST_TOKEN_ARRAY ||
        token.number != reader->header.tensor_count)
        return false;
    for (size_t i = 0; i < reader->header.tensor_count; i++) {
        uint64_t crc;
        if (!pst_cursor_uint(cursor, &crc) || crc > UINT32_MAX)
            return false;
        reader->crcs[i] = (uint32_t)crc;
    }
    return true;
}

/* Reads the value of one key: a field's, the checksums', or one that this version does not know and steps
 * over. */
static bool parse_value(struct pst_reader *reader, struct pst_cursor *cursor, const char *key,
                        struct pst_meta_field *fields, size_t count, bool *crcs)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(key, fields[i].name) == 0) {
            if (fields[i].seen)
                return false;
            fields[i].seen = true;
            return pst_cursor_uint(cursor, fields[i].number);
        }
    }
    if (strcmp(key, "crcs") != 0)
        return pst_cursor_skip(cursor);
    bool repeated = *crcs;
    *crcs = true;
    return !repeated && parse_crcs(reader, cursor);
}

bool pst_reader_meta(struct pst_reader *reader, struct pst_meta_field *fields, size_t count, bool *crcs)
{
    const uint8_t *bytes = reader->envelope.meta.data;
    struct pst_cursor cursor = { .at = bytes, .end = bytes + reader->envelope.meta_size };
    uint64_t pairs;
    if (!pst_cursor_map(&cursor, &pairs))
        return false;
    *crcs = false;
    for (uint64_t i = 0; i < pairs; i++) {
        char key[32];
        if (!pst_cursor_text(&cursor, key, sizeof key) ||
            !parse_value(reader, &cursor, key, fields, count, crcs))
            return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!fields[i].seen)
            return false;
    }
    return cursor.at == cursor.end;
}
