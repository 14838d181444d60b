/* Messages between dispatcher and worker: each side takes what the other one sends, and nothing else. */
#include "lib/pool/protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A dispatcher's socket and a worker's, connected over a socket file. */
struct pair {
    struct pst_socket *dispatcher, *worker;
    char folder[64];
};

static int connect_pair(void **state)
{
    static struct pair pair;
    struct pst_link_settings settings = pst_link_settings_default();
    char listening[96];
    strcpy(pair.folder, "/tmp/pipestill-test-XXXXXX");
    if (mkdtemp(pair.folder) == NULL)
        return -1;
    snprintf(listening, sizeof listening, "listen:ipc://%s/s", pair.folder);
    *state = &pair;
    return pst_socket_open(&pair.dispatcher, listening, &settings, NULL) == PST_OK &&
                   pst_socket_open(&pair.worker, listening + 7, &settings, NULL) == PST_OK
               ? 0
               : -1;
}

static int close_pair(void **state)
{
    struct pair *pair = *state;
    char path[96];
    pst_socket_close(pair->worker, 0);
    pst_socket_close(pair->dispatcher, 0);
    snprintf(path, sizeof path, "%s/s", pair->folder);
    unlink(path);
    return rmdir(pair->folder);
}

/* Takes the next message, which must come within a minute. */
static void receive(struct pst_socket *socket, struct pst_message *message)
{
    double until = pst_seconds() + 60;
    enum pst_status status;
    do
        status = pst_socket_receive(socket, 1, -1, message, NULL);
    while (status == PST_END && pst_seconds() < until);
    assert_int_equal(status, PST_OK);
}

/* A message in memory with this control frame. */
static struct pst_message message_of(const void *control, size_t size)
{
    struct pst_message message = { .control_size = size };
    memcpy(message.control, control, size);
    return message;
}

static const struct pst_pool_control greeting = {
    .magic = "PSTP", .version = PST_POOL_VERSION, .kind = PST_POOL_READY, .session = 1, .seq = 3
};

static void what_is_sent_is_what_is_parsed_there_and_back(void **state)
{
    struct pair *pair = *state;
    struct pst_pool_control sent = { .kind = PST_POOL_ANSWER, .session = 7, .seq = 1ULL << 40, .check = 99 };
    struct pst_pool_control came;
    struct pst_message message;
    assert_int_equal(pst_pool_send(pair->worker, NULL, &sent, "answer", 6, NULL), PST_OK);
    receive(pair->dispatcher, &message);
    assert_int_equal(pst_pool_parse(&message, &came, NULL), PST_OK);
    assert_int_equal(came.kind, PST_POOL_ANSWER);
    assert_true(came.session == 7 && came.seq == 1ULL << 40 && came.check == 99);
    assert_int_equal(message.payload_size, 6);
    assert_memory_equal(message.payload, "answer", 6);
    /* A message back to its sender, without a payload. */
    uint8_t peer[PST_PEER_SIZE];
    memcpy(peer, message.peer, sizeof peer);
    sent.kind = PST_POOL_END;
    assert_int_equal(pst_pool_send(pair->dispatcher, peer, &sent, NULL, 0, NULL), PST_OK);
    receive(pair->worker, &message);
    assert_int_equal(pst_pool_parse(&message, &came, NULL), PST_OK);
    assert_int_equal(came.kind, PST_POOL_END);
    assert_int_equal(message.payload_size, 0);
}

static void a_worker_that_is_not_there_is_unavailable(void **state)
{
    struct pair *pair = *state;
    static const uint8_t unknown[PST_PEER_SIZE] = { 1, 2, 3 };
    struct pst_error error = { 0 };
    assert_int_equal(pst_pool_send(pair->dispatcher, unknown, &greeting, "x", 1, &error), PST_UNAVAILABLE);
    assert_non_null(strstr(error.message, "not connected"));
}

static void a_frame_of_another_size_or_kind_of_program_is_refused(void **state)
{
    (void)state;
    struct pst_pool_control came;
    struct pst_error error = { 0 };
    char bytes[PST_CONTROL_SIZE] = { 0 };
    memcpy(bytes, &greeting, sizeof greeting);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        struct pst_message message = message_of(bytes, size);
        assert_int_equal(pst_pool_parse(&message, &came, &error),
                         size == sizeof greeting ? PST_OK : PST_BAD_DATA);
    }
    bytes[0] ^= 1;
    struct pst_message other = message_of(bytes, sizeof greeting);
    assert_int_equal(pst_pool_parse(&other, &came, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "not of dispatcher and worker"));
}

static void another_version_is_named(void **state)
{
    (void)state;
    struct pst_pool_control newer = greeting, came;
    struct pst_error error = { 0 };
    newer.version = PST_POOL_VERSION + 1;
    struct pst_message message = message_of(&newer, sizeof newer);
    assert_int_equal(pst_pool_parse(&message, &came, &error), PST_UNAVAILABLE);
    assert_string_equal(error.message, "it speaks version 2, this side version 1");
}

static void a_text_fits_and_is_one_line(void **state)
{
    (void)state;
    static const char said[] = "two\nlines\tand\x7f\x1b[2J";
    struct pst_message message = { .payload = said, .payload_size = sizeof said - 1 };
    char text[32], little[4] = "xyz";
    pst_pool_text(&message, text, sizeof text);
    assert_string_equal(text, "two?lines?and??[2J");
    pst_pool_text(&message, little, sizeof little);
    assert_string_equal(little, "two");
    message = (struct pst_message){ 0 };
    pst_pool_text(&message, text, sizeof text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_sent_is_what_is_parsed_there_and_back, connect_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(a_worker_that_is_not_there_is_unavailable, connect_pair, close_pair),
        cmocka_unit_test(a_frame_of_another_size_or_kind_of_program_is_refused),
        cmocka_unit_test(another_version_is_named),
        cmocka_unit_test(a_text_fits_and_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
