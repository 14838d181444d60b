/* Opening and closing ZeroMQ sockets; see socket.h and transport.h. What they carry is in message.c. */
#include "pipestill/linux.h"

#include "lib/transport/socket.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

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
 * libzmq's own threads answer its heartbeats, so a peer does not lose a stage that computes for long. A
 * silent connection is closed after half the time (an eighth until a heartbeat is sent, three to answer it).
 * The other half is left to notice that and to connect again.
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
    /* The window limits what is on its way. A full queue would also stop heartbeats from being answered. */
    set_int(socket->zmq, ZMQ_RCVHWM, 100000);
    set_int(socket->zmq, ZMQ_SNDHWM, 100000);
    if (socket->listens) {
        set_int(socket->zmq, ZMQ_ROUTER_MANDATORY, 1);
        set_int(socket->zmq, ZMQ_ROUTER_HANDOVER, 1);
    }
}

/* A random name, by which the listener recognises this peer after a broken connection. */
static bool set_name(void *zmq)
{
    uint8_t name[PST_PEER_SIZE];
    if (getrandom(name, sizeof name, 0) != (ssize_t)sizeof name)
        return false;
    name[0] |= 1; /* names that begin with 0 are ZeroMQ's own */
    return zmq_setsockopt(zmq, ZMQ_ROUTING_ID, name, sizeof name) == 0;
}

/* Lets a connecting socket notice when its connection begins and ends. A listener notices when it sends. */
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
    /* If the queue of events had a limit, libzmq's thread would wait for this one when it is full. */
    set_int(socket->monitor, ZMQ_RCVHWM, 0);
    return zmq_connect(socket->monitor, address) == 0;
}

/* A thousand connections that send nothing must not keep out the one that does. */
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

/*
 * libzmq aborts the program if it gets no descriptor. A connecting socket, its monitor and its connection
 * take DESCRIPTORS; what comes later, connections to a listener, may fail without harm.
 */
static enum pst_status check_descriptors(const char *address, struct pst_error *error)
{
    enum { DESCRIPTORS = 24 };
    int got[DESCRIPTORS], count = 0;
    while (count < DESCRIPTORS && (got[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    for (int i = 0; i < count; i++)
        close(got[i]);
    if (count == DESCRIPTORS)
        return PST_OK;
    return pst_fail(error, PST_TRY_AGAIN,
                    "%s: a link needs %d file descriptors, and %d are free: raise the limit (ulimit -n)",
                    address, DESCRIPTORS, count);
}

static enum pst_status attach(struct pst_socket *socket, struct pst_error *error)
{
    const char *address = socket->address.text;
    int result = socket->listens ? zmq_bind(socket->zmq, address) : zmq_connect(socket->zmq, address);
    socket->bound = socket->listens && result == 0;
    if (result == 0)
        return PST_OK;
    if (errno == EADDRINUSE)
        return pst_fail(error, PST_TRY_AGAIN, "%s: the address is in use by another program", address);
    if (errno == EINVAL)
        return pst_fail(error, PST_USAGE, "%s: is not an address; write tcp://HOST:PORT or ipc://PATH",
                        address);
    if (errno == EADDRNOTAVAIL || errno == ENODEV)
        return pst_fail(error, PST_UNAVAILABLE, "%s: this machine does not have that address", address);
    return pst_fail(error, pst_shortage_or(PST_IO_ERROR), "%s: %s", address, zmq_strerror(errno));
}

void pst_socket_take_turns(struct pst_socket *socket)
{
    double now = pst_seconds();
    const struct pst_address *address = &socket->address;
    if (socket->listens || !address->ipv4 || !address->ipv6 || socket->cut_since == 0 ||
        now - socket->tried_since < socket->try_for || zmq_disconnect(socket->zmq, address->text) != 0)
        return;
    socket->ipv4 = !socket->ipv4;
    socket->tried_since = now;
    socket->try_for *= socket->ipv4 ? 2 : 1;
    set_int(socket->zmq, ZMQ_IPV6, !socket->ipv4);
    zmq_connect(socket->zmq, address->text);
}

static enum pst_status set_up(struct pst_socket *socket, const char *address,
                              const struct pst_link_settings *settings, struct pst_error *error)
{
    enum pst_status status = pst_address_check(&socket->address, address, socket->listens, error);
    if (status == PST_OK) {
        raise_file_limit();
        status = check_descriptors(address, error);
    }
    if (status != PST_OK)
        return status;
    socket->ipv4 = socket->address.ipv4;
    socket->context = zmq_ctx_new();
    socket->zmq = socket->context == NULL
                      ? NULL
                      : zmq_socket(socket->context, socket->listens ? ZMQ_ROUTER : ZMQ_DEALER);
    if (socket->zmq == NULL || (!socket->listens && (!set_name(socket->zmq) || !watch(socket))))
        return pst_fail(error, PST_TRY_AGAIN, "%s: a socket cannot be made: %s", address,
                        zmq_strerror(errno));
    set_options(socket, settings);
    set_int(socket->zmq, ZMQ_IPV6, !socket->ipv4);
    status = pst_secure_socket(socket->zmq, socket->context, socket->listens, socket->address.text, settings,
                               error);
    if (status != PST_OK)
        return status;
    keep_memory();
    return attach(socket, error);
}

enum pst_status pst_socket_open(struct pst_socket **result, const char *endpoint,
                                const struct pst_link_settings *settings, struct pst_error *error)
{
    struct pst_socket *socket = calloc(1, sizeof *socket);
    if (socket == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a socket");
    socket->listens = strncmp(endpoint, "listen:", 7) == 0;
    socket->cut_since = socket->tried_since = pst_seconds();
    socket->try_for = PST_FIRST_TRY;
    snprintf(socket->name, sizeof socket->name, "%s", endpoint);
    enum pst_status status = set_up(socket, endpoint + (socket->listens ? 7 : 0), settings, error);
    if (status != PST_OK) {
        pst_socket_close(socket, 0);
        return status;
    }
    *result = socket;
    return PST_OK;
}

/* ---- closing ---- */

/* Removes a listener's path while it still listens: afterwards it may be another listener's. */
static void remove_path(const struct pst_socket *socket)
{
    static const char prefix[] = "listen:ipc://";
    if (socket->bound && strncmp(socket->name, prefix, sizeof prefix - 1) == 0)
        (void)unlink(socket->name + sizeof prefix - 1);
}

void pst_socket_close(struct pst_socket *socket, double linger)
{
    if (socket == NULL)
        return;
    pst_socket_release(socket);
    remove_path(socket);
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
