/* MessagePack tokens: every head, and steps over values as long as msgpack-c's. */
#include "lib/stream/wire.h"

#include "tests/unit/stream_fixture.h"

/* The MessagePack specification, "Formats": what a head byte begins, and how long the head is. */
static enum pst_token_kind kind_of(unsigned head)
{
    static const enum pst_token_kind from_c0[32] = {
        PST_TOKEN_NIL,   PST_TOKEN_OTHER, PST_TOKEN_BOOL,  PST_TOKEN_BOOL,  PST_TOKEN_BIN,   PST_TOKEN_BIN,
        PST_TOKEN_BIN,   PST_TOKEN_OTHER, PST_TOKEN_OTHER, PST_TOKEN_OTHER, PST_TOKEN_FLOAT, PST_TOKEN_FLOAT,
        PST_TOKEN_UINT,  PST_TOKEN_UINT,  PST_TOKEN_UINT,  PST_TOKEN_UINT,  PST_TOKEN_INT,   PST_TOKEN_INT,
        PST_TOKEN_INT,   PST_TOKEN_INT,   PST_TOKEN_OTHER, PST_TOKEN_OTHER, PST_TOKEN_OTHER, PST_TOKEN_OTHER,
        PST_TOKEN_OTHER, PST_TOKEN_STR,   PST_TOKEN_STR,   PST_TOKEN_STR,   PST_TOKEN_ARRAY, PST_TOKEN_ARRAY,
        PST_TOKEN_MAP,   PST_TOKEN_MAP,
    };
    if (head < 0x80)
        return PST_TOKEN_UINT;
    if (head < 0x90)
        return PST_TOKEN_MAP;
    if (head < 0xa0)
        return PST_TOKEN_ARRAY;
    if (head < 0xc0)
        return PST_TOKEN_STR;
    return head >= 0xe0 ? PST_TOKEN_INT : from_c0[head - 0xc0];
}

static void every_head_byte_is_what_the_specification_says(void **state)
{
    (void)state;
    for (unsigned head = 0; head < 256; head++) {
        uint8_t bytes[PST_TOKEN_MOST] = { (uint8_t)head, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
        struct pst_token token;
        assert_true(pst_token_read(bytes, sizeof bytes, &token) >= 1);
        assert_int_equal(token.kind, kind_of(head));
    }
}

static void a_head_that_is_cut_off_is_not_read(void **state)
{
    (void)state;
    for (unsigned head = 0; head < 256; head++) {
        uint8_t bytes[PST_TOKEN_MOST] = { (uint8_t)head };
        struct pst_token token;
        size_t length = pst_token_read(bytes, sizeof bytes, &token);
        for (size_t size = 0; size < length; size++)
            assert_int_equal(pst_token_read(bytes, size, &token), 0);
        assert_int_equal(pst_token_read(bytes, length, &token), length);
    }
}

static void check_number(int64_t number)
{
    struct pst_packed packed = { 0 };
    msgpack_packer packer = pst_packer(&packed);
    msgpack_pack_int64(&packer, number);
    msgpack_pack_fix_int64(&packer, number); /* the same, not as short as possible */
    struct pst_cursor cursor = { packed.buffer.data, (const uint8_t *)packed.buffer.data + packed.size };
    for (int i = 0; i < 2; i++) {
        struct pst_token token;
        const uint8_t *bytes;
        assert_true(pst_cursor_next(&cursor, &token, &bytes));
        assert_int_equal(token.kind, number < 0 ? PST_TOKEN_INT : PST_TOKEN_UINT);
        assert_true(token.number == (uint64_t)number);
    }
    assert_ptr_equal(cursor.at, cursor.end);
    pst_buffer_free(&packed.buffer);
}

static void numbers_of_every_width_are_read(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 63; bit++) {
        int64_t power = (int64_t)1 << bit;
        for (int64_t number = power - 1; number <= power + 1; number++) {
            check_number(number);
            check_number(-number);
        }
    }
    check_number(INT64_MAX);
    check_number(INT64_MIN);
}

/* Random bytes that tend to be valid: mostly small values, containers and strings. */
static void random_bytes(struct pst_random *random, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)pst_random_u32(random);
        bytes[i] = pst_random_below(random, 3) == 0 ? byte : byte & 0x9f;
    }
    /* msgpack-c reserves what a 32-bit length announces, so such lengths stay small here. */
    for (size_t i = 0; i + 4 < size; i++) {
        if (bytes[i] == 0xdd || bytes[i] == 0xdf)
            bytes[i + 1] = bytes[i + 2] = bytes[i + 3] = 0;
    }
}

static bool has_extension(const msgpack_object *object)
{
    bool found = object->type == MSGPACK_OBJECT_EXT;
    if (object->type == MSGPACK_OBJECT_ARRAY)
        for (uint32_t i = 0; i < object->via.array.size; i++)
            found = found || has_extension(&object->via.array.ptr[i]);
    if (object->type == MSGPACK_OBJECT_MAP)
        for (uint32_t i = 0; i < object->via.map.size; i++)
            found = found || has_extension(&object->via.map.ptr[i].key) ||
                    has_extension(&object->via.map.ptr[i].val);
    return found;
}

static size_t depth_of(const msgpack_object *object)
{
    size_t deepest = 0;
    if (object->type == MSGPACK_OBJECT_ARRAY)
        for (uint32_t i = 0; i < object->via.array.size; i++)
            deepest =
                deepest > depth_of(&object->via.array.ptr[i]) ? deepest : depth_of(&object->via.array.ptr[i]);
    if (object->type == MSGPACK_OBJECT_MAP)
        for (uint32_t i = 0; i < object->via.map.size; i++) {
            size_t key = depth_of(&object->via.map.ptr[i].key), value = depth_of(&object->via.map.ptr[i].val);
            deepest = deepest > key ? deepest : key;
            deepest = deepest > value ? deepest : value;
        }
    return deepest + (object->type == MSGPACK_OBJECT_ARRAY || object->type == MSGPACK_OBJECT_MAP);
}

static void the_cursor_steps_over_what_msgpack_c_unpacks(void **state)
{
    (void)state;
    struct pst_random random;
    pst_random_start(&random, 2, 1, 0, 0);
    unsigned stepped = 0, refused = 0;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[48];
        size_t size = 1 + pst_random_below(&random, sizeof bytes);
        random_bytes(&random, bytes, size);
        msgpack_unpacked unpacked;
        msgpack_unpacked_init(&unpacked);
        size_t offset = 0;
        bool expected =
            msgpack_unpack_next(&unpacked, (const char *)bytes, size, &offset) == MSGPACK_UNPACK_SUCCESS &&
            !has_extension(&unpacked.data) && depth_of(&unpacked.data) < 16;
        msgpack_unpacked_destroy(&unpacked);
        struct pst_cursor cursor = { bytes, bytes + size };
        assert_int_equal(pst_cursor_skip(&cursor), expected);
        if (expected)
            assert_int_equal(cursor.at - bytes, offset);
        stepped += expected;
        refused += !expected;
    }
    assert_true(stepped > 1000 && refused > 1000);
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    uint8_t bytes[1001];
    memset(bytes, 0x91, sizeof bytes); /* [[[… */
    for (size_t depth = 0; depth <= 1000; depth++) {
        bytes[depth] = 0xc0;
        struct pst_cursor cursor = { bytes, bytes + depth + 1 };
        assert_int_equal(pst_cursor_skip(&cursor), depth < 16);
        bytes[depth] = 0x91;
    }
}

static void a_text_must_fit_its_place(void **state)
{
    (void)state;
    const uint8_t bytes[] = { 0xa4, 'n', 'a', 'm', 'e' };
    char text[5];
    struct pst_cursor cursor = { bytes, bytes + 5 };
    assert_true(pst_cursor_text(&cursor, text, 5));
    assert_string_equal(text, "name");
    cursor.at = bytes;
    assert_false(pst_cursor_text(&cursor, text, 4));
    cursor = (struct pst_cursor){ bytes, bytes + 4 };
    assert_false(pst_cursor_text(&cursor, text, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_head_byte_is_what_the_specification_says),
        cmocka_unit_test(a_head_that_is_cut_off_is_not_read),
        cmocka_unit_test(numbers_of_every_width_are_read),
        cmocka_unit_test(the_cursor_steps_over_what_msgpack_c_unpacks),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(a_text_must_fit_its_place),
    };
    return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
