/*
 * socket.h: ZeroMQ as this room uses it. A listening socket is a ROUTER, a connecting one a DEALER with a
 * random name of its own; a message is a short control frame and, if there is one, a payload. Only this room
 * includes zmq.h.
 */
#ifndef PIPESTILL_LIB_SOCKET_H
#define PIPESTILL_LIB_SOCKET_H

#include "pipestill/transport.h"

#include <zmq.h>

#define PST_FIRST_TRY \
    1.0 /* seconds for a host's addresses of one version before those of the other are tried */
#define PST_MESSAGE_EXTRA ((size_t)1 << 20) /* bytes that a message may have beyond its tensors' */

/* Where a socket binds or connects to. */
struct pst_address {
    char text[320]; /* as libzmq takes it: a listener's host is a number */
    bool ipv4,
        ipv6; /* the host has addresses of this version of the Internet protocol; a listener on * has all */
};

struct pst_socket {
    void *context, *zmq, *monitor;
    bool listens;
    bool bound; /* it listens already: the path of an ipc address is its own */
    bool ipv4;  /* it uses the host's addresses of version 4 */
    char name[256];
    struct pst_address address;
    double tried_since,
        try_for; /* connecting: when this version of addresses was taken, and seconds for it */
    zmq_msg_t payload;
    bool has_payload;
    double cut_since; /* 0 while connected; connecting sockets only */
    uint64_t connections;
    const char *refusal;
};

/*
 * Checks tcp://host:port or ipc://path before libzmq gets it, and finds the host.
 * Returns PST_OK; PST_USAGE if it is malformed; PST_UNAVAILABLE if the host is not known; PST_TRY_AGAIN if
 * another program listens on the path, or memory is short.
 */
PST_CHECKED enum pst_status pst_address_check(struct pst_address *address, const char *text, bool listens,
                                              struct pst_error *error);

/*
 * libzmq tries a host's addresses of one version only. While a connecting socket has no connection, this
 * takes the two versions by turns, for longer each time. To be called now and then.
 */
void pst_socket_take_turns(struct pst_socket *socket);

/* Frees the payload of the message that was received last. */
void pst_socket_release(struct pst_socket *socket);

/* Takes over the payload of the message that was received last, without a copy. Returns NULL if memory is
 * short; without a payload an empty one. */
PST_CHECKED struct pst_payload *pst_socket_keep(struct pst_socket *socket, struct pst_error *error);

/* The bytes of a payload. */
const void *pst_payload_bytes(struct pst_payload *payload);

/* Sets up a socket for CURVE, or checks that it needs none: see pst_link_settings. */
PST_CHECKED enum pst_status pst_secure_socket(void *zmq_socket, void *context, bool listens,
                                              const char *address, const struct pst_link_settings *settings,
                                              struct pst_error *error);

/* Stops the ZAP handler of a context, if one runs. */
void pst_secure_stop(void *context);

#endif
