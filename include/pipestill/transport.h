/*
 * transport.h: endpoints, the places where a stage reads or writes. Standard input, a file, a named pipe,
 * memory and ZeroMQ look alike to everything above: an input gives bytes, an output takes whole messages.
 *
 *     -                       standard input or output
 *     FILE                    a file, or anything else with a name in the file system
 *     tcp://host:port         connect
 *     ipc://path              connect
 *     listen:tcp://…          bind; also listen:ipc://…
 *
 * A transport is a row in the table of lib/transport/endpoint.c and two small tables of functions.
 */
#ifndef PIPESTILL_TRANSPORT_H
#define PIPESTILL_TRANSPORT_H

#include "pipestill/base.h"

struct iovec;
struct pst_input;
struct pst_output;

/* What a transport does for a reader. */
struct pst_input_operations {
    /* Reads 1 to size bytes. PST_OK with *got set; PST_END if no more will come; PST_IO_ERROR;
     * PST_UNAVAILABLE. */
    enum pst_status (*read)(struct pst_input *input, void *bytes, size_t size, size_t *got,
                            struct pst_error *error);
    /* The reader has read the whole stream without an error: tells the writer, if the transport can. May be
     * NULL. */
    enum pst_status (*finish)(struct pst_input *input, struct pst_error *error);
    /* Called in another thread than read: see pst_input_interrupt. NULL if that is not possible. */
    void (*interrupt)(struct pst_input *input);
    /* Receives the size of a file that can be read at any place; false for everything else. NULL: false. */
    bool (*size)(const struct pst_input *input, uint64_t *bytes);
    /* Reads as read does, but from that place; the place of read does not move. NULL if size is NULL. */
    enum pst_status (*read_at)(struct pst_input *input, uint64_t offset, void *bytes, size_t size,
                               size_t *got, struct pst_error *error);
    /* Releases everything, the input itself too. */
    void (*close)(struct pst_input *input);
};

/* What a transport does for a writer. */
struct pst_output_operations {
    /* Writes one whole message, given in parts. PST_OK; PST_READER_LEFT; PST_IO_ERROR; PST_UNAVAILABLE. */
    enum pst_status (*write)(struct pst_output *output, const struct iovec *parts, size_t count,
                             struct pst_error *error);
    /* Makes sure that all of it has arrived (a file is synced and gets its name). Afterwards only close may
     * be called. */
    enum pst_status (*finish)(struct pst_output *output, struct pst_error *error);
    /* Releases everything, the output itself too; without a finish before, the output is left incomplete. */
    void (*close)(struct pst_output *output);
};

/* An open input. A transport's own struct has this as its first member. */
struct pst_input {
    const struct pst_input_operations *operations;
    char name[256]; /* for messages: "standard input", a path, an address */
    double waited;  /* seconds that reads took so far */
    bool grows;     /* its end may move, so what is behind a trailer is not checked */
};

/* An open output. A transport's own struct has this as its first member. */
struct pst_output {
    const struct pst_output_operations *operations;
    char name[256];
    double waited; /* seconds that writes took so far */
    bool unlocked; /* a file without a lock against a second writer: see pst_lock_for_writer */
};

/* What a user may set for links between machines; start from pst_link_settings_default. */
struct pst_link_settings {
    size_t max_message;     /* bytes; a larger message is refused by the transport itself */
    double peer_timeout;    /* seconds without any message after which a peer counts as lost */
    size_t window_messages; /* messages that a reader lets its writer send ahead */
    size_t window_bytes;    /* bytes that it lets it send ahead; one message is always allowed */
    const char *key;        /* file with this side's own CURVE key, from keygen; NULL: no encryption */
    const char *server_key; /* connecting: the listener's public key, as keygen's line or a file with it */
    const char *allow;      /* listening: file with the public keys that may connect, one a line */
    bool insecure;          /* listening beyond loopback without keys is allowed */
    /* Called once if a listener has waited five seconds for its first connection; NULL: nothing is called.
     * context: handed to it, borrowed; name: the endpoint. */
    void (*on_wait)(void *context, const char *name);
    void *context;
};

/* 256 MiB, 30 s, 64 messages, 64 MiB, no keys. */
struct pst_link_settings pst_link_settings_default(void);

/*
 * Opens an endpoint for reading.
 * endpoint: see the top of this header.
 * input: receives the input, to be closed with pst_input_close.
 * Returns PST_OK; PST_USAGE if the endpoint is malformed; PST_NO_INPUT; PST_UNAVAILABLE; PST_IO_ERROR.
 */
PST_CHECKED enum pst_status pst_input_open(struct pst_input **input, const char *endpoint,
                                           const struct pst_link_settings *settings, struct pst_error *error);

/*
 * Opens an endpoint for writing. A terminal is refused: a stream is not text.
 * Returns PST_OK; PST_USAGE; PST_IO_ERROR; PST_TRY_AGAIN if another process writes the same file;
 * PST_UNAVAILABLE.
 */
PST_CHECKED enum pst_status pst_output_open(struct pst_output **output, const char *endpoint,
                                            const struct pst_link_settings *settings,
                                            struct pst_error *error);

/*
 * An input or output of an open file descriptor, such as the end of a pipe to a child.
 * fd: taken over, also on failure. name: what error messages call it.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_input_from_fd(struct pst_input **input, int fd, const char *name,
                                              struct pst_error *error);
PST_CHECKED enum pst_status pst_output_to_fd(struct pst_output **output, int fd, const char *name,
                                             struct pst_error *error);

/*
 * An input that reads bytes in memory (tests, and answers kept by a dispatcher).
 * bytes: borrowed; must stay valid as long as the input.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_input_from_memory(struct pst_input **input, const void *bytes, size_t size,
                                                  struct pst_error *error);

/*
 * An output that appends to memory.
 * buffer: borrowed, receives the bytes; size: receives their number, counted from 0.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_output_to_memory(struct pst_output **output, struct pst_buffer *buffer,
                                                 size_t *size, struct pst_error *error);

/* Reads; see struct pst_input_operations. Counts the time that it takes. */
PST_CHECKED enum pst_status pst_input_read(struct pst_input *input, void *bytes, size_t size, size_t *got,
                                           struct pst_error *error);

/*
 * Finds the size of an input.
 * bytes: receives it, as it is at this moment.
 * Returns true for a file, which pst_input_read_at can read; false for pipes, links and devices.
 */
PST_CHECKED bool pst_input_size(const struct pst_input *input, uint64_t *bytes);

/*
 * Reads all of the bytes at a place in a file.
 * Returns PST_OK; PST_END if the file ends before the last of them; PST_IO_ERROR.
 */
PST_CHECKED enum pst_status pst_input_read_at(struct pst_input *input, uint64_t offset, void *bytes,
                                              size_t size, struct pst_error *error);

/*
 * Opens a file that a process still writes, or has yet to make: NAME, or NAME.part if a stage has not given
 * it its name. A read at its end waits until there is more.
 * patience: seconds after which a file that does not appear or grow counts as lost. A NAME.part whose writer
 * has gone ends at once, if the file system has locks. age: if NAME was opened, receives how many seconds
 * ago it was written last, because it may be an older file than the user means; otherwise 0. Returns PST_OK;
 * PST_UNAVAILABLE; PST_NO_INPUT; PST_STOPPED; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_input_follow(struct pst_input **input, const char *path, double patience,
                                             double *age, struct pst_error *error);

/* Tells the writer, if the transport can, that everything arrived. */
PST_CHECKED enum pst_status pst_input_finish(struct pst_input *input, struct pst_error *error);

/*
 * Ends a read that waits in another thread, and every later one: it returns PST_STOPPED.
 * Returns whether this input can do that; links can, files and pipes cannot.
 */
bool pst_input_interrupt(struct pst_input *input);

/* Closes an input; NULL is allowed. */
void pst_input_close(struct pst_input *input);

/* Writes one whole message; see struct pst_output_operations. Counts the time that it takes. */
PST_CHECKED enum pst_status pst_output_write(struct pst_output *output, const struct iovec *parts,
                                             size_t count, struct pst_error *error);

/* Completes an output; see struct pst_output_operations. */
PST_CHECKED enum pst_status pst_output_finish(struct pst_output *output, struct pst_error *error);

/* Closes an output, complete or not; NULL is allowed. */
void pst_output_close(struct pst_output *output);

/*
 * Sets the reason that links give their other sides when they close before the end of their streams; copied;
 * NULL: no reason. There is one for the whole program.
 */
void pst_closing_reason(const char *why);

/* ---- sockets, for stages that talk to many peers ---- */

#define PST_PEER_SIZE 16    /* bytes of a peer's name */
#define PST_CONTROL_SIZE 64 /* most bytes of a control frame */

struct pst_socket;

/*
 * A message as it came. payload is valid until the next receive on the same socket, or pst_message_release.
 */
struct pst_message {
    uint8_t peer[PST_PEER_SIZE]; /* its sender; all 0 on a connecting socket, which has only one peer */
    uint8_t control[PST_CONTROL_SIZE];
    size_t control_size;
    const void *payload;
    size_t payload_size;
};

/* Bytes that are copied once and may be sent several times. */
struct pst_payload;

/*
 * Opens a socket.
 * endpoint: tcp://host:port, ipc://path, or listen: before one of them.
 * Returns PST_OK; PST_USAGE if the endpoint is malformed or not safe; PST_UNAVAILABLE if the host is not
 * known; PST_TRY_AGAIN if the port is taken; PST_IO_ERROR; PST_NO_INPUT or PST_BAD_DATA of key files.
 */
PST_CHECKED enum pst_status pst_socket_open(struct pst_socket **socket, const char *endpoint,
                                            const struct pst_link_settings *settings,
                                            struct pst_error *error);

/*
 * Waits for a message.
 * seconds: how long at most; 0: does not wait. fd: also returns when this file descriptor can be read; -1
 * for none. Returns PST_OK with a message; PST_END if none came in time (or fd can be read); PST_STOPPED;
 * PST_BAD_DATA if a message is not of this kind; PST_IO_ERROR.
 */
PST_CHECKED enum pst_status pst_socket_receive(struct pst_socket *socket, double seconds, int fd,
                                               struct pst_message *message, struct pst_error *error);

/*
 * Sends a message.
 * peer: to whom, [PST_PEER_SIZE]; ignored on a connecting socket. payload: NULL for none; borrowed.
 * Returns PST_OK (it is on its way, but has not arrived yet); PST_UNAVAILABLE if that peer is not connected;
 * PST_TRY_AGAIN if too much is on its way to it; PST_IO_ERROR.
 */
PST_CHECKED enum pst_status pst_socket_send(struct pst_socket *socket, const uint8_t *peer,
                                            const void *control, size_t control_size,
                                            struct pst_payload *payload, struct pst_error *error);

/* Seconds since a connecting socket lost its connection (or was opened without getting one); 0 while
 * connected. */
double pst_socket_cut_for(const struct pst_socket *socket);

/* How often a connecting socket got its connection; more than once if it broke in between. */
uint64_t pst_socket_connections(const struct pst_socket *socket);

/* Why the last attempt to connect was refused, or NULL: a wrong key, a peer with another protocol. */
const char *pst_socket_refusal(const struct pst_socket *socket);

/* Closes a socket; what was sent has `linger` seconds to leave. NULL is allowed. */
void pst_socket_close(struct pst_socket *socket, double linger);

/* Copies parts into a payload. Returns NULL if memory is short. */
PST_CHECKED struct pst_payload *pst_payload_new(const struct iovec *parts, size_t count,
                                                struct pst_error *error);
/* The bytes of all its parts. */
size_t pst_payload_size(const struct pst_payload *payload);
/* Frees it; bytes that are still on their way to a peer stay until they are sent. NULL is allowed. */
void pst_payload_free(struct pst_payload *payload);

#define PST_KEY_TEXT 41 /* a CURVE key in Z85 with its final NUL */

/*
 * Makes a CURVE key pair and writes it to a new file that only its owner can read.
 * public_key: receives the public key.
 * Returns PST_OK; PST_IO_ERROR if the file exists already or cannot be written.
 */
PST_CHECKED enum pst_status pst_key_generate(const char *path, char public_key[PST_KEY_TEXT],
                                             struct pst_error *error);

#endif
