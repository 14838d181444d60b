/* Streams that are damaged, cut, or made to harm: always an error that says so, never a clean end. */
#include "tests/unit/stream_fixture.h"

#include <sys/resource.h>

static struct pst_header header;
static struct recorded sound; /* three batches of three samples */

/* A hostile length must not reserve memory, so only little may be reserved. */
static int limit_memory(void)
{
#ifndef PST_SANITIZED /* its shadow is larger than any limit */
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu", &pages) != 1)
        return -1;
    fclose(file);
    rlim_t most = pages * 4096UL + (128UL << 20);
    return setrlimit(RLIMIT_AS, &(struct rlimit){ most, most });
#else
    return 0;
#endif
}

static int make_sound(void **state)
{
    (void)state;
    make_header(&header);
    record(&sound, &header, 3, 3);
    return limit_memory();
}

static int forget_sound(void **state)
{
    (void)state;
    pst_header_free(&header);
    forget(&sound);
    return 0;
}

static void a_stream_cut_anywhere_is_truncated(void **state)
{
    (void)state;
    struct pst_error error;
    for (size_t size = 0; size < sound.size; size++) {
        struct recorded cut = { sound.buffer, size };
        assert_int_equal(read_all(&cut, PST_DEFAULT_MAX_MESSAGE, &error), PST_BAD_DATA);
        assert_non_null(strstr(error.message, size == 0 ? "empty" : "truncated"));
    }
    assert_int_equal(read_all(&sound, PST_DEFAULT_MAX_MESSAGE, &error), PST_END);
}

static void a_stream_with_any_bit_flipped_is_refused(void **state)
{
    (void)state;
    static const uint8_t masks[] = { 1, 2, 4, 8, 16, 32, 64, 128, 255 };
    uint8_t *bytes = sound.buffer.data;
    for (size_t at = 0; at < sound.size; at++) {
        for (size_t i = 0; i < sizeof masks; i++) {
            struct pst_error error = { 0 };
            bytes[at] ^= masks[i];
            enum pst_status status = read_all(&sound, PST_DEFAULT_MAX_MESSAGE, &error);
            bytes[at] ^= masks[i];
            if (status != PST_BAD_DATA || error.message[0] == '\0')
                fail_msg("byte %zu, mask %u: status %d, '%s'", at, masks[i], (int)status, error.message);
        }
    }
}

static void any_byte_lost_or_doubled_is_noticed(void **state)
{
    (void)state;
    struct pst_error error;
    for (size_t at = 0; at < sound.size; at++) {
        struct recorded less = { 0 }, more = { 0 };
        append(&less, sound.buffer.data, at);
        append(&less, (char *)sound.buffer.data + at + 1, sound.size - at - 1);
        assert_int_equal(read_all(&less, PST_DEFAULT_MAX_MESSAGE, &error), PST_BAD_DATA);
        append(&more, sound.buffer.data, at + 1);
        append(&more, (char *)sound.buffer.data + at, sound.size - at);
        assert_int_equal(read_all(&more, PST_DEFAULT_MAX_MESSAGE, &error), PST_BAD_DATA);
        forget(&less);
        forget(&more);
    }
}

static void random_bytes_are_refused(void **state)
{
    (void)state;
    struct pst_random random;
    pst_random_start(&random, 1, 1, 0, 0);
    for (int round = 0; round < 3000; round++) {
        uint8_t bytes[256];
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)pst_random_u32(&random);
        struct recorded recorded = { 0 };
        append(&recorded, bytes, sizeof bytes);
        assert_refused(&recorded, "");
    }
}

/* Puts a head of five bytes that announces `length` at some place of the sound stream. */
static void announce(size_t at, uint8_t head, uint32_t length)
{
    struct recorded recorded = { 0 };
    uint8_t bytes[5] = { head, (uint8_t)(length >> 24), (uint8_t)(length >> 16), (uint8_t)(length >> 8),
                         (uint8_t)length };
    append(&recorded, sound.buffer.data, at);
    append(&recorded, bytes, sizeof bytes);
    append(&recorded, (char *)sound.buffer.data + at, sound.size - at);
    assert_refused(&recorded, "");
}

static const uint8_t wide_heads[] = { 0xc6, 0xdb, 0xdd,
                                      0xdf }; /* bin, str, array and map with 32 bits of length */
static const uint32_t lengths[] = { 1U << 28, 1U << 31, UINT32_MAX };

static void lengths_of_gigabytes_anywhere_reserve_nothing(void **state)
{
    (void)state;
    for (size_t at = 0; at < sound.size; at++)
        for (size_t h = 0; h < sizeof wide_heads; h++)
            for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
                announce(at, wide_heads[h], lengths[l]);
}

/* The most memory that this program has had so far, in KiB. */
static long peak(void)
{
    char line[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        (void)sscanf(line, "VmPeak: %ld", &kib);
    fclose(file);
    return kib;
}

/* For a million elements msgpack-c would reserve 32 MiB or more, which is within the limit set here, and only
 * then fail. */
static void millions_of_elements_that_are_not_there_reserve_nothing(void **state)
{
    (void)state;
    static const uint8_t heads[] = { 0xdd, 0xdf };
    for (size_t i = 0; i < sizeof heads; i++) {
        uint8_t meta[] = { 0x81, 0xa1, 'a', heads[i], 0x00, 0x10, 0x00, 0x00 };
        struct recorded recorded = { 0 };
        long before = peak();
        append_message(&recorded, "header", meta, sizeof meta);
        assert_refused(&recorded, "metadata");
        assert_true(before > 0 && peak() - before < 16 * 1024);
    }
}

/* The same inside of metadata whose checksum is right, where msgpack-c would reserve it. */
static void lengths_of_gigabytes_inside_of_metadata_reserve_nothing(void **state)
{
    (void)state;
    static const char *const kinds[] = { "header", "batch", "trailer" };
    for (size_t k = 0; k < 3; k++) {
        for (size_t h = 0; h < sizeof wide_heads; h++) {
            uint8_t meta[] = { 0x81, 0xa1, 'a', wide_heads[h], 0xff, 0xff, 0xff, 0xff };
            struct recorded recorded = { 0 };
            if (k > 0)
                append_json(&recorded, "header",
                            "{\"format\":1,\"run\":\"0\",\"history\":[],\"tensors\":[]}");
            append_message(&recorded, kinds[k], meta, sizeof meta);
            append_message(&recorded, kinds[k], meta + 3, sizeof meta - 3);
            assert_refused(&recorded, "metadata");
        }
    }
}

static void a_thousand_nested_arrays_are_refused(void **state)
{
    (void)state;
    uint8_t meta[1001];
    memset(meta, 0x91, sizeof meta);
    meta[1000] = 0xc0;
    struct recorded recorded = { 0 };
    append_message(&recorded, "header", meta, sizeof meta);
    assert_refused(&recorded, "metadata");
    memset(meta, 0x81, sizeof meta); /* maps as keys of maps */
    append_message(&recorded, "header", meta, sizeof meta);
    assert_refused(&recorded, "metadata");
}

static void metadata_over_its_limit_is_refused(void **state)
{
    (void)state;
    char *meta = calloc(1, PST_MAX_META + 1U);
    assert_non_null(meta);
    static const char *const kinds[] = { "header", "batch", "trailer" };
    for (size_t k = 0; k < 3; k++) {
        struct recorded recorded = { 0 };
        append_message(&recorded, kinds[k], meta, PST_MAX_META + 1U);
        assert_refused(&recorded, "metadata of");
    }
    free(meta);
}

static void metadata_of_no_bytes_is_refused(void **state)
{
    (void)state;
    struct recorded recorded = { 0 };
    append_message(&recorded, "header", "", 0);
    assert_refused(&recorded, "metadata");
}

static void input_that_is_not_a_stream_is_called_so(void **state)
{
    (void)state;
    static const char *const texts[] = { "hello, world\n", "{\"kind\":\"header\"}", "\x89PNG\r\n",
                                         "\x1f\x8b\x08" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct recorded recorded = { 0 };
        append(&recorded, texts[i], strlen(texts[i]));
        assert_refused(&recorded, "memory, byte ");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(millions_of_elements_that_are_not_there_reserve_nothing),
        cmocka_unit_test(a_stream_cut_anywhere_is_truncated),
        cmocka_unit_test(a_stream_with_any_bit_flipped_is_refused),
        cmocka_unit_test(any_byte_lost_or_doubled_is_noticed),
        cmocka_unit_test(random_bytes_are_refused),
        cmocka_unit_test(lengths_of_gigabytes_anywhere_reserve_nothing),
        cmocka_unit_test(lengths_of_gigabytes_inside_of_metadata_reserve_nothing),
        cmocka_unit_test(a_thousand_nested_arrays_are_refused),
        cmocka_unit_test(metadata_over_its_limit_is_refused),
        cmocka_unit_test(metadata_of_no_bytes_is_refused),
        cmocka_unit_test(input_that_is_not_a_stream_is_called_so),
    };
    return cmocka_run_group_tests_name("hostile streams", tests, make_sound, forget_sound);
}
