/* Batches and trailers with right checksums and false statements. */
#include "tests/unit/stream_fixture.h"

#define BASE "\"format\":1,\"run\":\"00\",\"history\":[]"
#define ONE_TENSOR "{" BASE ",\"tensors\":[{\"name\":\"y\",\"dtype\":\"i32\",\"shape\":[]}]}"

static int32_t labels[4] = { 1, 2, 3, 4 };

/* Appends a batch of up to four labels whose metadata is `meta`; %u in it stands for the true checksum. */
static void append_batch(struct recorded *recorded, const char *meta, uint8_t n)
{
    char text[512];
    snprintf(text, sizeof text, "%s", meta);
    const char *hole = strstr(meta, "%u");
    if (hole != NULL)
        snprintf(text + (hole - meta), sizeof text - (size_t)(hole - meta), "%u%s",
                 pst_crc32c(0, labels, 4UL * n), hole + 2);
    append_json(recorded, "batch", text);
    const uint8_t head[] = { 0xa4, 'd', 'a', 't', 'a', 0x91, 0xc4, (uint8_t)(4 * n) };
    append(recorded, head, sizeof head);
    append(recorded, labels, 4UL * n);
}

static void a_batch_that_is_not_as_it_should_be_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *meta;
        uint8_t n;
        const char *words;
    } batches[] = {
        { "{\"seq\":1,\"epoch\":0,\"n\":1,\"crcs\":[%u]}", 1, "gap" },
        { "{\"seq\":0,\"epoch\":0,\"n\":0,\"crcs\":[%u]}", 0, "0 samples" },
        { "{\"seq\":0,\"epoch\":0,\"n\":2,\"crcs\":[%u]}", 1, "4 bytes" },
        { "{\"seq\":0,\"epoch\":0,\"n\":1,\"crcs\":[%u]}", 2, "8 bytes" },
        { "{\"seq\":0,\"epoch\":0,\"n\":4611686018427387905,\"crcs\":[%u]}", 1, "limit" },
        { "{\"seq\":0,\"epoch\":0,\"n\":100000000,\"crcs\":[%u]}", 1, "limit" },
        { "{\"seq\":0,\"epoch\":0,\"n\":-1,\"crcs\":[%u]}", 1, "metadata" },
        { "{\"seq\":0,\"epoch\":0,\"n\":1.0,\"crcs\":[%u]}", 1, "metadata" },
        { "{\"seq\":0,\"epoch\":0,\"n\":\"1\",\"crcs\":[%u]}", 1, "metadata" },
        { "{\"seq\":0,\"epoch\":0,\"n\":1}", 1, "metadata" },
        { "{\"seq\":0,\"n\":1,\"crcs\":[%u]}", 1, "metadata" },
        { "{\"epoch\":0,\"n\":1,\"crcs\":[%u]}", 1, "metadata" },
        { "{\"seq\":0,\"epoch\":0,\"n\":1,\"crcs\":[]}", 1, "metadata" },
        { "{\"seq\":0,\"epoch\":0,\"n\":1,\"crcs\":[%u,1]}", 1, "metadata" },
        { "{\"seq\":0,\"epoch\":0,\"n\":1,\"crcs\":[4294967296]}", 1, "metadata" },
        { "{\"seq\":0,\"epoch\":0,\"n\":1,\"crcs\":7}", 1, "metadata" },
        { "{\"seq\":0,\"epoch\":0,\"n\":1,\"crcs\":[7]}", 1, "checksum of tensor 'y'" },
        { "[]", 1, "metadata" },
    };
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        struct recorded recorded = { 0 };
        append_json(&recorded, "header", ONE_TENSOR);
        append_batch(&recorded, batches[i].meta, batches[i].n);
        assert_refused(&recorded, batches[i].words);
    }
}

static void a_key_that_comes_twice_in_a_batch_is_refused(void **state)
{
    (void)state;
    static const char *const keys[] = { "seq", "epoch", "n", "crcs" };
    for (size_t i = 0; i < 4; i++) {
        struct pst_packed packed = { 0 };
        struct recorded recorded = { 0 };
        append_json(&recorded, "header", ONE_TENSOR);
        msgpack_packer packer = pst_packer(&packed);
        msgpack_pack_map(&packer, 5);
        pst_pack_pair(&packer, "seq", 0);
        pst_pack_pair(&packer, "epoch", 0);
        pst_pack_pair(&packer, "n", 1);
        for (size_t twice = 0; twice < 2; twice++) {
            pst_pack_text(&packer, twice == 0 ? "crcs" : keys[i]);
            if (twice == 0 || i == 3) {
                msgpack_pack_array(&packer, 1);
                msgpack_pack_uint32(&packer, pst_crc32c(0, labels, 4));
            } else
                msgpack_pack_uint32(&packer, i == 2);
        }
        append_packed(&recorded, "batch", &packed);
        append(&recorded,
               "\xa4"
               "data"
               "\x91\xc4\x04",
               8);
        append(&recorded, labels, 4);
        assert_refused(&recorded, "metadata");
    }
}

#define FIRST "{\"seq\":0,\"epoch\":0,\"n\":1,\"crcs\":[%u]}"

static void a_repeat_is_refused(void **state)
{
    (void)state;
    struct recorded recorded = { 0 };
    append_json(&recorded, "header", ONE_TENSOR);
    append_batch(&recorded, FIRST, 1);
    append_batch(&recorded, FIRST, 1);
    assert_refused(&recorded, "batch 1: batch 0 came, a repeat");
}

static void a_message_over_the_limit_is_refused(void **state)
{
    (void)state;
    struct recorded recorded = { 0 };
    append_json(&recorded, "header",
                "{" BASE ",\"tensors\":[{\"name\":\"y\",\"dtype\":\"i32\",\"shape\":[1024]}]}");
    append_batch(&recorded, FIRST, 1);
    assert_refused_at(&recorded, 4095, "limit of 4095 bytes (--max-message)");
    append_json(&recorded, "header", ONE_TENSOR);
    assert_refused_at(&recorded, 16, "metadata of");
}

static void a_second_header_is_refused(void **state)
{
    (void)state;
    struct recorded recorded = { 0 };
    append_json(&recorded, "header", ONE_TENSOR);
    append_json(&recorded, "header", ONE_TENSOR);
    assert_refused(&recorded, "a second header");
}

static void a_stream_that_begins_with_something_else_is_refused(void **state)
{
    (void)state;
    struct recorded recorded = { 0 };
    append_batch(&recorded, FIRST, 1);
    assert_refused(&recorded, "does not begin with a header");
    append_json(&recorded, "trailer", "{}");
    assert_refused(&recorded, "does not begin with a header");
}

static void a_trailer_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *meta, *words;
    } trailers[] = {
        { "{\"batches\":1,\"samples\":0,\"batch_checksum\":0,\"sample_checksum\":0}", "1 batches" },
        { "{\"batches\":0,\"samples\":1,\"batch_checksum\":0,\"sample_checksum\":0}", "1 samples" },
        { "{\"batches\":0,\"samples\":0,\"batch_checksum\":1,\"sample_checksum\":0}", "checksums" },
        { "{\"batches\":0,\"samples\":0,\"batch_checksum\":0,\"sample_checksum\":1}", "checksums" },
        { "{\"batches\":0,\"samples\":0,\"batch_checksum\":0}", "metadata" },
        { "{}", "metadata" },
    };
    for (size_t i = 0; i < sizeof trailers / sizeof *trailers; i++) {
        struct recorded recorded = { 0 };
        append_json(&recorded, "header", ONE_TENSOR);
        append_json(&recorded, "trailer", trailers[i].meta);
        assert_refused(&recorded, trailers[i].words);
    }
}

static void anything_after_the_trailer_is_refused(void **state)
{
    (void)state;
    struct pst_header header;
    make_header(&header);
    for (unsigned byte = 0; byte < 256; byte++) {
        struct recorded recorded = { 0 };
        record(&recorded, &header, 1, 1);
        uint8_t more = (uint8_t)byte;
        append(&recorded, &more, 1);
        assert_refused(&recorded, "");
    }
    struct recorded twice = { 0 }, once = { 0 };
    record(&twice, &header, 1, 1);
    record(&once, &header, 1, 1);
    append(&twice, once.buffer.data, once.size);
    assert_refused(&twice, "two streams");
    forget(&once);
    pst_header_free(&header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_that_is_not_as_it_should_be_is_refused),
        cmocka_unit_test(a_key_that_comes_twice_in_a_batch_is_refused),
        cmocka_unit_test(a_repeat_is_refused),
        cmocka_unit_test(a_message_over_the_limit_is_refused),
        cmocka_unit_test(a_second_header_is_refused),
        cmocka_unit_test(a_stream_that_begins_with_something_else_is_refused),
        cmocka_unit_test(a_trailer_that_does_not_fit_is_refused),
        cmocka_unit_test(anything_after_the_trailer_is_refused),
    };
    return cmocka_run_group_tests_name("batches and trailers that lie", tests, NULL, NULL);
}
