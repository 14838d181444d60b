/*
 * protocol.h: the messages between a dispatcher and its workers. A job and its answer are streams of one
 * batch (pst_parcel_pack), so everything that a reader checks is checked here too.
 *
 *   READY     worker: it is here, or here again, and has no jobs; seq: how many it takes; payload: its name
 *   JOB       dispatcher: payload: a batch and its header
 *   ANSWER    worker: payload: the same batch with nothing but the tensors that the command added
 *   FAILED    worker: the command failed on batch seq; payload: why
 *   RETURNED  worker: batch seq was not tried, and will not be
 *   WHO       dispatcher: the worker is not known; greet
 *   PING      both: still there
 *   END       dispatcher: all batches are answered; leave
 *   REFUSE    dispatcher: no answers are taken; payload: why
 *   STOP      dispatcher: the run failed; payload: why
 *
 * A worker's greeting begins a session with a number of its own choice, which jobs and answers carry, so
 * neither side takes a message of an earlier session.
 */
#ifndef PIPESTILL_LIB_PROTOCOL_H
#define PIPESTILL_LIB_PROTOCOL_H

#include "pipestill/transport.h"

enum pst_pool_kind {
    PST_POOL_READY = 1,
    PST_POOL_JOB,
    PST_POOL_ANSWER,
    PST_POOL_FAILED,
    PST_POOL_RETURNED,
    PST_POOL_WHO,
    PST_POOL_PING,
    PST_POOL_END,
    PST_POOL_REFUSE,
    PST_POOL_STOP
};

#define PST_POOL_VERSION 1

/* A control frame: "PSTP", version, kind, two of zero, then three little-endian u64. */
struct pst_pool_control {
    char magic[4];
    uint8_t version, kind, zero[2];
    uint64_t session, seq;
    uint64_t check; /* ANSWER: pst_batch_check of the batch that it is to */
};

/*
 * Sends bytes (NULL for none) with a control frame, whose magic and version are filled in. peer: as for
 * pst_socket_send. Returns what that returns.
 */
PST_CHECKED enum pst_status pst_pool_send(struct pst_socket *socket, const uint8_t *peer,
                                          const struct pst_pool_control *control, const void *bytes,
                                          size_t size, struct pst_error *error);

/*
 * Reads a message's control frame. Returns PST_OK; PST_BAD_DATA if it is none; PST_UNAVAILABLE if it is of
 * another version.
 */
PST_CHECKED enum pst_status pst_pool_parse(const struct pst_message *message,
                                           struct pst_pool_control *control, struct pst_error *error);

/* Copies a message's payload as a text of one line (pst_make_plain). */
void pst_pool_text(const struct pst_message *message, char *text, size_t size);

#endif
