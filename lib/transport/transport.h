/* transport.h: what the transports of this room share. */
#ifndef PIPESTILL_LIB_TRANSPORT_H
#define PIPESTILL_LIB_TRANSPORT_H

#include "pipestill/transport.h"

/* One way to reach an endpoint. The first row whose scheme begins the endpoint is taken. */
struct pst_transport {
    const char *scheme; /* "tcp://"; "" for what has none */
    enum pst_status (*open_input)(struct pst_input **input, const char *endpoint,
                                  const struct pst_link_settings *settings, struct pst_error *error);
    enum pst_status (*open_output)(struct pst_output **output, const char *endpoint,
                                   const struct pst_link_settings *settings, struct pst_error *error);
};

/* "-" and names in the file system. */
extern const struct pst_transport pst_file_transport;

/* tcp:// and ipc://, to connect and to listen. */
extern const struct pst_transport pst_zeromq_transports[4];

/* Allocates a transport's own struct of that size, zeroed, with a name for messages. NULL if memory is
 * short. */
void *pst_endpoint_new(size_t size, size_t name_at, const char *name, struct pst_error *error);

#endif
