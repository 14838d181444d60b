/* stream_fixture.h: what the tests of streams share: made batches, streams in memory, and messages built by
 * hand. */
#ifndef PIPESTILL_TESTS_STREAM_FIXTURE_H
#define PIPESTILL_TESTS_STREAM_FIXTURE_H

#include "lib/stream/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Bytes of a stream, or other bytes for a reader. */
struct recorded {
    struct pst_buffer buffer;
    size_t size;
};

static inline void add_tensor(struct pst_header *header, const char *name, enum pst_dtype dtype,
                              size_t elements)
{
    struct pst_tensor_spec spec = { .dtype = dtype, .rank = elements != 0, .shape = { elements } };
    snprintf(spec.name, sizeof spec.name, "%s", name);
    assert_int_equal(pst_header_add_tensor(header, &spec, NULL, NULL), PST_OK);
}

/* A header with one tensor of each dtype: x (u8, [2, 3]), y, id, logits/a (f32, [3]). */
static inline void make_header(struct pst_header *header)
{
    assert_int_equal(pst_header_new(header, NULL), PST_OK);
    struct pst_tensor_spec x = { "x", PST_DTYPE_U8, 2, { 2, 3 }, .scale = 0.5, .offset = -1 };
    assert_int_equal(pst_header_add_tensor(header, &x, NULL, NULL), PST_OK);
    add_tensor(header, "y", PST_DTYPE_I32, 0);
    add_tensor(header, "id", PST_DTYPE_U64, 0);
    add_tensor(header, "logits/a", PST_DTYPE_F32, 3);
    header->tensors[3].temperature = 20;
    header->classes = 3;
    assert_int_equal(pst_header_append_history(header, "fixture", NULL, NULL), PST_OK);
}

/* Fills a batch with bytes that depend on everything. */
static inline void make_batch(struct pst_batch *batch, const struct pst_header *header, uint64_t seq,
                              uint64_t epoch, size_t n)
{
    assert_int_equal(pst_batch_follow(batch, header, NULL), PST_OK);
    assert_int_equal(pst_batch_resize(batch, header, n, 0, NULL), PST_OK);
    batch->seq = seq;
    batch->epoch = epoch;
    for (size_t t = 0; t < batch->tensor_count; t++) {
        unsigned char *bytes = batch->tensors[t].data;
        for (size_t i = 0; i < batch->tensors[t].bytes; i++)
            bytes[i] = (unsigned char)(31 * seq + 17 * t + 7 * i + epoch);
    }
}

static inline struct pst_writer *open_writer(struct recorded *recorded)
{
    struct pst_output *output;
    struct pst_writer *writer;
    assert_int_equal(pst_output_to_memory(&output, &recorded->buffer, &recorded->size, NULL), PST_OK);
    assert_int_equal(pst_writer_new(&writer, output, NULL), PST_OK);
    return writer;
}

static inline struct pst_reader *open_reader(const struct recorded *recorded, size_t max_message)
{
    struct pst_input *input;
    struct pst_reader *reader;
    assert_int_equal(pst_input_from_memory(&input, recorded->buffer.data, recorded->size, NULL), PST_OK);
    assert_int_equal(pst_reader_new(&reader, input, max_message, NULL), PST_OK);
    return reader;
}

/* Writes a whole stream with that header and batches of n samples. */
static inline void record(struct recorded *recorded, const struct pst_header *header, size_t batches,
                          size_t n)
{
    struct pst_writer *writer = open_writer(recorded);
    struct pst_batch batch = { 0 };
    assert_int_equal(pst_writer_header(writer, header, NULL), PST_OK);
    for (size_t i = 0; i < batches; i++) {
        make_batch(&batch, header, header->first + i, i / 2, n);
        assert_int_equal(pst_writer_batch(writer, &batch, NULL), PST_OK);
    }
    assert_int_equal(pst_writer_finish(writer, NULL), PST_OK);
    pst_writer_free(writer);
    pst_batch_free(&batch);
}

/* Reads a stream to its end or its first error. Returns PST_END or the error. */
static inline enum pst_status read_all(const struct recorded *recorded, size_t max_message,
                                       struct pst_error *error)
{
    struct pst_reader *reader = open_reader(recorded, max_message);
    struct pst_header header;
    struct pst_batch batch = { 0 };
    enum pst_status status = pst_reader_header(reader, &header, error);
    while (status == PST_OK)
        status = pst_reader_next(reader, &batch, error);
    pst_batch_free(&batch);
    pst_header_free(&header);
    pst_reader_free(reader);
    return status;
}

/* Reads bytes that must be refused as bad data, with a message that holds `words`, and frees them. */
static inline void assert_refused_at(struct recorded *recorded, size_t max_message, const char *words)
{
    struct pst_error error = { 0 };
    enum pst_status status = read_all(recorded, max_message, &error);
    pst_buffer_free(&recorded->buffer);
    recorded->size = 0;
    if (status != PST_BAD_DATA || strstr(error.message, words) == NULL)
        fail_msg("status %d, '%s' is not about '%s'", (int)status, error.message, words);
}

static inline void assert_refused(struct recorded *recorded, const char *words)
{
    assert_refused_at(recorded, PST_DEFAULT_MAX_MESSAGE, words);
}

/* ---- messages by hand -------------------------------------------------------------------------------- */

static inline void append(struct recorded *recorded, const void *bytes, size_t size)
{
    assert_int_equal(pst_buffer_reserve(&recorded->buffer, recorded->size + size, recorded->size, NULL),
                     PST_OK);
    if (size > 0)
        memcpy((char *)recorded->buffer.data + recorded->size, bytes, size);
    recorded->size += size;
}

/* Appends a message up to its data, with a true checksum of its metadata. */
static inline void append_message(struct recorded *recorded, const char *kind, const void *meta, size_t size)
{
    struct pst_packed packed = { 0 };
    msgpack_packer packer = pst_packer(&packed);
    msgpack_pack_map(&packer, strcmp(kind, "batch") == 0 ? 4 : 3);
    pst_pack_text(&packer, "kind");
    pst_pack_text(&packer, kind);
    pst_pack_text(&packer, "meta");
    msgpack_pack_bin_with_body(&packer, meta, size);
    pst_pack_pair(&packer, "crc", pst_crc32c(0, meta, size));
    append(recorded, packed.buffer.data, packed.size);
    pst_buffer_free(&packed.buffer);
}

/* The same with metadata that was packed by hand; empties it. */
static inline void append_packed(struct recorded *recorded, const char *kind, struct pst_packed *packed)
{
    append_message(recorded, kind, packed->buffer.data, packed->size);
    pst_buffer_free(&packed->buffer);
    packed->size = 0;
}

/* The same with metadata given as JSON text. */
static inline void append_json(struct recorded *recorded, const char *kind, const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    struct pst_packed packed = { 0 };
    msgpack_packer packer = pst_packer(&packed);
    pst_pack_json(&packer, value);
    append_message(recorded, kind, packed.buffer.data, packed.size);
    pst_buffer_free(&packed.buffer);
    json_decref(value);
}

static inline void forget(struct recorded *recorded)
{
    pst_buffer_free(&recorded->buffer);
    recorded->size = 0;
}

#endif
