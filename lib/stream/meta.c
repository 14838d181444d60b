/* Metadata: MessagePack by msgpack-c on one side, JSON values by jansson on the other. */
#include "lib/stream/codec.h"
#include "lib/stream/token.h"

#include <math.h>
#include <string.h>

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

json_t *pst_unpack_json(const void *bytes, size_t size)
{
    /* msgpack-c reserves what a head announces, so the announcements are checked first. */
    struct pst_cursor cursor = { .at = bytes, .end = (const uint8_t *)bytes + size };
    if (!pst_cursor_skip(&cursor) || cursor.at != cursor.end)
        return NULL;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t offset = 0;
    json_t *value = NULL;
    if (msgpack_unpack_next(&unpacked, bytes, size, &offset) == MSGPACK_UNPACK_SUCCESS)
        value = to_json(&unpacked.data);
    msgpack_unpacked_destroy(&unpacked);
    return value;
}
