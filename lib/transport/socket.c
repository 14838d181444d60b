/* ZeroMQ sockets; see socket.h and transport.h. */
#include "lib/base/linux.h"

#include "lib/transport/socket.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct pst_socket {
    void *context, *zmq, *monitor;
    bool listens;
    char name[256];
    zmq_msg_t payload;
    bool has_payload;
    double cut_since; /* 0 while connected; connecting sockets only */
    const char *refusal;
};

struct pst_payload {
    zmq_msg_t message;
};

struct pst_link_settings pst_link_settings_default(void)
{
    return (struct pst_link_settings){
        .max_message = (size_t)256 << 20,
        .peer_timeout = 30,
        .window_messages = 64,
        .window_bytes = (size_t)64 << 20,
    };
}

/* ---- opening ---- */

static void set_int(void *zmq, int option, int value)
{
    zmq_setsockopt(zmq, option, &value, sizeof value);
}

/*
 * libzmq's own threads answer its heartbeats, so a stage that computes for long stays alive to its peer. A
 * dead connection is closed after half the time, which leaves the other half for coming back.
 */
static void set_options(struct pst_socket *socket, const struct pst_link_settings *settings)
{
    int milliseconds = (int)(settings->peer_timeout * 1000);
    int64_t most = (int64_t)settings->max_message + (1 << 20);
    zmq_setsockopt(socket->zmq, ZMQ_MAXMSGSIZE, &most, sizeof most);
    set_int(socket->zmq, ZMQ_HEARTBEAT_IVL, milliseconds / 8 + 1);
    set_int(socket->zmq, ZMQ_HEARTBEAT_TIMEOUT, milliseconds / 2 + 1);
    set_int(socket->zmq, ZMQ_HANDSHAKE_IVL, 10000);
    set_int(socket->zmq, ZMQ_RECONNECT_IVL, 100);
    set_int(socket->zmq, ZMQ_RECONNECT_IVL_MAX, 2000);
    set_int(socket->zmq, ZMQ_BACKLOG, 1024);
    set_int(socket->zmq, ZMQ_LINGER, 0);
    /* Credit bounds what is on its way; a full queue would also stop heartbeats from being answered. */
    set_int(socket->zmq, ZMQ_RCVHWM, 100000);
    set_int(socket->zmq, ZMQ_SNDHWM, 100000);
    set_int(socket->zmq, ZMQ_IPV6, 1);
    if (socket->listens) {
        set_int(socket->zmq, ZMQ_ROUTER_MANDATORY, 1);
        set_int(socket->zmq, ZMQ_ROUTER_HANDOVER, 1);
    }
}

/* A random name, by which the listener knows this peer again after a broken connection. */
static bool set_name(void *zmq)
{
    uint8_t name[PST_PEER_SIZE];
    if (getrandom(name, sizeof name, 0) != (ssize_t)sizeof name)
        return false;
    name[0] |= 1; /* names that begin with 0 are ZeroMQ's own */
    return zmq_setsockopt(zmq, ZMQ_ROUTING_ID, name, sizeof name) == 0;
}

/* Tells the connection's ups and downs to a connecting socket. A listener learns of them when it sends. */
static bool watch(struct pst_socket *socket)
{
    char address[64];
    snprintf(address, sizeof address, "inproc://monitor-%p", (void *)socket);
    int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
    if (zmq_socket_monitor(socket->zmq, address, events) != 0)
        return false;
    socket->monitor = zmq_socket(socket->context, ZMQ_PAIR);
    return socket->monitor != NULL && zmq_connect(socket->monitor, address) == 0;
}

/* Splits tcp://host:port; libzmq would try an unknown host for ever and say nothing. */
static enum pst_status check_tcp(const char *address, bool listens, struct pst_error *error)
{
    const char *host = address + strlen("tcp://"), *colon = strrchr(host, ':');
    uint64_t port;
    if (colon == NULL || colon == host || !pst_parse_u64(colon + 1, 1, 65535, &port) || colon - host > 200)
        return pst_fail(error, PST_USAGE, "%s: is not tcp://host:port, with a port from 1 to 65535", address);
    char name[256];
    bool bracketed = host[0] == '[' && colon[-1] == ']';
    snprintf(name, sizeof name, "%.*s", (int)(colon - host) - 2 * bracketed, host + bracketed);
    if (listens && strcmp(name, "*") == 0)
        return PST_OK;
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(name, NULL, NULL, &found);
    if (failure != 0)
        return pst_fail(error, PST_UNAVAILABLE, "%s: the host is not known: %s", address,
                        gai_strerror(failure));
    freeaddrinfo(found);
    return PST_OK;
}

/* A thousand connections that say nothing must not keep out the one that does. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static enum pst_status attach(struct pst_socket *socket, const char *address, struct pst_error *error)
{
    int result = socket->listens ? zmq_bind(socket->zmq, address) : zmq_connect(socket->zmq, address);
    if (result == 0)
        return PST_OK;
    if (errno == EADDRINUSE)
        return pst_fail(error, PST_TRY_AGAIN, "%s: the address is in use by another program", address);
    if (errno == EINVAL)
        return pst_fail(error, PST_USAGE, "%s: is not a proper address", address);
    return pst_fail(error, PST_IO_ERROR, "%s: %s", address, zmq_strerror(errno));
}

static enum pst_status set_up(struct pst_socket *socket, const char *address,
                              const struct pst_link_settings *settings, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    if (strncmp(address, "tcp://", 6) == 0)
        status = check_tcp(address, socket->listens, error);
    else if (strncmp(address, "ipc://", 6) != 0 || address[6] == '\0')
        status = pst_fail(error, PST_USAGE, "%s: is neither tcp://host:port nor ipc://path", address);
    if (status != PST_OK)
        return status;
    socket->context = zmq_ctx_new();
    socket->zmq = socket->context == NULL
                      ? NULL
                      : zmq_socket(socket->context, socket->listens ? ZMQ_ROUTER : ZMQ_DEALER);
    if (socket->zmq == NULL || (!socket->listens && (!set_name(socket->zmq) || !watch(socket))))
        return pst_fail(error, PST_TRY_AGAIN, "%s: a socket cannot be made: %s", address,
                        zmq_strerror(errno));
    set_options(socket, settings);
    status = pst_secure_socket(socket->zmq, socket->context, socket->listens, address, settings, error);
    if (status != PST_OK)
        return status;
    raise_file_limit();
    return attach(socket, address, error);
}

enum pst_status pst_socket_open(struct pst_socket **result, const char *endpoint,
                                const struct pst_link_settings *settings, struct pst_error *error)
{
    struct pst_socket *socket = calloc(1, sizeof *socket);
    if (socket == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a socket");
    socket->listens = strncmp(endpoint, "listen:", 7) == 0;
    socket->cut_since = pst_seconds();
    snprintf(socket->name, sizeof socket->name, "%s", endpoint);
    enum pst_status status = set_up(socket, endpoint + (socket->listens ? 7 : 0), settings, error);
    if (status != PST_OK) {
        pst_socket_close(socket, 0);
        return status;
    }
    *result = socket;
    return PST_OK;
}

static void release(struct pst_socket *socket)
{
    if (socket->has_payload)
        zmq_msg_close(&socket->payload);
    socket->has_payload = false;
}

void pst_socket_close(struct pst_socket *socket, double linger)
{
    if (socket == NULL)
        return;
    release(socket);
    if (socket->zmq != NULL) {
        set_int(socket->zmq, ZMQ_LINGER, (int)(linger * 1000));
        if (!socket->listens)
            zmq_socket_monitor(socket->zmq, NULL, 0);
        zmq_close(socket->zmq);
    }
    if (socket->monitor != NULL) {
        set_int(socket->monitor, ZMQ_LINGER, 0);
        zmq_close(socket->monitor);
    }
    if (socket->context != NULL) {
        pst_secure_stop(socket->context);
        zmq_ctx_term(socket->context);
    }
    free(socket);
}

/* ---- receiving ---- */

/* Takes an event of the connection; its second frame, the address, says nothing new. */
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
        socket->refusal = NULL;
    } else if (number == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        socket->refusal = "the listener does not accept this key";
    else if (number != ZMQ_EVENT_DISCONNECTED)
        socket->refusal = "the other side speaks something else, or has other keys";
    if (number != ZMQ_EVENT_HANDSHAKE_SUCCEEDED && socket->cut_since == 0)
        socket->cut_since = pst_seconds();
}

double pst_socket_cut_for(const struct pst_socket *socket)
{
    return socket->cut_since == 0 ? 0 : pst_seconds() - socket->cut_since;
}

const char *pst_socket_refusal(const struct pst_socket *socket)
{
    return socket->refusal;
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
        good = zmq_recv(socket->zmq, message->peer, sizeof message->peer, ZMQ_DONTWAIT) == PST_PEER_SIZE;
        good = more(socket) && good;
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
    return good ? PST_OK : pst_fail(error, PST_BAD_DATA, "%s: a message out of protocol", socket->name);
}

enum pst_status pst_socket_receive(struct pst_socket *socket, double seconds, int fd,
                                   struct pst_message *message, struct pst_error *error)
{
    release(socket);
    double until = pst_seconds() + seconds;
    for (;;) {
        zmq_pollitem_t items[3] = { { .socket = socket->zmq, .events = ZMQ_POLLIN } };
        int count = 1, monitor = -1;
        if (socket->monitor != NULL) {
            monitor = count;
            items[count++] = (zmq_pollitem_t){ .socket = socket->monitor, .events = ZMQ_POLLIN };
        }
        if (fd >= 0)
            items[count++] = (zmq_pollitem_t){ .fd = fd, .events = ZMQ_POLLIN };
        double left = until - pst_seconds();
        int ready = zmq_poll(items, count, left > 0 ? (long)(left * 1000) + 1 : 0);
        if (ready < 0 && pst_stop_signal() != 0)
            return pst_fail(error, PST_STOPPED, "%s: stopped by a signal", socket->name);
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
    /* Only the first frame can fail for want of a peer or of room; the others follow it. */
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
