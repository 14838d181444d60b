/* Model files: safetensors written, read, and refused. */
#include "pipestill/nn.h"

#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/pipestill-test-XXXXXX";
static char path[64], other[64];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    snprintf(other, sizeof other, "%s/b.safetensors", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(other);
    return rmdir(folder);
}

static void put_file(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static size_t get_file(const char *name, unsigned char *bytes, size_t room)
{
    FILE *file = fopen(name, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, room, file);
    assert_true(size < room);
    fclose(file);
    return size;
}

static const float weight[6] = { 1, 2, 3, -4, 5.5F, 0 };
static const float bias[2] = { -1, 0.25F };
static const uint64_t step = 1234567890123;

static void write_sample(const char *name, bool swapped)
{
    const struct pst_named_tensor tensors[] = {
        { .name = "w", .dtype = "F32", .rank = 2, .shape = { 2, 3 }, .data = weight, .bytes = sizeof weight },
        { .name = "b", .dtype = "F32", .rank = 1, .shape = { 2 }, .data = bias, .bytes = sizeof bias },
        { .name = "step", .dtype = "U64", .rank = 0, .data = &step, .bytes = sizeof step },
        { .name = "none", .dtype = "F32", .rank = 2, .shape = { 0, 7 }, .data = weight, .bytes = 0 },
    };
    json_t *metadata = json_object();
    const char *keys[2] = { "made by", "größe" };
    for (size_t i = 0; i < 2; i++)
        json_object_set_new(metadata, keys[swapped ? 1 - i : i], json_string("a test"));
    struct pst_error error = { 0 };
    assert_int_equal(pst_safetensors_write(name, metadata, tensors, 4, &error), PST_OK);
    json_decref(metadata);
}

static const struct pst_named_tensor *find(const struct pst_safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

static void a_flipped_bit_in_a_file_of_this_project_is_found(void **state)
{
    (void)state;
    static unsigned char bytes[4096];
    json_t *metadata = json_pack("{s:s, s:s}", "format", "pipestill-model-1", "next_seq", "137");
    const struct pst_named_tensor tensor = {
        .name = "w", .dtype = "F32", .rank = 1, .shape = { 6 }, .data = weight, .bytes = sizeof weight
    };
    struct pst_error error = { 0 };
    assert_int_equal(pst_safetensors_write(path, metadata, &tensor, 1, &error), PST_OK);
    json_decref(metadata);
    size_t size = get_file(path, bytes, sizeof bytes),
           value = (size_t)(strstr((char *)bytes + 8, "137") - (char *)bytes);
    for (size_t i = 0; i < sizeof weight + 3; i++) {
        struct pst_safetensors file;
        size_t at = i < 3 ? value + i : size - sizeof weight + i - 3;
        bytes[at] ^= 1;
        put_file(other, bytes, size);
        assert_int_equal(pst_safetensors_read(other, &file, &error), PST_BAD_DATA);
        assert_non_null(strstr(error.message, "its checksum does not fit"));
        bytes[at] ^= 1;
    }
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    write_sample(path, false);
    struct pst_safetensors file;
    struct pst_error error = { 0 };
    assert_int_equal(pst_safetensors_read(path, &file, &error), PST_OK);
    assert_int_equal(file.count, 4);
    const struct pst_named_tensor *w = find(&file, "w"), *s = find(&file, "step");
    assert_string_equal(w->dtype, "F32");
    assert_true(w->rank == 2 && w->shape[0] == 2 && w->shape[1] == 3 && w->bytes == sizeof weight);
    assert_memory_equal(w->data, weight, sizeof weight);
    assert_memory_equal(find(&file, "b")->data, bias, sizeof bias);
    assert_true(s->rank == 0 && s->bytes == sizeof step);
    assert_memory_equal(s->data, &step, sizeof step);
    assert_int_equal(find(&file, "none")->bytes, 0);
    assert_string_equal(json_string_value(json_object_get(file.metadata, "größe")), "a test");
    assert_int_equal((uintptr_t)file.tensors[0].data % PST_ALIGNMENT, 0);
    char digest[PST_DIGEST_TEXT];
    assert_int_equal(pst_digest_file(path, digest, &error), PST_OK);
    assert_string_equal(file.digest, digest);
    pst_safetensors_free(&file);
}

static void the_same_content_gives_the_same_bytes(void **state)
{
    (void)state;
    unsigned char first[1024], second[1024];
    write_sample(path, false);
    write_sample(other, true);
    size_t size = get_file(path, first, sizeof first);
    assert_int_equal(get_file(other, second, sizeof second), size);
    assert_memory_equal(first, second, size);
    assert_int_equal(first[0] % 8, 0); /* the header ends where data of 8 bytes may begin */
}

static void a_file_truncated_at_any_byte_is_refused(void **state)
{
    (void)state;
    unsigned char bytes[1024];
    write_sample(path, false);
    size_t size = get_file(path, bytes, sizeof bytes);
    for (size_t cut = 0; cut < size; cut++) {
        put_file(other, bytes, cut);
        struct pst_safetensors file;
        struct pst_error error = { 0 };
        assert_int_equal(pst_safetensors_read(other, &file, &error), PST_BAD_DATA);
        assert_non_null(strstr(error.message, "b.safetensors"));
        assert_true(file.bytes == NULL && file.tensors == NULL);
    }
}

static void a_file_with_a_byte_too_many_is_refused(void **state)
{
    (void)state;
    unsigned char bytes[1024] = { 0 };
    write_sample(path, false);
    size_t size = get_file(path, bytes, sizeof bytes);
    put_file(other, bytes, size + 1);
    struct pst_safetensors file;
    struct pst_error error = { 0 };
    assert_int_equal(pst_safetensors_read(other, &file, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "1 bytes behind the last tensor"));
}

static void a_flip_of_any_bit_of_the_header_is_refused_or_read_within_bounds(void **state)
{
    (void)state;
    unsigned char bytes[1024];
    write_sample(path, false);
    size_t size = get_file(path, bytes, sizeof bytes), header = 8 + bytes[0] + 256U * bytes[1], refused = 0;
    for (size_t bit = 0; bit < 8 * header; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        put_file(other, bytes, size);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        struct pst_safetensors file;
        struct pst_error error = { 0 };
        enum pst_status status = pst_safetensors_read(other, &file, &error);
        if (status == PST_OK) {
            size_t sum = 0;
            for (size_t i = 0; i < file.count; i++)
                sum += file.tensors[i].bytes;
            assert_int_equal(sum, size - header);
            pst_safetensors_free(&file);
        } else {
            assert_int_equal(status, PST_BAD_DATA);
            assert_null(strchr(error.message, '\n'));
            refused++;
        }
    }
    assert_true(refused > 64); /* at least, every change of the length */
}

/* A header written by hand, with `data` zero bytes behind it. */
static enum pst_status read_header(const char *header, size_t data, struct pst_error *error)
{
    unsigned char bytes[4096] = { 0 };
    size_t length = strlen(header);
    assert_true(8 + length + data <= sizeof bytes);
    bytes[0] = (unsigned char)(length & 255);
    bytes[1] = (unsigned char)(length >> 8);
    memcpy(bytes + 8, header, length);
    put_file(path, bytes, 8 + length + data);
    struct pst_safetensors file;
    enum pst_status status = pst_safetensors_read(path, &file, error);
    if (status == PST_OK)
        pst_safetensors_free(&file);
    return status;
}

#define T(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void headers_of_other_tools_are_accepted(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{" T("a", "F32", "[1]", "[0,4]") "}",
        "{\"__metadata__\":{\"format\":\"pt\"}," T("b", "BF16", "[1,1]", "[2,4]") "," T("a", "F16", "[]",
                                                                                        "[0,2]") "}   ",
        "{" T("a", "U8", "[4]", "[0,4]") "," T("z", "F64", "[0]", "[4,4]") "," T("y", "I64", "[3,0]",
                                                                                 "[0,0]") "}",
        "{" T("a", "BOOL", "[1,1,1,1,1,2,1,2]", "[0,4]") "}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct pst_error error = { 0 };
        assert_int_equal(read_header(headers[i], 4, &error), PST_OK);
    }
}

static void hostile_headers_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *header, *message;
    } cases[] = {
        { "", "not valid JSON" },
        { "[]", "not a JSON object" },
        { "{} {}", "not valid JSON" },
        { "{\"a\":1", "not valid JSON" },
        { "{" T("a", "F32", "[1]", "[0,4]") "," T("a", "F32", "[1]", "[0,4]") "}", "stands twice" },
        { "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
          "stands twice" },
        { "{\"a\":4}", "tensor a: its entry lacks" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", "lacks dtype, shape or data_offsets" },
        { "{" T("a", "F31", "[1]", "[0,4]") "}", "tensor a: its dtype is unknown" },
        { "{" T("a", "F32", "1", "[0,4]") "}", "its shape is not a list" },
        { "{" T("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", "its shape is not a list of at most 8" },
        { "{" T("a", "F32", "[1.0]", "[0,4]") "}", "its shape holds what is not a size" },
        { "{" T("a", "F32", "[-1]", "[0,4]") "}", "its shape holds what is not a size" },
        { "{" T("a", "F32", "[4611686018427387905]", "[0,4]") "}", "its shape is too large" },
        { "{" T("a", "U8", "[4294967296,4294967297]", "[0,4]") "}", "its shape is too large" },
        { "{" T("a", "F32", "[99999999999999999999]", "[0,4]") "}", "not valid JSON" },
        { "{" T("a", "F32", "[1]", "[0,4,8]") "}", "lacks" },
        { "{" T("a", "F32", "[1]", "[0,8]") "}", "its data_offsets lie outside the file" },
        { "{" T("a", "F32", "[1]", "[-4,0]") "}", "its data_offsets lie outside the file" },
        { "{" T("a", "F32", "[1]", "[4,0]") "}", "its data_offsets lie outside the file" },
        { "{" T("a", "F32", "[1]", "[0,9223372036854775807]") "}", "its data_offsets lie outside the file" },
        { "{" T("a", "F16", "[1]", "[0,4]") "}", "its data_offsets do not fit" },
        { "{" T("a", "U8", "[3]", "[0,3]") "," T("b", "U8", "[2]", "[2,4]") "}",
          "tensor b: its bytes overlap" },
        { "{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[0,4]") "}",
          "tensor b: its bytes overlap" },
        { "{" T("a", "U8", "[1]", "[0,1]") "," T("b", "U8", "[2]", "[2,4]") "}",
          "tensor b: its bytes come after" },
        { "{" T("a", "U8", "[2]", "[2,4]") "}", "tensor a: its bytes come after a hole" },
        { "{" T("a", "U8", "[3]", "[0,3]") "}", "1 bytes behind the last tensor" },
        { "{}", "4 bytes behind the last tensor" },
        { "{\"__metadata__\":{\"n\":1}," T("a", "F32", "[1]", "[0,4]") "}",
          "__metadata__ holds what is not text" },
        { "{\"__metadata__\":[\"n\"]," T("a", "F32", "[1]", "[0,4]") "}", "__metadata__ is not an object" },
        { "{" T("a\\u0000b", "F32", "[1]", "[0,4]") "}", "not valid JSON" },
        { "{" T("a\\u001b[2J", "F32", "[1]", "[0,4]") "}", "control characters" },
        { "{" T("a\xff", "F32", "[1]", "[0,4]") "}", "not valid JSON" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pst_error error = { 0 };
        enum pst_status status = read_header(cases[i].header, 4, &error);
        if (status != PST_BAD_DATA || strstr(error.message, cases[i].message) == NULL)
            fail_msg("%s: status %d, message \"%s\"", cases[i].header, (int)status, error.message);
    }
}

static void a_name_longer_than_the_struct_holds_is_refused(void **state)
{
    (void)state;
    char header[512], name[129];
    struct pst_error error = { 0 };
    memset(name, 'n', 128);
    for (size_t length = 127; length <= 128; length++) {
        name[length] = '\0';
        snprintf(header, sizeof header, "{\"%s\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}",
                 name);
        assert_int_equal(read_header(header, 4, &error), length == 127 ? PST_OK : PST_BAD_DATA);
        name[length] = 'n';
    }
    assert_non_null(strstr(error.message, "128 bytes"));
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    char header[4001];
    memset(header, '[', sizeof header - 1);
    header[sizeof header - 1] = '\0';
    struct pst_error error = { 0 };
    assert_int_equal(read_header(header, 4, &error), PST_BAD_DATA);
}

static void a_header_said_to_be_huge_reserves_no_memory(void **state)
{
    (void)state;
    /* Under ASan or with little memory a reservation of 2^63 bytes would fail as PST_TRY_AGAIN. */
    static const unsigned char lengths[][8] = {
        { 255, 255, 255, 255, 255, 255, 255, 255 },
        { 0, 0, 0, 0, 0, 0, 0, 128 },
        { 1, 0, 0, 0, 0, 0, 0, 0 },
        { 248, 255, 255, 255, 255, 255, 255, 255 },
    };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        put_file(path, lengths[i], 8);
        struct pst_safetensors file;
        struct pst_error error = { 0 };
        assert_int_equal(pst_safetensors_read(path, &file, &error), PST_BAD_DATA);
    }
}

static void a_header_beyond_the_limit_is_refused_even_in_a_file_that_large(void **state)
{
    (void)state;
    static const unsigned char length[8] = { 1, 225, 245, 5 }; /* 100 000 001 */
    put_file(path, length, 8);
    assert_int_equal(truncate(path, 100000009), 0); /* a hole, which takes no room on the disk */
    struct pst_safetensors file;
    struct pst_error error = { 0 };
    assert_int_equal(pst_safetensors_read(path, &file, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "100000001 bytes"));
}

static void what_is_not_a_file_is_refused_without_waiting(void **state)
{
    (void)state;
    struct pst_safetensors file;
    struct pst_error error = { 0 };
    unlink(path);
    assert_int_equal(pst_safetensors_read(path, &file, &error), PST_NO_INPUT);
    assert_int_equal(pst_safetensors_read(folder, &file, &error), PST_BAD_DATA);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(pst_safetensors_read(path, &file, &error), PST_BAD_DATA);
    unlink(path);
}

static void a_failed_write_leaves_what_was_there(void **state)
{
    (void)state;
    unsigned char before[1024], after[1024];
    write_sample(path, false);
    size_t size = get_file(path, before, sizeof before);
    struct pst_error error = { 0 };
    const struct pst_named_tensor tensor = {
        .name = "w", .dtype = "F32", .rank = 1, .shape = { 2 }, .bytes = 8, .data = bias
    };
    assert_int_equal(pst_safetensors_write("/dev/full", NULL, &tensor, 1, &error), PST_IO_ERROR);
    char part[80];
    snprintf(part, sizeof part, "%s.part", path);
    assert_int_equal(mkdir(part, 0700), 0); /* nothing can be written beside it */
    assert_int_equal(pst_safetensors_write(path, NULL, &tensor, 1, &error), PST_IO_ERROR);
    assert_int_equal(rmdir(part), 0);
    assert_int_equal(get_file(path, after, sizeof after), size);
    assert_memory_equal(before, after, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(the_same_content_gives_the_same_bytes),
        cmocka_unit_test(a_file_truncated_at_any_byte_is_refused),
        cmocka_unit_test(a_file_with_a_byte_too_many_is_refused),
        cmocka_unit_test(a_flip_of_any_bit_of_the_header_is_refused_or_read_within_bounds),
        cmocka_unit_test(headers_of_other_tools_are_accepted),
        cmocka_unit_test(hostile_headers_are_refused_with_the_reason),
        cmocka_unit_test(a_name_longer_than_the_struct_holds_is_refused),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(a_header_said_to_be_huge_reserves_no_memory),
        cmocka_unit_test(a_header_beyond_the_limit_is_refused_even_in_a_file_that_large),
        cmocka_unit_test(what_is_not_a_file_is_refused_without_waiting),
        cmocka_unit_test(a_failed_write_leaves_what_was_there),
        cmocka_unit_test(a_flipped_bit_in_a_file_of_this_project_is_found),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
