/* npy_fixture.h: NPY files and ZIP archives made byte by byte, so that they can be wrong. */
#ifndef PIPESTILL_TESTS_NPY_FIXTURE_H
#define PIPESTILL_TESTS_NPY_FIXTURE_H

#include "data_fixture.h"

#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

static char folder[64], path[96];

static inline int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/pipestill-npy-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static inline int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

/* A growing array of bytes. */
struct bytes {
    uint8_t at[1 << 17];
    size_t size;
};

static inline void put(struct bytes *bytes, const void *more, size_t size)
{
    assert_true(bytes->size + size <= sizeof bytes->at);
    memcpy(bytes->at + bytes->size, more, size);
    bytes->size += size;
}

static inline void put_number(struct bytes *bytes, uint64_t number, size_t size)
{
    put(bytes, &number, size);
}

static inline void write_bytes(const struct bytes *bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes->at, 1, bytes->size, file), bytes->size);
    assert_int_equal(fclose(file), 0);
}

/* An NPY file of a version: a header's text, which need not be right, and elements. */
static inline struct bytes npy(unsigned version, const char *header, const void *elements, size_t size)
{
    struct bytes bytes = { .size = 0 };
    put(&bytes, "\x93NUMPY", 6);
    put_number(&bytes, version, 2);
    put_number(&bytes, strlen(header), version == 1 ? 2 : 4);
    put(&bytes, header, strlen(header));
    put(&bytes, elements, size);
    return bytes;
}

/* What a test sets in a member; 0: the true value. */
struct member {
    const char *name;
    const struct bytes *content;
    bool deflated;
    unsigned method, flags;
    uint64_t size, at; /* of the directory */
};

static inline struct bytes deflated(const struct bytes *content)
{
    struct bytes packed = { .size = 0 };
    z_stream zlib = { 0 };
    assert_int_equal(deflateInit2(&zlib, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    zlib.next_in = (uint8_t *)content->at;
    zlib.avail_in = (uInt)content->size;
    zlib.next_out = packed.at;
    zlib.avail_out = sizeof packed.at;
    assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    packed.size = zlib.total_out;
    deflateEnd(&zlib);
    return packed;
}

/* An archive of some members. */
static inline struct bytes zip(const struct member *members, size_t count)
{
    static struct bytes directory, packed;
    struct bytes bytes = { .size = 0 };
    directory.size = 0;
    for (size_t i = 0; i < count; i++) {
        const struct member *member = &members[i];
        uint64_t at = bytes.size, length = strlen(member->name);
        packed = member->deflated ? deflated(member->content) : *member->content;
        for (int central = 0; central < 2; central++) {
            struct bytes *to = central ? &directory : &bytes;
            put(to, central ? "PK\1\2\x14\0" : "PK\3\4", central ? 6 : 4);
            put_number(to, 20, 2);
            put_number(to, member->flags, 2);
            put_number(to, member->method > 0 ? member->method : member->deflated ? 8 : 0, 2);
            put_number(to, 0, 4);
            put_number(to, crc32(0, member->content->at, (uInt)member->content->size), 4);
            put_number(to, packed.size, 4);
            put_number(to, member->size > 0 ? member->size : member->content->size, 4);
            put_number(to, length, 2);
            put_number(to, 0, central ? 8 : 2); /* no extra field, no comment, part 0, attributes */
            put_number(to, 0, central ? 4 : 0);
            put_number(to, member->at > 0 ? member->at : at, central ? 4 : 0);
            put(to, member->name, length);
        }
        put(&bytes, packed.at, packed.size);
    }
    size_t at = bytes.size;
    put(&bytes, directory.at, directory.size);
    put(&bytes, "PK\5\6\0\0\0\0", 8);
    put_number(&bytes, count, 2);
    put_number(&bytes, count, 2);
    put_number(&bytes, directory.size, 4);
    put_number(&bytes, at, 4);
    put_number(&bytes, 0, 2);
    return bytes;
}

/* Opens the file as a set of a kind, and reads all of its samples. */
static inline enum pst_status open_and_read(const char *kind, size_t max_memory, const char *const *options,
                                            struct pst_error *error)
{
    const struct pst_dataset_type *type;
    const char *none;
    struct pst_dataset set;
    assert_int_equal(pst_dataset_find(kind, &type, &none, error), PST_OK);
    struct settings settings = make_settings(&type->settings, options);
    const char *arguments[] = { path };
    struct pst_dataset_request request = {
        .settings = settings.bytes, .count = 1, .arguments = arguments, .max_memory = max_memory
    };
    enum pst_status status = pst_dataset_open(&set, type, &request, error);
    if (status != PST_OK)
        return status;
    void *x = pst_allocate(pst_dataset_elements(&set), 8, NULL),
         *raw = pst_allocate(pst_dataset_elements(&set), 8, NULL);
    for (size_t i = 0; i < set.samples && status == PST_OK; i++)
        status = pst_dataset_read(&set, i, NULL, x, raw, error);
    free(x);
    free(raw);
    pst_dataset_close(&set);
    return status;
}

/* The file must be refused as bad data, by a message that names it and holds the words. */
static inline void assert_bad(const char *kind, size_t max_memory, const char *words)
{
    struct pst_error error = { 0 };
    enum pst_status status = open_and_read(kind, max_memory, NULL, &error);
    if (status != PST_BAD_DATA || strstr(error.message, words) == NULL || strstr(error.message, path) == NULL)
        fail_msg("status %d, '%s' is not in '%s'", status, words, error.message);
}

static inline void assert_good(const char *kind, const char *const *options)
{
    struct pst_error error = { 0 };
    if (open_and_read(kind, 0, options, &error) != PST_OK)
        fail_msg("%s", error.message);
}

/* Flips random bits, a fixed number of times. The result may be read or refused, but memory must stay
 * bounded. */
static inline void flip_bits(const char *kind, const struct bytes *good, unsigned times)
{
    struct pst_random random;
    static struct bytes bad;
    size_t refused = 0;
    pst_random_start(&random, 14, 1000, 0, 0);
    for (unsigned i = 0; i < times; i++) {
        struct pst_error error = { 0 };
        bad = *good;
        for (size_t k = 0; k <= i % 3; k++)
            bad.at[pst_random_below(&random, good->size)] ^= (uint8_t)(1U << pst_random_below(&random, 8));
        write_bytes(&bad);
        enum pst_status status = open_and_read(kind, 1 << 20, NULL, &error);
        refused += status != PST_OK;
        if (status != PST_OK && (error.status != status || strlen(error.message) < 10))
            fail_msg("status %d says nothing: '%s'", status, error.message);
    }
    assert_true(refused > times / 4);
}

#endif
