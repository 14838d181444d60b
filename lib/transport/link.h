/*
 * link.h: the protocol of a link between two stages. It is point to point, and made so that a connection that
 * breaks and comes back costs nothing but time:
 *
 *   HELLO    both, once: which session and role, and where it stands
 *   DATA     writer: message number `at`, with the message as payload
 *   GRANT    reader: all messages below `at` are used up (and may be forgotten); `messages` and `bytes` may
 * follow them REQUEST  reader: nothing came for a while, message `at` is due; the writer sends again what it
 * has from there on END      writer: `at` messages were all DONE     reader: it has seen the end, and all is
 * well FAIL     either: it ends without success; the payload says why PROBE    listener: is anybody there?
 *
 * The writer keeps each message until it is granted away, so the window bounds its memory too.
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
    PST_FAIL,
    PST_PROBE
};
enum pst_link_role { PST_LINK_WRITER = 1, PST_LINK_READER };

#define PST_LINK_VERSION 1

/* A control frame: one byte each for version, kind and role, five of zero, then three little-endian u64. */
struct pst_link_control {
    uint8_t version, kind, role, zero[5];
    uint64_t at, messages, bytes;
};

/* One end of a link. */
struct pst_link {
    struct pst_socket *socket; /* owned */
    struct pst_link_settings settings;
    enum pst_link_role role;
    bool listens;
    bool met; /* the peer has said HELLO */
    uint8_t peer[PST_PEER_SIZE];
    double heard, probed; /* when the peer last said something, and was last asked to */
    double cut_since;     /* when a listener found its peer gone; 0 while it is there */
    bool failed;          /* the peer said FAIL */
    const char *name;     /* for messages; borrowed */
};

PST_CHECKED enum pst_status pst_link_open(struct pst_link *link, const char *endpoint,
                                          enum pst_link_role role, const struct pst_link_settings *settings,
                                          const char *name, struct pst_error *error);

/* Sends a control frame, with a payload or NULL. A peer that is away for a moment is no error. */
PST_CHECKED enum pst_status pst_link_send(struct pst_link *link, const struct pst_link_control *control,
                                          struct pst_payload *payload, struct pst_error *error);

/*
 * Waits up to so many seconds for a message from the peer, answers greetings, turns strangers away, and
 * notices when the peer is lost. Returns PST_OK with a message of the peer's; PST_END where none came;
 * PST_UNAVAILABLE where the peer is lost, gave up, or was refused; PST_BAD_DATA; PST_STOPPED; PST_IO_ERROR.
 */
PST_CHECKED enum pst_status pst_link_receive(struct pst_link *link, double seconds,
                                             struct pst_message *message, struct pst_link_control *control,
                                             struct pst_error *error);

/* Closes a link; linger: seconds that what was sent last has to leave. */
void pst_link_close(struct pst_link *link, double linger);

#endif
