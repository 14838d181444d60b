/* Headers with right checksums and false statements. */
#include "tests/unit/stream_fixture.h"

#include <math.h>

#define BASE "\"format\":1,\"run\":\"00\",\"history\":[]"
#define TENSOR(more) "{" BASE ",\"tensors\":[{\"name\":\"a\"," more "}]}"

static void a_header_that_is_not_as_it_should_be_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *words;
    } headers[] = {
        { "[]", "not a map" },
        { "3", "not a map" },
        { "{}", "format version" },
        { "{\"format\":3,\"run\":\"00\",\"history\":[],\"tensors\":[]}", "newer" },
        { "{\"format\":0,\"run\":\"00\",\"history\":[],\"tensors\":[]}", "format version" },
        { "{\"format\":\"1\",\"run\":\"00\",\"history\":[],\"tensors\":[]}", "format version" },
        { "{\"format\":1,\"history\":[],\"tensors\":[]}", "run" },
        { "{\"format\":1,\"run\":5,\"history\":[],\"tensors\":[]}", "run" },
        { "{\"format\":1,\"run\":\"000000000000000000000000000000000\",\"history\":[],\"tensors\":[]}",
          "run" },
        { "{\"format\":1,\"run\":\"00\",\"tensors\":[]}", "history" },
        { "{\"format\":1,\"run\":\"00\",\"history\":{},\"tensors\":[]}", "history" },
        { "{" BASE "}", "list of tensors" },
        { "{" BASE ",\"tensors\":{}}", "list of tensors" },
        { "{" BASE ",\"tensors\":[],\"classes\":-1}", "'classes' is " },
        { "{" BASE ",\"tensors\":[],\"samples\":1.5}", "'samples' is " },
        { "{" BASE ",\"tensors\":[],\"first\":9007199254740993}", "'first' is " },
        { "{" BASE ",\"tensors\":[],\"epochs\":\"3\"}", "'epochs' is " },
        { "{" BASE ",\"tensors\":[],\"batches\":[]}", "'batches' is " },
        { "{" BASE ",\"tensors\":[7]}", "tensor 0" },
        { "{" BASE ",\"tensors\":[{}]}", "tensor 0" },
        { TENSOR("\"dtype\":\"f64\",\"shape\":[]"), "'dtype' is \"f64\", and not one of u8" },
        { TENSOR("\"dtype\":4,\"shape\":[]"), "'dtype' is 4" },
        { TENSOR("\"shape\":[]"), "'dtype' is missing" },
        { TENSOR("\"dtype\":\"f32\""), "'shape' is missing" },
        { TENSOR("\"dtype\":\"f32\",\"shape\":3"), "'shape' is 3" },
        { TENSOR("\"dtype\":\"f32\",\"shape\":[0]"), "'shape' is [0]" },
        { TENSOR("\"dtype\":\"f32\",\"shape\":[-1]"), "'shape' is [-1]" },
        { TENSOR("\"dtype\":\"f32\",\"shape\":[2.0]"), "tensor 0" },
        { TENSOR("\"dtype\":\"u8\",\"shape\":[4611686018427387904]"), "out of bounds" },
        { TENSOR("\"dtype\":\"u64\",\"shape\":[2305843009213693952]"), "out of bounds" },
        { TENSOR("\"dtype\":\"u8\",\"shape\":[4294967296,4294967296]"), "out of bounds" },
        { TENSOR("\"dtype\":\"u8\",\"shape\":[1,1,1,1,1,1,1,1]"), "tensor 0" },
        { TENSOR("\"dtype\":\"u8\",\"shape\":[],\"scale\":\"1\""), "'scale' is" },
        { TENSOR("\"dtype\":\"u8\",\"shape\":[],\"offset\":[]"), "'offset' is []" },
        { TENSOR("\"dtype\":\"f32\",\"shape\":[],\"temperature\":-1"), "'temperature' is -1" },
        { TENSOR("\"dtype\":\"f32\",\"shape\":[],\"origin\":\"ab\""), "'origin' is" },
        { TENSOR("\"dtype\":\"f32\",\"shape\":[],\"origin\":7"), "'origin' is 7" },
        { "{" BASE ",\"tensors\":[],\"lineage\":[]}", "lineage is not a map" },
        { "{" BASE ",\"tensors\":[],\"lineage\":{\"ab\":{\"stage\":\"s\"}}}", "it was changed" },
        { "{" BASE ",\"tensors\":[],\"lineage\":{\"ab\":{\"stage\":\"s\",\"T\":4}}}", "not a map of texts" },
        { "{" BASE ",\"tensors\":[],\"lineage\":{\"ab\":{\"from\":[]}}}", "not a map of texts" },
        { "{" BASE ",\"tensors\":[],\"lineage\":{\"ab\":7}}", "not a map of texts" },
        { "{" BASE ",\"tensors\":[{\"name\":\"\",\"dtype\":\"u8\",\"shape\":[]}]}", "tensor 0" },
        { "{" BASE ",\"tensors\":[{\"name\":7,\"dtype\":\"u8\",\"shape\":[]}]}", "tensor 0" },
        { "{" BASE ",\"tensors\":[{\"name\":\"id\",\"dtype\":\"i32\",\"shape\":[]}]}", "'id'" },
        { "{" BASE ",\"tensors\":[{\"name\":\"id\",\"dtype\":\"u64\",\"shape\":[2]}]}", "'id'" },
        { "{" BASE ",\"tensors\":[{\"name\":\"a\",\"dtype\":\"u8\",\"shape\":[]},"
          "{\"name\":\"a\",\"dtype\":\"u8\",\"shape\":[]}]}",
          "'a'" },
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct recorded recorded = { 0 };
        append_json(&recorded, "header", headers[i].json);
        assert_refused(&recorded, headers[i].words);
    }
}

static void an_id_of_the_wrong_kind_cannot_be_declared(void **state)
{
    (void)state;
    struct pst_header header;
    struct pst_error error;
    assert_int_equal(pst_header_new(&header, NULL), PST_OK);
    struct pst_tensor_spec narrow = { .name = "id", .dtype = PST_DTYPE_I32 };
    struct pst_tensor_spec several = { .name = "id", .dtype = PST_DTYPE_U64, .rank = 1, .shape = { 2 } };
    assert_int_equal(pst_header_add_tensor(&header, &narrow, NULL, &error), PST_BAD_DATA);
    assert_int_equal(pst_header_add_tensor(&header, &several, NULL, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "'id'"));
    pst_header_free(&header);
}

/* Packs a header by hand, with what JSON cannot hold. */
static void pack_header(msgpack_packer *packer, uint32_t keys)
{
    msgpack_pack_map(packer, 4 + keys);
    pst_pack_pair(packer, "format", 1);
    pst_pack_text(packer, "run");
    pst_pack_text(packer, "00");
    pst_pack_text(packer, "history");
    msgpack_pack_array(packer, 0);
    pst_pack_text(packer, "tensors");
}

static void a_number_that_is_not_finite_is_refused(void **state)
{
    (void)state;
    static const double numbers[] = { NAN, INFINITY, -INFINITY };
    for (size_t i = 0; i < 3; i++) {
        struct pst_packed packed = { 0 };
        struct recorded recorded = { 0 };
        msgpack_packer packer = pst_packer(&packed);
        pack_header(&packer, 0);
        msgpack_pack_array(&packer, 1);
        msgpack_pack_map(&packer, 4);
        pst_pack_text(&packer, "name");
        pst_pack_text(&packer, "soft");
        pst_pack_text(&packer, "dtype");
        pst_pack_text(&packer, "f32");
        pst_pack_text(&packer, "shape");
        msgpack_pack_array(&packer, 0);
        pst_pack_text(&packer, "temperature");
        msgpack_pack_double(&packer, numbers[i]);
        append_packed(&recorded, "header", &packed);
        assert_refused(&recorded, "metadata");
    }
}

static void keys_of_a_header_that_cannot_be_handed_on_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } extra[] = {
        { "\xa3run\xa1x", 6 }, /* twice */
        { "\x05\x05", 2 },     /* a number as a key */
        { "\xa3"
          "a\0b\x05",
          5 },                                               /* a NUL in a key */
        { "\xa1\xff\x05", 3 },                               /* not UTF-8 */
        { "\xa1z\xc4\x01z", 5 },                             /* a value that JSON does not have */
        { "\xa1z\xd4\x01z", 5 },                             /* an extension */
        { "\xa1z\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 11 }, /* larger than JSON's integers here */
        { "\xa1z\xc1", 3 },                                  /* a byte that MessagePack never uses */
        { "\xa1z", 2 },                                      /* a key without a value */
        { "\xa1z\x05\x05", 4 },                              /* more than the map announces */
    };
    for (size_t i = 0; i < sizeof extra / sizeof *extra; i++) {
        struct pst_packed packed = { 0 };
        struct recorded recorded = { 0 };
        msgpack_packer packer = pst_packer(&packed);
        pack_header(&packer, 1);
        msgpack_pack_array(&packer, 0);
        pst_packed_append(&packed, extra[i].bytes, extra[i].size);
        append_packed(&recorded, "header", &packed);
        assert_refused(&recorded, "metadata");
    }
}

/* As many tensors as metadata has room for. */
static void too_many_tensors_are_refused(void **state)
{
    (void)state;
    struct pst_packed packed = { 0 };
    struct recorded recorded = { 0 };
    msgpack_packer packer = pst_packer(&packed);
    pack_header(&packer, 0);
    enum { COUNT = PST_MAX_TENSORS + 1 };
    msgpack_pack_array(&packer, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", i);
        msgpack_pack_map(&packer, 3);
        pst_pack_text(&packer, "name");
        pst_pack_text(&packer, name);
        pst_pack_text(&packer, "dtype");
        pst_pack_text(&packer, "u8");
        pst_pack_text(&packer, "shape");
        msgpack_pack_array(&packer, 0);
    }
    append_packed(&recorded, "header", &packed);
    assert_refused(&recorded, "tensors");
    pack_header(&packer, 0);
    msgpack_pack_array(&packer, 100000);
    append_packed(&recorded, "header", &packed);
    assert_refused(&recorded, "metadata");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_that_is_not_as_it_should_be_is_refused),
        cmocka_unit_test(an_id_of_the_wrong_kind_cannot_be_declared),
        cmocka_unit_test(a_number_that_is_not_finite_is_refused),
        cmocka_unit_test(keys_of_a_header_that_cannot_be_handed_on_are_refused),
        cmocka_unit_test(too_many_tensors_are_refused),
    };
    return cmocka_run_group_tests_name("headers that lie", tests, NULL, NULL);
}
