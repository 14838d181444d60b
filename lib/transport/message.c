/* Messages and events of a socket; see socket.h and transport.h. */
#include "pipestill/linux.h"

#include "lib/transport/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

struct pst_payload {
    zmq_msg_t message;
};

/* ---- the connection ---- */

/* Takes an event of the connection; its second frame, the address, is not needed. */
static void take_event(struct pst_socket *socket)
{
    uint8_t event[6];
    char address[256];
    if (zmq_recv(socket->monitor, event, sizeof event, ZMQ_DONTWAIT) < 2 ||
        zmq_recv(socket->monitor, address, sizeof address, ZMQ_DONTWAIT) < 0)
        return;
    uint16_t number = (uint16_t)(event[0] | event[1] << 8);
    if (number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        socket->cut_since = 0;
        socket->connections++;
        socket->refusal = NULL;
        socket->try_for = PST_FIRST_TRY;
    } else if (number == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        socket->refusal = "the listener does not accept this key";
    else if (number != ZMQ_EVENT_DISCONNECTED)
        socket->refusal = "the other side speaks something else, or has other keys";
    if (number != ZMQ_EVENT_HANDSHAKE_SUCCEEDED && socket->cut_since == 0)
        socket->cut_since = socket->tried_since = pst_seconds();
}

double pst_socket_cut_for(const struct pst_socket *socket)
{
    return socket->cut_since == 0 ? 0 : pst_seconds() - socket->cut_since;
}

uint64_t pst_socket_connections(const struct pst_socket *socket)
{
    return socket->connections;
}

const char *pst_socket_refusal(const struct pst_socket *socket)
{
    return socket->refusal;
}

/* ---- receiving ---- */

void pst_socket_release(struct pst_socket *socket)
{
    if (socket->has_payload)
        zmq_msg_close(&socket->payload);
    socket->has_payload = false;
}

static bool more(struct pst_socket *socket)
{
    int flag = 0;
    size_t size = sizeof flag;
    return zmq_getsockopt(socket->zmq, ZMQ_RCVMORE, &flag, &size) == 0 && flag != 0;
}

/* Takes the frames of a message that is there. PST_BAD_DATA leaves the socket at the next message. */
static enum pst_status take_frames(struct pst_socket *socket, struct pst_message *message,
                                   struct pst_error *error)
{
    memset(message, 0, sizeof *message);
    bool good = true;
    if (socket->listens) {
        int size = zmq_recv(socket->zmq, message->peer, sizeof message->peer, ZMQ_DONTWAIT);
        if (size < 0)
            return PST_END; /* no message after all */
        good = size == PST_PEER_SIZE && more(socket);
    }
    int size = zmq_recv(socket->zmq, message->control, sizeof message->control, ZMQ_DONTWAIT);
    good = good && size > 0 && size <= PST_CONTROL_SIZE;
    message->control_size = good ? (size_t)size : 0;
    if (more(socket)) {
        zmq_msg_init(&socket->payload);
        socket->has_payload = true;
        good = zmq_msg_recv(&socket->payload, socket->zmq, ZMQ_DONTWAIT) >= 0 && good;
        message->payload = zmq_msg_data(&socket->payload);
        message->payload_size = zmq_msg_size(&socket->payload);
    }
    while (more(socket)) {
        zmq_recv(socket->zmq, NULL, 0, ZMQ_DONTWAIT);
        good = false;
    }
    return good
               ? PST_OK
               : pst_fail(error, PST_BAD_DATA,
                          "%s: a message that a pipestill does not send; is another program at this address?",
                          socket->name);
}

enum pst_status pst_socket_receive(struct pst_socket *socket, double seconds, int fd,
                                   struct pst_message *message, struct pst_error *error)
{
    pst_socket_release(socket);
    double until = pst_seconds() + seconds;
    for (;;) {
        /* The signal may have come to another thread, or just before the poll. */
        if (pst_stop_signal() != 0)
            return pst_fail(error, PST_STOPPED, "%s: stopped by a signal", socket->name);
        zmq_pollitem_t items[3] = { { .socket = socket->zmq, .events = ZMQ_POLLIN } };
        int count = 1, monitor = -1;
        if (socket->monitor != NULL) {
            monitor = count;
            items[count++] = (zmq_pollitem_t){ .socket = socket->monitor, .events = ZMQ_POLLIN };
        }
        if (fd >= 0)
            items[count++] = (zmq_pollitem_t){ .fd = fd, .events = ZMQ_POLLIN };
        pst_socket_take_turns(socket);
        double left = until - pst_seconds();
        left = socket->cut_since != 0 && left > 0.5 ? 0.5 : left;
        int ready = zmq_poll(items, count, left > 0 ? (long)(left * 1000) + 1 : 0);
        if (ready < 0 && errno != EINTR)
            return pst_fail(error, PST_IO_ERROR, "%s: %s", socket->name, zmq_strerror(errno));
        if (ready <= 0 && pst_seconds() >= until)
            return PST_END;
        if (ready > 0 && monitor >= 0 && (items[monitor].revents & ZMQ_POLLIN) != 0)
            take_event(socket);
        if (ready > 0 && (items[0].revents & ZMQ_POLLIN) != 0)
            return take_frames(socket, message, error);
        if (ready > 0 && fd >= 0 && items[count - 1].revents != 0)
            return PST_END;
    }
}

/* ---- sending ---- */

struct pst_payload *pst_payload_new(const struct iovec *parts, size_t count, struct pst_error *error)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].iov_len;
    struct pst_payload *payload = malloc(sizeof *payload);
    if (payload == NULL || zmq_msg_init_size(&payload->message, size) != 0) {
        free(payload);
        pst_fail(error, PST_TRY_AGAIN, "out of memory for a message of %zu bytes", size);
        return NULL;
    }
    char *at = zmq_msg_data(&payload->message);
    for (size_t i = 0; i < count; i++) {
        if (parts[i].iov_len > 0)
            memcpy(at, parts[i].iov_base, parts[i].iov_len);
        at += parts[i].iov_len;
    }
    return payload;
}

size_t pst_payload_size(const struct pst_payload *payload)
{
    return zmq_msg_size(&payload->message);
}

void pst_payload_free(struct pst_payload *payload)
{
    if (payload == NULL)
        return;
    zmq_msg_close(&payload->message);
    free(payload);
}

const void *pst_payload_bytes(struct pst_payload *payload)
{
    return zmq_msg_data(&payload->message);
}

struct pst_payload *pst_socket_keep(struct pst_socket *socket, struct pst_error *error)
{
    struct pst_payload *payload = malloc(sizeof *payload);
    if (payload == NULL) {
        pst_fail(error, PST_TRY_AGAIN, "out of memory for a message");
        return NULL;
    }
    zmq_msg_init(&payload->message);
    if (socket->has_payload)
        zmq_msg_move(&payload->message, &socket->payload);
    pst_socket_release(socket);
    return payload;
}

static enum pst_status send_failed(const struct pst_socket *socket, struct pst_error *error)
{
    if (errno == EHOSTUNREACH)
        return pst_fail(error, PST_UNAVAILABLE, "%s: the peer is not connected", socket->name);
    if (errno == EAGAIN)
        return pst_fail(error, PST_TRY_AGAIN, "%s: too much is on its way", socket->name);
    return pst_fail(error, PST_IO_ERROR, "%s: cannot send: %s", socket->name, zmq_strerror(errno));
}

enum pst_status pst_socket_send(struct pst_socket *socket, const uint8_t *peer, const void *control,
                                size_t control_size, struct pst_payload *payload, struct pst_error *error)
{
    /* Only the first frame can fail because there is no peer or no room; the others follow it. */
    if (socket->listens && zmq_send(socket->zmq, peer, PST_PEER_SIZE, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return send_failed(socket, error);
    int last = payload == NULL ? 0 : ZMQ_SNDMORE;
    if (zmq_send(socket->zmq, control, control_size, ZMQ_DONTWAIT | last) < 0)
        return send_failed(socket, error);
    if (payload == NULL)
        return PST_OK;
    zmq_msg_t copy; /* shares the bytes */
    zmq_msg_init(&copy);
    if (zmq_msg_copy(&copy, &payload->message) != 0 || zmq_msg_send(&copy, socket->zmq, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&copy);
        return send_failed(socket, error);
    }
    return PST_OK;
}
