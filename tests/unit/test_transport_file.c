/* Files, named pipes and memory as endpoints: every byte arrives, also in the shortest steps. */
#include "pipestill/linux.h"

#include "tests/unit/stream_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const struct pst_link_settings settings = { .max_message = PST_DEFAULT_MAX_MESSAGE };
static char folder[64], path[96], part[112];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/pipestill-test-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/stream.pst", folder);
    snprintf(part, sizeof part, "%s.part", path);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(part);
    return rmdir(folder);
}

/* Reads an input to its end. */
static void read_whole(const char *endpoint, struct recorded *recorded)
{
    struct pst_input *input;
    char bytes[1000];
    size_t got;
    enum pst_status status;
    assert_int_equal(pst_input_open(&input, endpoint, &settings, NULL), PST_OK);
    while ((status = pst_input_read(input, bytes, sizeof bytes, &got, NULL)) == PST_OK) {
        assert_in_range(got, 1, sizeof bytes);
        append(recorded, bytes, got);
    }
    assert_int_equal(status, PST_END);
    assert_int_equal(pst_input_finish(input, NULL), PST_OK);
    pst_input_close(input);
}

static void parts_of_every_size_arrive_in_order(void **state)
{
    (void)state;
    enum { PARTS = 300 };
    char letters[PARTS];
    struct iovec parts[PARTS];
    struct recorded expected = { 0 }, came = { 0 };
    for (size_t i = 0; i < PARTS; i++) {
        letters[i] = (char)('a' + i % 26);
        parts[i] = (struct iovec){ letters, i % 7 == 0 ? 0 : i };
        append(&expected, letters, parts[i].iov_len);
    }
    struct pst_output *output;
    assert_int_equal(pst_output_open(&output, path, &settings, NULL), PST_OK);
    assert_int_equal(pst_output_write(output, parts, PARTS, NULL), PST_OK);
    assert_int_equal(pst_output_write(output, parts, 0, NULL), PST_OK);
    assert_int_equal(pst_output_finish(output, NULL), PST_OK);
    pst_output_close(output);
    read_whole(path, &came);
    assert_int_equal(came.size, expected.size);
    assert_memory_equal(came.buffer.data, expected.buffer.data, came.size);
    forget(&came);
    forget(&expected);
}

static void an_unfinished_file_keeps_its_provisional_name(void **state)
{
    (void)state;
    struct pst_output *output;
    char text[] = "abc";
    struct iovec some = { text, 3 };
    assert_int_equal(pst_output_open(&output, path, &settings, NULL), PST_OK);
    assert_int_equal(pst_output_write(output, &some, 1, NULL), PST_OK);
    pst_output_close(output);
    assert_int_equal(access(part, F_OK), 0);
    assert_int_not_equal(access(path, F_OK), 0);
}

struct sender {
    struct pst_header header;
    enum pst_status status;
};

/* Writes a stream of 40 batches of 1000 samples, more than a pipe holds. */
static void *send_stream(void *argument)
{
    struct sender *sender = argument;
    struct pst_output *output;
    struct pst_writer *writer = NULL;
    struct pst_batch batch = { 0 };
    sender->status = pst_output_open(&output, path, &settings, NULL);
    if (sender->status == PST_OK)
        sender->status = pst_writer_new(&writer, output, NULL);
    if (sender->status == PST_OK)
        sender->status = pst_writer_header(writer, &sender->header, NULL);
    for (uint64_t seq = 0; seq < 40 && sender->status == PST_OK; seq++) {
        make_batch(&batch, &sender->header, seq, seq / 2, 1000);
        sender->status = pst_writer_batch(writer, &batch, NULL);
    }
    if (sender->status == PST_OK)
        sender->status = pst_writer_finish(writer, NULL);
    pst_writer_free(writer);
    pst_batch_free(&batch);
    return NULL;
}

static void a_stream_passes_through_a_named_pipe(void **state)
{
    (void)state;
    struct sender sender;
    struct recorded came = { 0 }, expected = { 0 };
    pthread_t thread;
    make_header(&sender.header);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(pthread_create(&thread, NULL, send_stream, &sender), 0);
    read_whole(path, &came);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(sender.status, PST_OK);
    record(&expected, &sender.header, 40, 1000);
    assert_int_equal(came.size, expected.size);
    assert_memory_equal(came.buffer.data, expected.buffer.data, came.size);
    pst_header_free(&sender.header);
    forget(&came);
    forget(&expected);
}

static void a_reader_that_leaves_a_named_pipe_is_told_of(void **state)
{
    (void)state;
    struct sender sender;
    pthread_t thread;
    struct pst_input *input;
    char bytes[100];
    size_t got;
    make_header(&sender.header);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(pthread_create(&thread, NULL, send_stream, &sender), 0);
    assert_int_equal(pst_input_open(&input, path, &settings, NULL), PST_OK);
    assert_int_equal(pst_input_read(input, bytes, sizeof bytes, &got, NULL), PST_OK);
    pst_input_close(input);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(sender.status, PST_READER_LEFT);
    pst_header_free(&sender.header);
}

/* An input that gives one byte at a time. */
struct drip {
    struct pst_input input;
    const struct recorded *from;
    size_t at;
};

static enum pst_status read_drip(struct pst_input *input, void *bytes, size_t size, size_t *got,
                                 struct pst_error *error)
{
    (void)error;
    struct drip *drip = (struct drip *)input;
    if (drip->at == drip->from->size || size == 0)
        return PST_END;
    memcpy(bytes, (char *)drip->from->buffer.data + drip->at++, 1);
    *got = 1;
    return PST_OK;
}

static void close_drip(struct pst_input *input)
{
    (void)input;
}

static void a_stream_that_comes_byte_by_byte_is_read(void **state)
{
    (void)state;
    static const struct pst_input_operations operations = { .read = read_drip, .close = close_drip };
    struct pst_header header, came;
    struct recorded recorded = { 0 };
    make_header(&header);
    record(&recorded, &header, 3, 9);
    pst_header_free(&header);
    struct drip drip = { .input = { .operations = &operations, .name = "drip" }, .from = &recorded };
    struct pst_reader *reader;
    struct pst_batch batch = { 0 };
    assert_int_equal(pst_reader_new(&reader, &drip.input, PST_DEFAULT_MAX_MESSAGE, NULL), PST_OK);
    assert_int_equal(pst_reader_header(reader, &came, NULL), PST_OK);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pst_reader_next(reader, &batch, NULL), PST_OK);
    assert_int_equal(pst_reader_next(reader, &batch, NULL), PST_END);
    pst_reader_free(reader);
    pst_batch_free(&batch);
    pst_header_free(&came);
    forget(&recorded);
}

static void memory_is_read_in_pieces_to_its_end(void **state)
{
    (void)state;
    struct pst_input *input;
    char bytes[4];
    size_t got;
    assert_int_equal(pst_input_from_memory(&input, "abcdef", 6, NULL), PST_OK);
    assert_int_equal(pst_input_read(input, bytes, 4, &got, NULL), PST_OK);
    assert_int_equal(got, 4);
    assert_memory_equal(bytes, "abcd", 4);
    assert_int_equal(pst_input_read(input, bytes, 4, &got, NULL), PST_OK);
    assert_int_equal(got, 2);
    assert_int_equal(pst_input_read(input, bytes, 4, &got, NULL), PST_END);
    pst_input_close(input);
}

static void endpoints_that_do_not_exist_are_told_apart(void **state)
{
    (void)state;
    struct pst_input *input;
    struct pst_output *output;
    struct pst_error error;
    assert_int_equal(pst_input_open(&input, path, &settings, &error), PST_NO_INPUT);
    assert_non_null(strstr(error.message, path));
    assert_int_equal(pst_input_open(&input, folder, &settings, &error), PST_NO_INPUT);
    assert_int_equal(pst_input_open(&input, "carrier-pigeon://here", &settings, &error), PST_USAGE);
    assert_non_null(strstr(error.message, "carrier-pigeon://here"));
    assert_int_equal(pst_output_open(&output, "carrier-pigeon://here", &settings, &error), PST_USAGE);
    assert_int_equal(pst_output_open(&output, "/nonexistent/stream.pst", &settings, &error), PST_IO_ERROR);
    assert_int_equal(pst_output_open(&output, folder, &settings, &error), PST_IO_ERROR);
}

static void a_file_that_another_process_writes_is_refused(void **state)
{
    (void)state;
    struct pst_output *first, *second;
    assert_int_equal(pst_output_open(&first, path, &settings, NULL), PST_OK);
    assert_int_equal(pst_output_open(&second, path, &settings, NULL), PST_TRY_AGAIN);
    pst_output_close(first);
}

static int ignore_sigpipe(void **state)
{
    (void)state;
    return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0;
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(parts_of_every_size_arrive_in_order),
        IN_FOLDER(an_unfinished_file_keeps_its_provisional_name),
        IN_FOLDER(a_stream_passes_through_a_named_pipe),
        IN_FOLDER(a_reader_that_leaves_a_named_pipe_is_told_of),
        IN_FOLDER(endpoints_that_do_not_exist_are_told_apart),
        IN_FOLDER(a_file_that_another_process_writes_is_refused),
        cmocka_unit_test(a_stream_that_comes_byte_by_byte_is_read),
        cmocka_unit_test(memory_is_read_in_pieces_to_its_end),
    };
    return cmocka_run_group_tests_name("files, pipes and memory", tests, ignore_sigpipe, NULL);
}
