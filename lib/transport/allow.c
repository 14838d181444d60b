/* The allow-list, and the ZAP handler (RFC 27) that checks it; see keys.h. */
#include "pipestill/linux.h"

#include "lib/transport/keys.h"
#include "lib/transport/socket.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct handler {
    void *context, *replies;
    void *stop, *stopped; /* a pair of sockets: a message from the first to the second ends the thread */
    pthread_t thread;
    uint8_t (*keys)[32];
    size_t count;
    struct handler *next;
};

static struct handler *handlers; /* one for each listening socket with an allow-list */

/* Adds a key to the list. */
static enum pst_status allow_key(struct handler *handler, const char *key, struct pst_error *error)
{
    void *grown = realloc(handler->keys, (handler->count + 1) * sizeof *handler->keys);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for keys");
    handler->keys = grown;
    zmq_z85_decode(handler->keys[handler->count++], key);
    return PST_OK;
}

/* Reads the keys of an allow-list, one a line. */
static enum pst_status read_allowed(const char *path, struct handler *handler, struct pst_error *error)
{
    FILE *file;
    enum pst_status status = pst_key_file_open(path, false, &file, error);
    if (status != PST_OK)
        return status;
    char *line = NULL;
    size_t size = 0;
    for (size_t number = 1;
         status == PST_OK && (status = pst_key_line(file, path, &line, &size, error)) == PST_OK; number++) {
        bool empty;
        const char *key = pst_key_in_line(line, &empty);
        if (key != NULL)
            status = allow_key(handler, key, error);
        else if (!empty)
            status = pst_fail(error, PST_BAD_DATA, "%s, line %zu: is not a public key", path, number);
    }
    free(line);
    fclose(file);
    return status == PST_END ? PST_OK : status;
}

static bool is_allowed(const struct handler *handler, const uint8_t *key, size_t size)
{
    for (size_t i = 0; i < handler->count; i++) {
        if (size == 32 && memcmp(handler->keys[i], key, 32) == 0)
            return true;
    }
    return false;
}

/* Answers one request (RFC 27): version, id, domain, address, identity, mechanism, key. */
static void answer(struct handler *handler)
{
    enum { VERSION, ID, DOMAIN, ADDRESS, IDENTITY, MECHANISM, KEY, FRAMES };
    uint8_t frames[FRAMES][256] = { 0 };
    int sizes[FRAMES] = { 0 }, more = 1;
    size_t size = sizeof more;
    for (int i = 0; more; i++) {
        uint8_t rest[256];
        int got = zmq_recv(handler->replies, i < FRAMES ? frames[i] : rest, 256, 0);
        if (i < FRAMES)
            sizes[i] = got < 0 ? 0 : got > 256 ? 256 : got; /* a longer frame was cut */
        if (got < 0 || zmq_getsockopt(handler->replies, ZMQ_RCVMORE, &more, &size) != 0)
            return;
    }
    bool allowed = sizes[MECHANISM] == 5 && memcmp(frames[MECHANISM], "CURVE", 5) == 0 && sizes[KEY] == 32 &&
                   is_allowed(handler, frames[KEY], 32);
    zmq_send(handler->replies, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(handler->replies, frames[ID], (size_t)sizes[ID], ZMQ_SNDMORE);
    zmq_send(handler->replies, allowed ? "200" : "400", 3, ZMQ_SNDMORE);
    zmq_send(handler->replies, allowed ? "OK" : "no", 2, ZMQ_SNDMORE);
    zmq_send(handler->replies, "", 0, ZMQ_SNDMORE);
    zmq_send(handler->replies, "", 0, 0);
}

static void *handle(void *argument)
{
    struct handler *handler = argument;
    for (;;) {
        zmq_pollitem_t items[] = { { .socket = handler->replies, .events = ZMQ_POLLIN },
                                   { .socket = handler->stopped, .events = ZMQ_POLLIN } };
        if ((zmq_poll(items, 2, -1) < 0 && errno != EINTR) || items[1].revents != 0)
            return NULL;
        if (items[0].revents != 0)
            answer(handler);
    }
}

static void free_handler(struct handler *handler)
{
    void *const sockets[] = { handler->replies, handler->stop, handler->stopped };
    for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++) {
        if (sockets[i] != NULL)
            zmq_close(sockets[i]);
    }
    free(handler->keys);
    free(handler);
}

/* Starts the thread, with all signals blocked, so that the stage's own thread gets them. */
static bool start_thread(struct handler *handler)
{
    handler->replies = zmq_socket(handler->context, ZMQ_REP);
    handler->stop = zmq_socket(handler->context, ZMQ_PAIR);
    handler->stopped = zmq_socket(handler->context, ZMQ_PAIR);
    if (handler->replies == NULL || handler->stop == NULL || handler->stopped == NULL ||
        zmq_bind(handler->replies, "inproc://zeromq.zap.01") != 0 ||
        zmq_bind(handler->stop, "inproc://pipestill.stop") != 0 ||
        zmq_connect(handler->stopped, "inproc://pipestill.stop") != 0)
        return false;
    sigset_t every, before;
    sigfillset(&every);
    if (pthread_sigmask(SIG_SETMASK, &every, &before) != 0)
        return false;
    bool good = pthread_create(&handler->thread, NULL, handle, handler) == 0;
    return pthread_sigmask(SIG_SETMASK, &before, NULL) == 0 && good;
}

enum pst_status pst_allow_start(void *context, const char *allow, struct pst_error *error)
{
    struct handler *handler = calloc(1, sizeof *handler);
    if (handler == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for keys");
    enum pst_status status = read_allowed(allow, handler, error);
    if (status == PST_OK && handler->count == 0)
        status = pst_fail(error, PST_BAD_DATA, "%s: no key is in it, so no one could connect", allow);
    handler->context = context;
    if (status == PST_OK && !start_thread(handler))
        status = pst_fail(error, PST_TRY_AGAIN, "the check of keys cannot be started");
    if (status != PST_OK) {
        free_handler(handler);
        return status;
    }
    handler->next = handlers;
    handlers = handler;
    return PST_OK;
}

void pst_secure_stop(void *context)
{
    for (struct handler **at = &handlers; *at != NULL; at = &(*at)->next) {
        struct handler *handler = *at;
        if (handler->context != context)
            continue;
        *at = handler->next;
        zmq_send(handler->stop, "", 0, 0);
        pthread_join(handler->thread, NULL);
        free_handler(handler);
        return;
    }
}
