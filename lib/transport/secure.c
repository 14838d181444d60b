/*
 * CURVE (curvezmq.org, RFC 26) for links: keys from files that only their owner can read (keys.c), and an
 * allow-list that a ZAP handler checks (allow.c). CURVE alone encrypts, and admits everyone; the list keeps
 * strangers out.
 */
#include "lib/transport/keys.h"
#include "lib/transport/socket.h"

#include <string.h>

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
    struct pst_key_pair pair;
    if (settings->allow == NULL)
        return pst_fail(error, PST_USAGE,
                        "--key alone would admit everyone who knows the public key; name those who "
                        "may connect with --allow FILE");
    enum pst_status status = pst_key_pair_read(settings->key, &pair, error);
    if (status == PST_OK)
        status = pst_allow_start(context, settings->allow, error);
    if (status != PST_OK)
        return status;
    int server = 1;
    bool good = zmq_setsockopt(zmq, ZMQ_CURVE_SERVER, &server, sizeof server) == 0 &&
                zmq_setsockopt(zmq, ZMQ_CURVE_SECRETKEY, pair.secret_key, PST_KEY_TEXT) == 0 &&
                zmq_setsockopt(zmq, ZMQ_ZAP_DOMAIN, "pipestill", 9) == 0;
    return good ? PST_OK
                : pst_fail(error, PST_IO_ERROR,
                           "this libzmq has no CURVE; install one that is built with libsodium");
}

static enum pst_status secure_connector(void *zmq, const struct pst_link_settings *settings,
                                        struct pst_error *error)
{
    struct pst_key_pair pair;
    char server[PST_KEY_TEXT];
    if (settings->server_key == NULL)
        return pst_fail(error, PST_USAGE, "--key needs --server-key, the listener's public key, to connect");
    enum pst_status status = pst_key_pair_read(settings->key, &pair, error);
    if (status == PST_OK)
        status = pst_public_key_read(settings->server_key, server, error);
    if (status != PST_OK)
        return status;
    bool good = zmq_setsockopt(zmq, ZMQ_CURVE_SERVERKEY, server, PST_KEY_TEXT) == 0 &&
                zmq_setsockopt(zmq, ZMQ_CURVE_PUBLICKEY, pair.public_key, PST_KEY_TEXT) == 0 &&
                zmq_setsockopt(zmq, ZMQ_CURVE_SECRETKEY, pair.secret_key, PST_KEY_TEXT) == 0;
    return good ? PST_OK
                : pst_fail(error, PST_IO_ERROR,
                           "this libzmq has no CURVE; install one that is built with libsodium");
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
