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
    /* Reads 1 to size bytes. PST_OK with *got set; PST_END where no more will come; PST_IO_ERROR;
     * PST_UNAVAILABLE. */
    enum pst_status (*read)(struct pst_input *input, void *bytes, size_t size, size_t *got,
                            struct pst_error *error);
    /* The reader saw the stream's end and all is well: tells the writer where the transport can. May be NULL.
     */
    enum pst_status (*finish)(struct pst_input *input, struct pst_error *error);
    /* Releases everything, the input itself too. */
    void (*close)(struct pst_input *input);
};

/* What a transport does for a writer. */
struct pst_output_operations {
    /* Writes one whole message, given in parts. PST_OK; PST_READER_LEFT; PST_IO_ERROR; PST_UNAVAILABLE. */
    enum pst_status (*write)(struct pst_output *output, const struct iovec *parts, size_t count,
                             struct pst_error *error);
    /* Makes sure that all of it has arrived (a file is synced and gets its name). Then only close is left. */
    enum pst_status (*finish)(struct pst_output *output, struct pst_error *error);
    /* Releases everything, the output itself too; without a finish before, the output is left incomplete. */
    void (*close)(struct pst_output *output);
};

/* An open input. A transport's own struct has this as its first member. */
struct pst_input {
    const struct pst_input_operations *operations;
    char name[256]; /* for messages: "standard input", a path, an address */
    double waited;  /* seconds that reads took so far */
};

/* An open output. A transport's own struct has this as its first member. */
struct pst_output {
    const struct pst_output_operations *operations;
    char name[256];
    double waited; /* seconds that writes took so far */
};

/* What a user may ask of a link between machines; {0} is not valid, see pst_link_settings_default. */
struct pst_link_settings {
    size_t max_message;  /* bytes; a larger message is refused by the transport itself */
    double peer_timeout; /* seconds without a sign of life after which a peer counts as lost */
};

/*
 * Opens an endpoint for reading.
 * endpoint: see the top of this header.
 * input: receives the input, to be closed with pst_input_close.
 * Returns PST_OK; PST_USAGE where the endpoint is malformed; PST_NO_INPUT; PST_UNAVAILABLE; PST_IO_ERROR.
 */
PST_CHECKED enum pst_status pst_input_open(struct pst_input **input, const char *endpoint,
                                           const struct pst_link_settings *settings, struct pst_error *error);

/*
 * Opens an endpoint for writing. A terminal is refused: a stream is not text.
 * Returns PST_OK; PST_USAGE; PST_IO_ERROR; PST_TRY_AGAIN where another process writes the same file;
 * PST_UNAVAILABLE.
 */
PST_CHECKED enum pst_status pst_output_open(struct pst_output **output, const char *endpoint,
                                            const struct pst_link_settings *settings,
                                            struct pst_error *error);

/*
 * An input that reads bytes in memory (tests, and answers kept by a dispatcher).
 * bytes: borrowed; must live as long as the input.
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

/* Tells the writer, where the transport can, that everything arrived. */
PST_CHECKED enum pst_status pst_input_finish(struct pst_input *input, struct pst_error *error);

/* Closes an input; NULL is allowed. */
void pst_input_close(struct pst_input *input);

/* Writes one whole message; see struct pst_output_operations. Counts the time that it takes. */
PST_CHECKED enum pst_status pst_output_write(struct pst_output *output, const struct iovec *parts,
                                             size_t count, struct pst_error *error);

/* Completes an output; see struct pst_output_operations. */
PST_CHECKED enum pst_status pst_output_finish(struct pst_output *output, struct pst_error *error);

/* Closes an output, complete or not; NULL is allowed. */
void pst_output_close(struct pst_output *output);

#endif
