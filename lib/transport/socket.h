/*
 * socket.h: ZeroMQ as this room uses it. A listening socket is a ROUTER, a connecting one a DEALER with a
 * random name of its own; a message is a short control frame and, where there is one, a payload. Everything
 * that includes zmq.h is behind this header.
 */
#ifndef PIPESTILL_LIB_SOCKET_H
#define PIPESTILL_LIB_SOCKET_H

#include "pipestill/transport.h"

#include <zmq.h>

#define PST_MESSAGE_EXTRA ((size_t)1 << 20) /* bytes that a message may have beyond its tensors' */

/* Sets up a socket for CURVE, or checks that it may do without: see pst_link_settings. */
PST_CHECKED enum pst_status pst_secure_socket(void *zmq_socket, void *context, bool listens,
                                              const char *address, const struct pst_link_settings *settings,
                                              struct pst_error *error);

/* Stops the ZAP handler of a context, where one runs. */
void pst_secure_stop(void *context);

#endif
