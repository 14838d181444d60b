/* The bytes of the format; see wire.h. Heads as in the MessagePack specification, "Formats". */
#include "lib/stream/wire.h"

#include <math.h>
#include <string.h>

/* ---- tokens ------------------------------------------------------------------------------------------- */

static uint64_t big_endian(const uint8_t *bytes, size_t count)
{
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++)
        number = number << 8 | bytes[i];
    return number;
}

/* The heads 0xc0 … 0xdf: their kind, and how many bytes of number follow. */
static const struct {
    enum pst_token_kind kind;
    uint8_t width;
} wide_heads[32] = {
    { PST_TOKEN_NIL, 0 },   { PST_TOKEN_OTHER, 0 }, { PST_TOKEN_BOOL, 0 },  { PST_TOKEN_BOOL, 0 },
    { PST_TOKEN_BIN, 1 },   { PST_TOKEN_BIN, 2 },   { PST_TOKEN_BIN, 4 },   { PST_TOKEN_OTHER, 0 },
    { PST_TOKEN_OTHER, 0 }, { PST_TOKEN_OTHER, 0 }, { PST_TOKEN_FLOAT, 4 }, { PST_TOKEN_FLOAT, 8 },
    { PST_TOKEN_UINT, 1 },  { PST_TOKEN_UINT, 2 },  { PST_TOKEN_UINT, 4 },  { PST_TOKEN_UINT, 8 },
    { PST_TOKEN_INT, 1 },   { PST_TOKEN_INT, 2 },   { PST_TOKEN_INT, 4 },   { PST_TOKEN_INT, 8 },
    { PST_TOKEN_OTHER, 0 }, { PST_TOKEN_OTHER, 0 }, { PST_TOKEN_OTHER, 0 }, { PST_TOKEN_OTHER, 0 },
    { PST_TOKEN_OTHER, 0 }, { PST_TOKEN_STR, 1 },   { PST_TOKEN_STR, 2 },   { PST_TOKEN_STR, 4 },
    { PST_TOKEN_ARRAY, 2 }, { PST_TOKEN_ARRAY, 4 }, { PST_TOKEN_MAP, 2 },   { PST_TOKEN_MAP, 4 },
};

static size_t read_wide(const uint8_t *bytes, size_t size, struct pst_token *token)
{
    size_t head = bytes[0] - 0xc0U;
    size_t width = wide_heads[head].width;
    if (size < 1 + width)
        return 0;
    token->kind = wide_heads[head].kind;
    token->number = token->kind == PST_TOKEN_BOOL ? head & 1 : big_endian(bytes + 1, width);
    if (token->kind == PST_TOKEN_INT) {
        /* An INT has a width. NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
        uint64_t sign = (uint64_t)1 << (8 * width - 1);
        token->number = (token->number ^ sign) - sign;
        if (token->number >> 63 == 0)
            token->kind = PST_TOKEN_UINT;
    }
    return 1 + width;
}

size_t pst_token_read(const uint8_t *bytes, size_t size, struct pst_token *token)
{
    if (size == 0)
        return 0;
    uint8_t head = bytes[0];
    if (head >= 0xc0 && head <= 0xdf)
        return read_wide(bytes, size, token);
    if (head < 0x80)
        *token = (struct pst_token){ PST_TOKEN_UINT, head };
    else if (head < 0x90)
        *token = (struct pst_token){ PST_TOKEN_MAP, head & 0x0fU };
    else if (head < 0xa0)
        *token = (struct pst_token){ PST_TOKEN_ARRAY, head & 0x0fU };
    else if (head < 0xc0)
        *token = (struct pst_token){ PST_TOKEN_STR, head & 0x1fU };
    else
        *token = (struct pst_token){ PST_TOKEN_INT, head | ~(uint64_t)0xff };
    return 1;
}

bool pst_cursor_next(struct pst_cursor *cursor, struct pst_token *token, const uint8_t **bytes)
{
    size_t head = pst_token_read(cursor->at, (size_t)(cursor->end - cursor->at), token);
    if (head == 0 || token->kind == PST_TOKEN_OTHER)
        return false;
    cursor->at += head;
    *bytes = cursor->at;
    if (token->kind == PST_TOKEN_STR || token->kind == PST_TOKEN_BIN) {
        if (token->number > (size_t)(cursor->end - cursor->at))
            return false;
        cursor->at += token->number;
    }
    return true;
}

/* Steps over one token, which must be of this kind. */
static bool next_of(struct pst_cursor *cursor, enum pst_token_kind kind, uint64_t *number,
                    const uint8_t **bytes)
{
    struct pst_token token;
    bool good = pst_cursor_next(cursor, &token, bytes) && token.kind == kind;
    *number = token.number;
    return good;
}

bool pst_cursor_map(struct pst_cursor *cursor, uint64_t *pairs)
{
    const uint8_t *bytes;
    return next_of(cursor, PST_TOKEN_MAP, pairs, &bytes);
}

bool pst_cursor_text(struct pst_cursor *cursor, char *text, size_t size)
{
    const uint8_t *bytes;
    uint64_t length;
    if (!next_of(cursor, PST_TOKEN_STR, &length, &bytes) || length >= size)
        return false;
    memcpy(text, bytes, length);
    text[length] = '\0';
    return true;
}

bool pst_cursor_skip(struct pst_cursor *cursor)
{
    enum { DEEPEST = 16 };
    uint64_t left[DEEPEST]; /* values that have yet to come at each depth */
    size_t depth = 0;
    left[0] = 1;
    for (;;) {
        while (left[depth] == 0) {
            if (depth == 0)
                return true;
            depth--;
        }
        left[depth]--;
        struct pst_token token;
        const uint8_t *bytes;
        if (!pst_cursor_next(cursor, &token, &bytes))
            return false;
        if (token.kind != PST_TOKEN_ARRAY && token.kind != PST_TOKEN_MAP)
            continue;
        if (++depth == DEEPEST || token.number > (size_t)(cursor->end - cursor->at))
            return false; /* every value takes at least a byte */
        left[depth] = token.kind == PST_TOKEN_MAP ? 2 * token.number : token.number;
    }
}

/* ---- maps of numbers ---------------------------------------------------------------------------------- */

static bool take_field(struct pst_cursor *cursor, struct pst_meta_field *field)
{
    const uint8_t *bytes;
    uint64_t length = 1;
    bool good = !field->seen;
    field->seen = true;
    if (field->list)
        good = good && next_of(cursor, PST_TOKEN_ARRAY, &length, &bytes) && length == field->length;
    for (size_t i = 0; good && i < length; i++)
        good = next_of(cursor, PST_TOKEN_UINT, &field->numbers[i], &bytes) &&
               (field->most == 0 || field->numbers[i] <= field->most);
    return good;
}

/* Takes the value of a key, or steps over it if this version does not use the key. */
static bool take_value(struct pst_cursor *cursor, const char *key, struct pst_meta_field *fields,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(key, fields[i].name) == 0)
            return take_field(cursor, &fields[i]);
    }
    return pst_cursor_skip(cursor);
}

bool pst_meta_take(const void *meta, size_t size, struct pst_meta_field *fields, size_t count)
{
    struct pst_cursor cursor = { .at = meta, .end = (const uint8_t *)meta + size };
    uint64_t pairs;
    bool good = pst_cursor_map(&cursor, &pairs);
    for (uint64_t i = 0; good && i < pairs; i++) {
        char key[32];
        good = pst_cursor_text(&cursor, key, sizeof key) && take_value(&cursor, key, fields, count);
    }
    for (size_t i = 0; good && i < count; i++)
        good = fields[i].seen || fields[i].optional;
    return good && cursor.at == cursor.end;
}

/* ---- JSON values -------------------------------------------------------------------------------------- */

static json_t *to_json(const msgpack_object *object);

static json_t *array_to_json(const msgpack_object_array *array)
{
    json_t *value = json_array();
    for (uint32_t i = 0; i < array->size; i++) {
        if (json_array_append_new(value, to_json(&array->ptr[i])) != 0) {
            json_decref(value);
            return NULL;
        }
    }
    return value;
}

static json_t *map_to_json(const msgpack_object_map *map)
{
    json_t *value = json_object();
    for (uint32_t i = 0; i < map->size; i++) {
        const msgpack_object *key = &map->ptr[i].key;
        bool text = key->type == MSGPACK_OBJECT_STR && memchr(key->via.str.ptr, 0, key->via.str.size) == NULL;
        json_t *name = text ? json_stringn(key->via.str.ptr, key->via.str.size) : NULL;
        bool added = name != NULL && json_object_get(value, json_string_value(name)) == NULL &&
                     json_object_set_new(value, json_string_value(name), to_json(&map->ptr[i].val)) == 0;
        json_decref(name);
        if (!added) {
            json_decref(value);
            return NULL;
        }
    }
    return value;
}

/* Depth is bounded: pst_unpack_json has stepped over the whole value before. */
static json_t *to_json(const msgpack_object *object)
{
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
        return json_null();
    case MSGPACK_OBJECT_BOOLEAN:
        return json_boolean(object->via.boolean);
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        return object->via.u64 > INT64_MAX ? NULL : json_integer((json_int_t)object->via.u64);
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return json_integer(object->via.i64);
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return isfinite(object->via.f64) ? json_real(object->via.f64) : NULL;
    case MSGPACK_OBJECT_STR:
        return json_stringn(object->via.str.ptr, object->via.str.size);
    case MSGPACK_OBJECT_ARRAY:
        return array_to_json(&object->via.array);
    case MSGPACK_OBJECT_MAP:
        return map_to_json(&object->via.map);
    case MSGPACK_OBJECT_BIN:
    case MSGPACK_OBJECT_EXT:
        return NULL;
    }
    return NULL;
}

/* Limits of metadata: an empty map takes one byte there, and about 240 in memory. */
enum { MOST_VALUES = 1 << 19, MOST_CONTAINERS = 1 << 16 };

/* Whether it is one value, with no more parts than these limits. */
static bool is_one_value(const uint8_t *bytes, size_t size)
{
    struct pst_cursor cursor = { .at = bytes, .end = bytes + size };
    struct pst_token token;
    const uint8_t *content;
    size_t values = 0, containers = 0;
    if (!pst_cursor_skip(&cursor) || cursor.at != cursor.end)
        return false;
    for (cursor.at = bytes; cursor.at != cursor.end && pst_cursor_next(&cursor, &token, &content); values++)
        containers += token.kind == PST_TOKEN_ARRAY || token.kind == PST_TOKEN_MAP;
    return values <= MOST_VALUES && containers <= MOST_CONTAINERS;
}

json_t *pst_unpack_json(const void *bytes, size_t size)
{
    /* msgpack-c reserves memory for the size in a head, so these sizes are checked first. */
    if (!is_one_value(bytes, size))
        return NULL;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t offset = 0;
    json_t *value = NULL;
    msgpack_unpack_return result = msgpack_unpack_next(&unpacked, bytes, size, &offset);
    if (result == MSGPACK_UNPACK_SUCCESS)
        value = to_json(&unpacked.data);
    else if (result == MSGPACK_UNPACK_NOMEM_ERROR)
        pst_mark_shortage();
    msgpack_unpacked_destroy(&unpacked);
    return value;
}

void pst_json_put(json_t **object, const char *name, json_t *value)
{
    if (json_object_set_new(*object, name, value) == 0)
        return;
    json_decref(*object);
    *object = NULL;
}

bool pst_json_text(const json_t *value, char *text, size_t size)
{
    size_t length = json_string_length(value);
    if (!json_is_string(value) || length == 0 || length >= size || strlen(json_string_value(value)) != length)
        return false;
    memcpy(text, json_string_value(value), length + 1);
    return true;
}

/* ---- writing ------------------------------------------------------------------------------------------ */

int pst_packed_append(void *packed, const char *bytes, size_t size)
{
    struct pst_packed *target = packed;
    size_t needed = target->size + size;
    if (needed > target->buffer.capacity &&
        pst_buffer_reserve(&target->buffer, 2 * needed, target->size, NULL) != PST_OK) {
        target->failed = true;
        return -1;
    }
    memcpy((char *)target->buffer.data + target->size, bytes, size);
    target->size = needed;
    return 0;
}

msgpack_packer pst_packer(struct pst_packed *packed)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, packed, pst_packed_append);
    return packer;
}

void pst_pack_text(msgpack_packer *packer, const char *text)
{
    msgpack_pack_str_with_body(packer, text, strlen(text));
}

void pst_pack_pair(msgpack_packer *packer, const char *name, uint64_t number)
{
    pst_pack_text(packer, name);
    msgpack_pack_uint64(packer, number);
}

static void pack_object(msgpack_packer *packer, const json_t *object)
{
    msgpack_pack_map(packer, json_object_size(object));
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        pst_pack_text(packer, key);
        pst_pack_json(packer, value);
    }
}

void pst_pack_json(msgpack_packer *packer, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        pack_object(packer, value);
        break;
    case JSON_ARRAY:
        msgpack_pack_array(packer, json_array_size(value));
        for (size_t i = 0; i < json_array_size(value); i++)
            pst_pack_json(packer, json_array_get(value, i));
        break;
    case JSON_STRING:
        msgpack_pack_str_with_body(packer, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        msgpack_pack_int64(packer, json_integer_value(value));
        break;
    case JSON_REAL:
        msgpack_pack_double(packer, json_real_value(value));
        break;
    case JSON_TRUE:
        msgpack_pack_true(packer);
        break;
    case JSON_FALSE:
        msgpack_pack_false(packer);
        break;
    case JSON_NULL:
        msgpack_pack_nil(packer);
        break;
    }
}
