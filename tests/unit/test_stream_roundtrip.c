/* A reader reads what was written, to the bit, and unknown parts pass through a stage. */
#include "tests/unit/stream_fixture.h"

#include <sys/uio.h>
#include <unistd.h>

/* Compares a batch that was read with what make_batch makes. */
static void assert_batch(const struct pst_batch *batch, const struct pst_header *header, uint64_t epoch,
                         size_t n)
{
    struct pst_batch made = { 0 };
    make_batch(&made, header, batch->seq, epoch, n);
    assert_int_equal(batch->n, n);
    assert_true(batch->epoch == epoch);
    for (size_t t = 0; t < header->tensor_count; t++) {
        assert_int_equal(batch->tensors[t].bytes, made.tensors[t].bytes);
        assert_memory_equal(batch->tensors[t].data, made.tensors[t].data, made.tensors[t].bytes);
        assert_true((uintptr_t)batch->tensors[t].data % PST_ALIGNMENT == 0);
        assert_true(batch->tensors[t].crc_known);
        assert_int_equal(batch->tensors[t].crc,
                         pst_crc32c_plain(0, made.tensors[t].data, made.tensors[t].bytes));
    }
    pst_batch_free(&made);
}

/* Reads a stream that `record` wrote and compares everything. */
static void assert_stream(const struct recorded *recorded, const struct pst_header *header, size_t batches,
                          size_t n)
{
    struct pst_reader *reader = open_reader(recorded, PST_DEFAULT_MAX_MESSAGE);
    struct pst_header came;
    struct pst_batch batch = { 0 };
    struct pst_error error = { 0 };
    assert_int_equal(pst_reader_header(reader, &came, &error), PST_OK);
    assert_string_equal(came.run, header->run);
    assert_int_equal(came.tensor_count, header->tensor_count);
    assert_memory_equal(came.tensors, header->tensors, came.tensor_count * sizeof *came.tensors);
    assert_true(json_equal(came.history, header->history));
    for (size_t i = 0; i < batches; i++) {
        assert_int_equal(pst_reader_next(reader, &batch, &error), PST_OK);
        assert_true(batch.seq == header->first + i);
        assert_batch(&batch, header, i / 2, n);
    }
    assert_int_equal(pst_reader_next(reader, &batch, &error), PST_END);
    assert_true(pst_reader_trailer(reader)->batches == batches);
    assert_true(pst_reader_trailer(reader)->samples == batches * n);
    pst_header_free(&came);
    pst_batch_free(&batch);
    pst_reader_free(reader);
}

static void a_stream_comes_back_as_it_was_written(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, 2, 7, 63, 1001 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct pst_header header;
        struct recorded recorded = { 0 };
        make_header(&header);
        record(&recorded, &header, 5, sizes[i]);
        assert_stream(&recorded, &header, 5, sizes[i]);
        pst_header_free(&header);
        forget(&recorded);
    }
}

static void a_stream_without_batches_is_a_stream(void **state)
{
    (void)state;
    struct pst_header header;
    struct recorded recorded = { 0 };
    make_header(&header);
    record(&recorded, &header, 0, 1);
    assert_stream(&recorded, &header, 0, 1);
    pst_header_free(&header);
    forget(&recorded);
}

static void a_stream_may_begin_in_the_middle(void **state)
{
    (void)state;
    struct pst_header header;
    struct recorded recorded = { 0 };
    make_header(&header);
    header.first = (uint64_t)1 << 40;
    record(&recorded, &header, 3, 2);
    assert_stream(&recorded, &header, 3, 2);
    pst_header_free(&header);
    forget(&recorded);
}

static void hundreds_of_tensors_come_back(void **state)
{
    (void)state;
    struct pst_header header;
    struct recorded recorded = { 0 };
    make_header(&header);
    for (size_t i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof name, "extra/%zu", i);
        add_tensor(&header, name, (enum pst_dtype)(i % PST_DTYPES), i % 5);
    }
    record(&recorded, &header, 3, 5);
    assert_stream(&recorded, &header, 3, 5);
    pst_header_free(&header);
    forget(&recorded);
}

/* Through a pipe the parts of a message go out by writev, 64 at a time, and short reads and writes happen. */
static void hundreds_of_tensors_come_back_from_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/pipestill-test-XXXXXX";
    close(mkstemp(path));
    struct pst_header header;
    make_header(&header);
    for (size_t i = 0; i < 200; i++) {
        char name[32];
        snprintf(name, sizeof name, "extra/%zu", i);
        add_tensor(&header, name, PST_DTYPE_F32, 1 + i % 40);
    }
    struct pst_link_settings settings = { .max_message = PST_DEFAULT_MAX_MESSAGE };
    struct pst_output *output;
    struct pst_writer *writer;
    struct pst_batch batch = { 0 };
    assert_int_equal(pst_output_open(&output, path, &settings, NULL), PST_OK);
    assert_int_equal(pst_writer_new(&writer, output, NULL), PST_OK);
    assert_int_equal(pst_writer_header(writer, &header, NULL), PST_OK);
    make_batch(&batch, &header, 0, 0, 33);
    assert_int_equal(pst_writer_batch(writer, &batch, NULL), PST_OK);
    assert_int_equal(pst_writer_finish(writer, NULL), PST_OK);
    pst_writer_free(writer);
    struct recorded recorded = { 0 }, expected = { 0 };
    record(&expected, &header, 1, 33);
    FILE *file = fopen(path, "rb");
    char bytes[4096];
    size_t got;
    while ((got = fread(bytes, 1, sizeof bytes, file)) > 0)
        append(&recorded, bytes, got);
    fclose(file);
    unlink(path);
    assert_int_equal(recorded.size, expected.size);
    assert_memory_equal(recorded.buffer.data, expected.buffer.data, expected.size);
    pst_batch_free(&batch);
    pst_header_free(&header);
    forget(&recorded);
    forget(&expected);
}

/* A reader accepts what a writer accepts: a history of nearly a mebibyte. */
static void a_header_as_large_as_is_allowed_comes_back(void **state)
{
    (void)state;
    struct pst_header header;
    struct recorded recorded = { 0 };
    make_header(&header);
    char *text = calloc(1, PST_MAX_META);
    assert_non_null(text);
    memset(text, 'a', PST_MAX_META - 1000);
    assert_int_equal(pst_header_append_history(&header, "wordy", json_pack("{s:s}", "text", text), NULL),
                     PST_OK);
    free(text);
    record(&recorded, &header, 1, 1);
    assert_stream(&recorded, &header, 1, 1);
    pst_header_free(&header);
    forget(&recorded);
}

#define MINIMAL                                                                                  \
    "\"format\":1,\"run\":\"00\",\"history\":[],\"tensors\":[{\"name\":\"y\",\"dtype\":\"i32\"," \
    "\"shape\":[],\"colour\":\"blue\"}]"

static void unknown_keys_of_a_header_are_handed_on(void **state)
{
    (void)state;
    struct recorded from = { 0 }, to = { 0 };
    append_json(&from, "header", "{" MINIMAL ",\"later\":{\"a\":[1,-2.5,null,true,\"b\"]},\"also\":3}");
    struct pst_reader *reader = open_reader(&from, PST_DEFAULT_MAX_MESSAGE);
    struct pst_header header;
    assert_int_equal(pst_reader_header(reader, &header, NULL), PST_OK);
    pst_reader_free(reader);
    record(&to, &header, 1, 1);
    pst_header_free(&header);
    reader = open_reader(&to, PST_DEFAULT_MAX_MESSAGE);
    assert_int_equal(pst_reader_header(reader, &header, NULL), PST_OK);
    json_t *expected = json_loads("{\"later\":{\"a\":[1,-2.5,null,true,\"b\"]},\"also\":3}", 0, NULL);
    assert_true(json_equal(header.other, expected));
    json_decref(expected);
    pst_reader_free(reader);
    pst_header_free(&header);
    forget(&from);
    forget(&to);
}

/* Appends a batch of one tensor 'y' with one sample, its metadata given without the checksums. */
static void append_batch_with(struct recorded *recorded, const char *more)
{
    int32_t y = 1;
    char meta[512];
    snprintf(meta, sizeof meta, "{%s\"seq\":0,\"epoch\":0,\"n\":1,\"crcs\":[%u]}", more,
             pst_crc32c(0, &y, 4));
    append_json(recorded, "batch", meta);
    append(recorded,
           "\xa4"
           "data"
           "\x91\xc4\x04",
           8);
    append(recorded, &y, 4);
}

static void unknown_keys_of_a_batch_are_stepped_over(void **state)
{
    (void)state;
    struct recorded recorded = { 0 };
    append_json(&recorded, "header", "{" MINIMAL "}");
    append_batch_with(&recorded, "\"weather\":{\"rain\":[1,2,{\"x\":null}],\"sun\":0.5},\"mood\":\"fair\",");
    struct pst_reader *reader = open_reader(&recorded, PST_DEFAULT_MAX_MESSAGE);
    struct pst_header header;
    struct pst_batch batch = { 0 };
    struct pst_error error = { 0 };
    assert_int_equal(pst_reader_header(reader, &header, NULL), PST_OK);
    assert_int_equal(pst_reader_next(reader, &batch, &error), PST_OK);
    assert_int_equal(*(const int32_t *)batch.tensors[0].data, 1);
    pst_reader_free(reader);
    pst_batch_free(&batch);
    pst_header_free(&header);
    forget(&recorded);
}

/* The next stage must find it if a filter damages a tensor that it did not declare as changed. */
static void checksums_are_passed_on_untouched(void **state)
{
    (void)state;
    struct pst_header header;
    struct recorded from = { 0 }, to = { 0 };
    make_header(&header);
    record(&from, &header, 1, 3);
    pst_header_free(&header);
    struct pst_reader *reader = open_reader(&from, PST_DEFAULT_MAX_MESSAGE);
    struct pst_writer *writer = open_writer(&to);
    struct pst_batch batch = { 0 };
    struct pst_error error = { 0 };
    assert_int_equal(pst_reader_header(reader, &header, NULL), PST_OK);
    assert_int_equal(pst_writer_header(writer, &header, NULL), PST_OK);
    assert_int_equal(pst_reader_next(reader, &batch, NULL), PST_OK);
    ((char *)batch.tensors[1].data)[2] ^= 1;
    assert_int_equal(pst_writer_batch(writer, &batch, NULL), PST_OK);
    batch.seq++;
    batch.tensors[1].crc_known = false;
    assert_int_equal(pst_writer_batch(writer, &batch, NULL), PST_OK);
    assert_int_equal(pst_writer_finish(writer, NULL), PST_OK);
    pst_writer_free(writer);
    assert_int_equal(read_all(&to, PST_DEFAULT_MAX_MESSAGE, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "batch 0: "));
    assert_non_null(strstr(error.message, "'y'"));
    pst_reader_free(reader);
    pst_batch_free(&batch);
    pst_header_free(&header);
    forget(&from);
    forget(&to);
}

/* Sums do not depend on order: the same samples in other batches have the same sample_checksum. */
static void the_checksum_of_samples_does_not_depend_on_batches(void **state)
{
    (void)state;
    uint64_t sums[2];
    for (size_t way = 0; way < 2; way++) {
        struct pst_header header;
        struct recorded recorded = { 0 };
        assert_int_equal(pst_header_new(&header, NULL), PST_OK);
        add_tensor(&header, "id", PST_DTYPE_U64, 0);
        struct pst_writer *writer = open_writer(&recorded);
        assert_int_equal(pst_writer_header(writer, &header, NULL), PST_OK);
        struct pst_batch batch = { 0 };
        size_t n = way == 0 ? 12 : 4;
        for (size_t seq = 0; seq < 12 / n; seq++) {
            make_batch(&batch, &header, seq, 1, n);
            for (size_t i = 0; i < n; i++)
                ((uint64_t *)batch.tensors[0].data)[i] = way == 0 ? i : 11 - (seq * n + i);
            assert_int_equal(pst_writer_batch(writer, &batch, NULL), PST_OK);
        }
        sums[way] = pst_writer_trailer(writer)->sample_checksum;
        pst_writer_free(writer);
        pst_batch_free(&batch);
        pst_header_free(&header);
        forget(&recorded);
    }
    assert_true(sums[0] == sums[1] && sums[0] != 0);
    assert_true(pst_sample_hash(0, 1) != pst_sample_hash(1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_comes_back_as_it_was_written),
        cmocka_unit_test(a_stream_without_batches_is_a_stream),
        cmocka_unit_test(a_stream_may_begin_in_the_middle),
        cmocka_unit_test(hundreds_of_tensors_come_back),
        cmocka_unit_test(hundreds_of_tensors_come_back_from_a_file),
        cmocka_unit_test(a_header_as_large_as_is_allowed_comes_back),
        cmocka_unit_test(unknown_keys_of_a_header_are_handed_on),
        cmocka_unit_test(unknown_keys_of_a_batch_are_stepped_over),
        cmocka_unit_test(checksums_are_passed_on_untouched),
        cmocka_unit_test(the_checksum_of_samples_does_not_depend_on_batches),
    };
    return cmocka_run_group_tests_name("streams there and back", tests, NULL, NULL);
}
