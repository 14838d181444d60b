/*
 * link.h: the protocol of a link between two stages. It is point to point, and made so that a connection that
 * breaks and comes back costs nothing but time:
 *
 *   HELLO    both, on every connection: which session this is, and which one it has met
 *   DATA     writer: message number `at`, with the message as payload
 *   GRANT    reader: all messages below `at` are used up (and may be forgotten); `messages` and `bytes` may
 *            follow them
 *   REQUEST  reader: as GRANT, and what was sent before is lost; the writer sends what it has from `at` on
 *   END      writer: `at` messages were all
 *   DONE     reader: it has all messages and the end
 *   BYE      writer: it has received DONE
 *   FAIL     either: it ends without success; the payload says why
 *   REFUSE   listener, to a stranger: it is not the peer; the payload says why
 *   PROBE    listener: is the peer connected?
 *
 * A connection loses nothing while it lasts. So only a new one is a reason to send something again: the
 * connecting side greets on each, the listening side greets back, and the reader requests what is due. The
 * writer keeps each message until the reader has used it up, so the window bounds its memory too. Whenever
 * the reader reads, it takes all that has come, and refuses a writer that has sent more than it was granted.
 */
#ifndef PIPESTILL_LIB_LINK_H
#define PIPESTILL_LIB_LINK_H

#include "pipestill/transport.h"

enum pst_link_kind {
    PST_HELLO = 1,
    PST_DATA,
    PST_GRANT,
    PST_REQUEST,
    PST_LINK_END,
    PST_DONE,
    PST_BYE,
    PST_FAIL,
    PST_REFUSE,
    PST_PROBE
};
enum pst_link_role { PST_LINK_WRITER = 1, PST_LINK_READER };

#define PST_LINK_VERSION 1
#define PST_ANY_CONNECTION UINT32_MAX /* in a REQUEST: send again whatever was sent before */
#define PST_MOST_AHEAD 4096           /* messages that a writer keeps at most */

/*
 * A control frame: one byte each for version, kind and role, one of zero, a u32, then three u64, all
 * little-endian. `connection` numbers the connections of a link in HELLO and REQUEST. In a HELLO `at` is the
 * largest message that a reader takes, `messages` the session, `bytes` the session that it has met, 0 for
 * none.
 */
struct pst_link_control {
    uint8_t version, kind, role, zero;
    uint32_t connection;
    uint64_t at, messages, bytes;
};

/* One end of a link. */
struct pst_link {
    struct pst_socket *socket; /* owned */
    struct pst_link_settings settings;
    enum pst_link_role role;
    bool listens;
    uint64_t session;
    bool met;              /* the peer has sent HELLO */
    uint64_t peer_session; /* from its HELLO; 0 before that */
    uint64_t peer_most;    /* bytes of the largest message that it takes */
    uint8_t peer[PST_PEER_SIZE];
    uint32_t connection;          /* the one that was greeted last; the connecting side counts them from 1 */
    double last_received, probed; /* when the peer last sent something, and was last probed */
    double cut_since;             /* when a listener found its peer gone; 0 while it is there */
    double wait_since;            /* when a listener began to wait for its peer; 0: on_wait has been called */
    bool failed;                  /* the peer sent FAIL */
    int interrupt;                /* eventfd: readable once receiving is to end; -1: there is none */
    const char *name;             /* for messages; borrowed */
};

/* Returns what pst_socket_open returns; then there is nothing to close. */
PST_CHECKED enum pst_status pst_link_open(struct pst_link *link, const char *endpoint,
                                          enum pst_link_role role, const struct pst_link_settings *settings,
                                          const char *name, struct pst_error *error);

/* A control frame of this side. */
struct pst_link_control pst_link_control(const struct pst_link *link, enum pst_link_kind kind, uint64_t at);

/* Sends a control frame, with a payload or NULL. A peer that is away for a moment is no error. */
PST_CHECKED enum pst_status pst_link_send(struct pst_link *link, const struct pst_link_control *control,
                                          struct pst_payload *payload, struct pst_error *error);

/*
 * Waits up to so many seconds for a message from the peer, answers greetings, turns strangers away, and
 * notices when the peer is lost. Returns PST_OK with a message of the peer's; PST_END if none came;
 * PST_UNAVAILABLE if the peer is lost, gave up (link->failed), or refused; PST_STOPPED by a signal or by
 * pst_link_interrupt; PST_IO_ERROR.
 */
PST_CHECKED enum pst_status pst_link_receive(struct pst_link *link, double seconds,
                                             struct pst_message *message, struct pst_link_control *control,
                                             struct pst_error *error);

/*
 * As pst_link_receive, but takes only what has come already, and does not check whether the peer is lost: as
 * long as there is something to do, a connection that broke may come back.
 */
PST_CHECKED enum pst_status pst_link_take(struct pst_link *link, struct pst_message *message,
                                          struct pst_link_control *control, struct pst_error *error);

/* Ends pst_link_receive in another thread, now and from now on. link->interrupt must not be -1. */
void pst_link_interrupt(struct pst_link *link);

/* Tells the peer that this side ends early, and why: the reason of pst_closing_reason, or else
 * `otherwise`. */
void pst_link_fail(struct pst_link *link, const char *otherwise);

/* Closes a link. If there is a connection, the last messages have a few seconds to be sent. */
void pst_link_close(struct pst_link *link);

/* The two ends as a transport has them. */
PST_CHECKED enum pst_status pst_link_input_open(struct pst_input **input, const char *endpoint,
                                                const struct pst_link_settings *settings,
                                                struct pst_error *error);
PST_CHECKED enum pst_status pst_link_output_open(struct pst_output **output, const char *endpoint,
                                                 const struct pst_link_settings *settings,
                                                 struct pst_error *error);

#endif
