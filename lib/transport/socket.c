/* ZeroMQ sockets; see socket.h and transport.h. */
#include "lib/base/linux.h"

#include "lib/transport/socket.h"

#include <errno.h>
#include <malloc.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

struct pst_socket {
    void *context, *zmq, *monitor;
    bool listens;
    bool ipv4; /* the host has an address of version 4 */
    char name[256];
    zmq_msg_t payload;
    bool has_payload;
    double cut_since; /* 0 while connected; connecting sockets only */
    uint64_t connections;
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
 * silent connection is closed after half the time (an eighth until it is asked, three to answer), which
 * leaves the other half for noticing that and for coming back.
 */
static void set_options(struct pst_socket *socket, const struct pst_link_settings *settings)
{
    int timeout = (int)(settings->peer_timeout * 1000), eighth = timeout / 8 + 1;
    int64_t most = (int64_t)(settings->max_message + PST_MESSAGE_EXTRA);
    zmq_setsockopt(socket->zmq, ZMQ_MAXMSGSIZE, &most, sizeof most);
    set_int(socket->zmq, ZMQ_HEARTBEAT_IVL, eighth);
    set_int(socket->zmq, ZMQ_HEARTBEAT_TIMEOUT, 3 * eighth);
    set_int(socket->zmq, ZMQ_HANDSHAKE_IVL, eighth < 1000 ? 1000 : eighth);
    set_int(socket->zmq, ZMQ_RECONNECT_IVL, 50);
    set_int(socket->zmq, ZMQ_RECONNECT_IVL_MAX, eighth < 50 ? 50 : eighth > 1000 ? 1000 : eighth);
    set_int(socket->zmq, ZMQ_BACKLOG, 1024);
    set_int(socket->zmq, ZMQ_LINGER, 0);
    /* Credit bounds what is on its way; a full queue would also stop heartbeats from being answered. */
    set_int(socket->zmq, ZMQ_RCVHWM, 100000);
    set_int(socket->zmq, ZMQ_SNDHWM, 100000);
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
    if (socket->monitor == NULL)
        return false;
    /* Where the queue of events had an end, libzmq's thread would wait there for this one. */
    set_int(socket->monitor, ZMQ_RCVHWM, 0);
    return zmq_connect(socket->monitor, address) == 0;
}

/* Whether a host has an address of version 4 of the Internet protocol. */
static bool has_ipv4(const char *host)
{
    struct addrinfo *found = NULL, hints = { .ai_family = AF_INET };
    bool has = getaddrinfo(host, NULL, &hints, &found) == 0;
    if (has)
        freeaddrinfo(found);
    return has;
}

/*
 * Looks at tcp://host:port and finds the host; libzmq would try an unknown one for ever and say nothing. Of a
 * host with addresses of both versions it takes one only, which must be the one that the listener has: 4.
 */
static enum pst_status check_tcp(struct pst_socket *socket, const char *address, struct pst_error *error)
{
    const char *host = address + strlen("tcp://"), *colon = strrchr(host, ':');
    uint64_t port;
    bool any = strncmp(host, "*:", 2) == 0;
    if (colon == NULL || colon == host || !pst_parse_u64(colon + 1, 1, 65535, &port) || colon - host > 200 ||
        (any && !socket->listens) || strchr(host, ';') != NULL)
        return pst_fail(error, PST_USAGE, "%s: is not tcp://host:port, with a port from 1 to 65535", address);
    char name[256];
    bool bracketed = host[0] == '[' && colon[-1] == ']';
    snprintf(name, sizeof name, "%.*s", (int)(colon - host) - 2 * bracketed, host + bracketed);
    if (any)
        return PST_OK;
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(name, NULL, NULL, &found);
    if (failure != 0)
        return pst_fail(error, PST_UNAVAILABLE, "%s: the host is not known: %s", address,
                        gai_strerror(failure));
    freeaddrinfo(found);
    socket->ipv4 = has_ipv4(name);
    return PST_OK;
}

/*
 * libzmq takes a listener's path whatever is there: a file would be gone, and another listener's peers would
 * come here. So only what a listener left behind is taken.
 */
static enum pst_status check_ipc(const char *address, bool listens, struct pst_error *error)
{
    const char *path = address + strlen("ipc://");
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    if (path[0] == '\0' || path[0] == '*' || strlen(path) >= sizeof name.sun_path)
        return pst_fail(error, PST_USAGE, "%s: is not ipc://path, with a path of 1 to %zu bytes", address,
                        sizeof name.sun_path - 1);
    struct stat status;
    if (!listens || path[0] == '@' || lstat(path, &status) != 0)
        return PST_OK;
    if (!S_ISSOCK(status.st_mode))
        return pst_fail(error, PST_USAGE, "%s: there is a file of this name already", address);
    memcpy(name.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool in_use = fd >= 0 && connect(fd, (struct sockaddr *)&name, sizeof name) == 0;
    if (fd >= 0)
        close(fd);
    return in_use ? pst_fail(error, PST_TRY_AGAIN, "%s: the address is in use by another program", address)
                  : PST_OK;
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

/*
 * A message of a few hundred KiB is reserved anew each time. By default glibc gives such memory back to the
 * kernel at once, and clearing pages again takes a third of a link's processor time (measured).
 */
static void keep_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 128 << 20);
#endif
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
        status = check_tcp(socket, address, error);
    else if (strncmp(address, "ipc://", 6) == 0)
        status = check_ipc(address, socket->listens, error);
    else
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
    set_int(socket->zmq, ZMQ_IPV6, !socket->ipv4);
    status = pst_secure_socket(socket->zmq, socket->context, socket->listens, address, settings, error);
    if (status != PST_OK)
        return status;
    raise_file_limit();
    keep_memory();
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
        socket->connections++;
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

uint64_t pst_socket_connections(const struct pst_socket *socket)
{
    return socket->connections;
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
    return good ? PST_OK : pst_fail(error, PST_BAD_DATA, "%s: a message out of protocol", socket->name);
}

enum pst_status pst_socket_receive(struct pst_socket *socket, double seconds, int fd,
                                   struct pst_message *message, struct pst_error *error)
{
    release(socket);
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
        double left = until - pst_seconds();
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
