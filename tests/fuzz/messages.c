/*
 * Messages of a peer to either end of a link, and to a dispatcher. Sockets are not opened: their functions
 * are here, and hand out the messages that the bytes make. Each has a byte for the size of its control frame,
 * one for that of its payload in units of 8 bytes, and then both.
 */
#include "lib/pool/protocol.h"
#include "lib/transport/link.h"
#include "lib/transport/socket.h"
#include "tests/fuzz/fuzz.h"

#include <sys/uio.h>

struct pst_payload {
    const void *bytes; /* of a message that is kept; not a copy */
    size_t size;
};

static struct {
    const uint8_t *at, *end;
    struct pst_message last; /* the message that was handed out last */
    uint64_t connections;
} peer;

static size_t take(size_t most)
{
    size_t left = (size_t)(peer.end - peer.at), size = left == 0 ? 0 : *peer.at++;
    return size < most ? size : most;
}

enum pst_status pst_socket_receive(struct pst_socket *socket, double seconds, int fd,
                                   struct pst_message *message, struct pst_error *error)
{
    (void)socket;
    (void)seconds;
    (void)fd;
    if (peer.at == peer.end)
        return pst_fail(error, PST_STOPPED, "that was all");
    size_t control = take(PST_CONTROL_SIZE), payload = 8 * take(255), left = (size_t)(peer.end - peer.at);
    if (control + payload > left)
        return peer.at = peer.end, PST_BAD_DATA;
    *message = (struct pst_message){ .control_size = control, .payload_size = payload };
    memcpy(message->control, peer.at, control);
    message->payload = payload == 0 ? NULL : peer.at + control;
    peer.at += control + payload;
    peer.last = *message;
    return PST_OK;
}

enum pst_status pst_socket_open(struct pst_socket **socket, const char *endpoint,
                                const struct pst_link_settings *settings, struct pst_error *error)
{
    (void)settings;
    *socket = pst_allocate(1, sizeof **socket, error);
    if (*socket == NULL)
        return PST_TRY_AGAIN;
    (*socket)->listens = strncmp(endpoint, "listen:", 7) == 0;
    return PST_OK;
}

enum pst_status pst_socket_send(struct pst_socket *socket, const uint8_t *to, const void *control,
                                size_t size, struct pst_payload *payload, struct pst_error *error)
{
    (void)socket;
    (void)to;
    (void)control;
    (void)size;
    (void)payload;
    (void)error;
    return PST_OK;
}

void pst_socket_close(struct pst_socket *socket, double linger)
{
    (void)linger;
    free(socket);
}

void pst_socket_release(struct pst_socket *socket)
{
    (void)socket;
}

double pst_socket_cut_for(const struct pst_socket *socket)
{
    (void)socket;
    return 0;
}

uint64_t pst_socket_connections(const struct pst_socket *socket)
{
    (void)socket;
    return 1;
}

const char *pst_socket_refusal(const struct pst_socket *socket)
{
    (void)socket;
    return NULL;
}

struct pst_payload *pst_payload_new(const struct iovec *parts, size_t count, struct pst_error *error)
{
    struct pst_payload *payload = pst_allocate(1, sizeof *payload, error);
    for (size_t i = 0; payload != NULL && i < count; i++)
        payload->size += parts[i].iov_len;
    return payload;
}

size_t pst_payload_size(const struct pst_payload *payload)
{
    return payload->size;
}

struct pst_payload *pst_socket_keep(struct pst_socket *socket, struct pst_error *error)
{
    (void)socket;
    struct pst_payload *payload = pst_allocate(1, sizeof *payload, error);
    if (payload != NULL)
        *payload = (struct pst_payload){ .bytes = peer.last.payload, .size = peer.last.payload_size };
    return payload;
}

const void *pst_payload_bytes(struct pst_payload *payload)
{
    return payload->bytes;
}

void pst_payload_free(struct pst_payload *payload)
{
    free(payload);
}

/* ---- the three receivers ----------------------------------------------------------------------------- */

static void read_all(const char *endpoint, const struct pst_link_settings *settings)
{
    struct pst_error error;
    struct pst_input *input;
    char bytes[64];
    size_t got;
    if (pst_link_input_open(&input, endpoint, settings, &error) != PST_OK)
        return;
    enum pst_status status;
    do
        status = pst_input_read(input, bytes, sizeof bytes, &got, &error);
    while (status == PST_OK);
    if (status == PST_END)
        (void)!pst_input_finish(input, &error);
    pst_input_close(input);
}

static void write_all(const char *endpoint, const struct pst_link_settings *settings)
{
    struct pst_error error;
    struct pst_output *output;
    struct iovec part = { .iov_base = (char[]){ "some bytes" }, .iov_len = 10 };
    if (pst_link_output_open(&output, endpoint, settings, &error) != PST_OK)
        return;
    enum pst_status status = PST_OK;
    for (int i = 0; i < 5 && status == PST_OK; i++)
        status = pst_output_write(output, &part, 1, &error);
    if (status == PST_OK)
        (void)!pst_output_finish(output, &error);
    pst_output_close(output);
}

static void hear_workers(void)
{
    struct pst_error error;
    struct pst_message message;
    struct pst_pool_control control;
    char text[48];
    while (peer.at < peer.end)
        if (pst_socket_receive(NULL, 0, -1, &message, &error) == PST_OK &&
            pst_pool_parse(&message, &control, &error) == PST_OK)
            pst_pool_text(&message, text, sizeof text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pst_link_settings settings = {
        .max_message = FUZZ_MOST_MESSAGE, .peer_timeout = 1, .window_messages = 4, .window_bytes = 1 << 16
    };
    if (size == 0)
        return 0;
    peer.at = data + 1;
    peer.end = data + size;
    const char *endpoint = (data[0] & 4) != 0 ? "listen:ipc:///none" : "ipc:///none";
    if ((data[0] & 3) == 0)
        read_all(endpoint, &settings);
    else if ((data[0] & 3) == 1)
        write_all(endpoint, &settings);
    else
        hear_workers();
    return 0;
}
