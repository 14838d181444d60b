/*
 * CURVE (curvezmq.org, RFC 26) for links: keys from files that only their owner can read, and an allow-list
 * that a ZAP handler (RFC 27) checks. CURVE alone encrypts, and admits everyone; the list is what keeps
 * strangers out.
 */
#include "lib/base/linux.h"

#include "lib/transport/socket.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_TEXT PST_KEY_TEXT

struct key_pair {
    char public_key[KEY_TEXT], secret_key[KEY_TEXT];
};

/* ---- key files ---- */

static bool is_key(const char *text)
{
    uint8_t bytes[32];
    return strlen(text) == KEY_TEXT - 1 && zmq_z85_decode(bytes, text) != NULL;
}

/* Reads the value of a line "name value"; false where there is none. */
static bool find_line(FILE *file, const char *name, char value[KEY_TEXT])
{
    char line[256], word[32], text[64];
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%31s %63s", word, text) == 2 && strcmp(word, name) == 0 && is_key(text)) {
            memcpy(value, text, KEY_TEXT);
            return true;
        }
    }
    return false;
}

static enum pst_status open_key_file(const char *path, bool secret, FILE **file, struct pst_error *error)
{
    *file = fopen(path, "r");
    if (*file == NULL)
        return pst_fail(error, PST_NO_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    struct stat status;
    if (secret && (fstat(fileno(*file), &status) != 0 || (status.st_mode & 077) != 0)) {
        fclose(*file);
        return pst_fail(error, PST_BAD_DATA, "%s: others can read this secret key; 'chmod 600 %s'", path,
                        path);
    }
    return PST_OK;
}

static enum pst_status read_pair(const char *path, struct key_pair *pair, struct pst_error *error)
{
    FILE *file;
    enum pst_status status = open_key_file(path, true, &file, error);
    if (status != PST_OK)
        return status;
    bool good = find_line(file, "public", pair->public_key) && find_line(file, "secret", pair->secret_key);
    fclose(file);
    return good ? PST_OK : pst_fail(error, PST_BAD_DATA, "%s: is not a key of keygen", path);
}

/* A public key: as text, or from a file of keygen. */
static enum pst_status read_public(const char *text_or_path, char key[KEY_TEXT], struct pst_error *error)
{
    if (is_key(text_or_path)) {
        memcpy(key, text_or_path, KEY_TEXT);
        return PST_OK;
    }
    FILE *file;
    enum pst_status status = open_key_file(text_or_path, false, &file, error);
    if (status != PST_OK)
        return status;
    bool good = find_line(file, "public", key);
    fclose(file);
    return good ? PST_OK : pst_fail(error, PST_BAD_DATA, "%s: holds no public key", text_or_path);
}

/* ---- the allow-list and its handler ---- */

struct handler {
    void *context, *replies;
    void *stop, *stopped; /* a pair of sockets: a message from the first to the second ends the thread */
    pthread_t thread;
    uint8_t (*keys)[32];
    size_t count;
    struct handler *next;
};

static struct handler *handlers; /* one a listening socket with an allow-list */

/*
 * Finds the key in a line of an allow-list: "public KEY" or KEY, then perhaps a comment, which begins with #.
 * A key may hold a # too, and even begin with one. NULL where there is none; *empty tells a line without
 * anything from one with a mistake.
 */
static const char *key_in_line(char *line, bool *empty)
{
    char *rest, *word = strtok_r(line, " \t\r\n", &rest);
    *empty = word == NULL || (word[0] == '#' && !is_key(word));
    if (word != NULL && strcmp(word, "public") == 0)
        word = strtok_r(NULL, " \t\r\n", &rest);
    if (*empty || word == NULL || !is_key(word))
        return NULL;
    const char *comment = strtok_r(NULL, " \t\r\n", &rest);
    return comment == NULL || comment[0] == '#' ? word : NULL;
}

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
    enum pst_status status = open_key_file(path, false, &file, error);
    if (status != PST_OK)
        return status;
    char line[256];
    for (size_t number = 1; status == PST_OK && fgets(line, sizeof line, file) != NULL; number++) {
        bool empty;
        const char *key = key_in_line(line, &empty);
        if (key != NULL)
            status = allow_key(handler, key, error);
        else if (!empty)
            status = pst_fail(error, PST_BAD_DATA, "%s, line %zu: is not a public key", path, number);
    }
    fclose(file);
    return status;
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
            sizes[i] = got < 0 ? 0 : got > 256 ? 256 : got; /* a longer frame came cut */
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

/* Starts the thread, with all signals blocked: they are the stage's own thread's. */
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

static enum pst_status start_handler(void *context, const char *allow, struct pst_error *error)
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

/* ---- sockets ---- */

static bool is_loopback(const char *address)
{
    static const char *const local[] = { "tcp://127.", "tcp://localhost:", "tcp://[::1]:", "ipc://" };
    for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
        if (strncmp(address, local[i], strlen(local[i])) == 0)
            return true;
    }
    return false;
}

static enum pst_status secure_listener(void *zmq, void *context, const struct pst_link_settings *settings,
                                       struct pst_error *error)
{
    struct key_pair pair;
    if (settings->allow == NULL)
        return pst_fail(error, PST_USAGE,
                        "--key alone would admit everyone who knows the public key; name those who "
                        "may connect with --allow FILE");
    enum pst_status status = read_pair(settings->key, &pair, error);
    if (status == PST_OK)
        status = start_handler(context, settings->allow, error);
    if (status != PST_OK)
        return status;
    int server = 1;
    bool good = zmq_setsockopt(zmq, ZMQ_CURVE_SERVER, &server, sizeof server) == 0 &&
                zmq_setsockopt(zmq, ZMQ_CURVE_SECRETKEY, pair.secret_key, KEY_TEXT) == 0 &&
                zmq_setsockopt(zmq, ZMQ_ZAP_DOMAIN, "pipestill", 9) == 0;
    return good ? PST_OK : pst_fail(error, PST_IO_ERROR, "this libzmq has no CURVE");
}

static enum pst_status secure_connector(void *zmq, const struct pst_link_settings *settings,
                                        struct pst_error *error)
{
    struct key_pair pair;
    char server[KEY_TEXT];
    if (settings->server_key == NULL)
        return pst_fail(error, PST_USAGE, "--key needs --server-key, the listener's public key, to connect");
    enum pst_status status = read_pair(settings->key, &pair, error);
    if (status == PST_OK)
        status = read_public(settings->server_key, server, error);
    if (status != PST_OK)
        return status;
    bool good = zmq_setsockopt(zmq, ZMQ_CURVE_SERVERKEY, server, KEY_TEXT) == 0 &&
                zmq_setsockopt(zmq, ZMQ_CURVE_PUBLICKEY, pair.public_key, KEY_TEXT) == 0 &&
                zmq_setsockopt(zmq, ZMQ_CURVE_SECRETKEY, pair.secret_key, KEY_TEXT) == 0;
    return good ? PST_OK : pst_fail(error, PST_IO_ERROR, "this libzmq has no CURVE");
}

enum pst_status pst_secure_socket(void *zmq, void *context, bool listens, const char *address,
                                  const struct pst_link_settings *settings, struct pst_error *error)
{
    if (settings->key != NULL)
        return listens ? secure_listener(zmq, context, settings, error)
                       : secure_connector(zmq, settings, error);
    if (settings->allow != NULL || settings->server_key != NULL)
        return pst_fail(error, PST_USAGE, "--allow and --server-key need --key, this side's own key");
    if (listens && !is_loopback(address) && !settings->insecure)
        return pst_fail(
            error, PST_USAGE,
            "%s: listens beyond this machine without keys; give --key and --allow, or say --insecure",
            address);
    return PST_OK;
}

enum pst_status pst_key_generate(const char *path, char public_key[PST_KEY_TEXT], struct pst_error *error)
{
    struct key_pair pair;
    if (zmq_curve_keypair(pair.public_key, pair.secret_key) != 0)
        return pst_fail(error, PST_IO_ERROR, "this libzmq has no CURVE");
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return pst_fail(error, PST_IO_ERROR, "%s: cannot be made: %s", path, strerror(errno));
    char text[2 * KEY_TEXT + 16];
    int size = snprintf(text, sizeof text, "public %s\nsecret %s\n", pair.public_key, pair.secret_key);
    memcpy(public_key, pair.public_key, KEY_TEXT);
    enum pst_status status = pst_write_all(fd, text, (size_t)size, path, error);
    if (close(fd) != 0 && status == PST_OK)
        status = pst_fail(error, PST_IO_ERROR, "%s: %s", path, strerror(errno));
    if (status != PST_OK)
        unlink(path);
    explicit_bzero(&pair, sizeof pair);
    explicit_bzero(text, sizeof text);
    return status;
}
