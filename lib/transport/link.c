/* Links: greeting, strangers, lost peers; see link.h. What readers and writers do with a link is in zeromq.c.
 */
#include "lib/transport/link.h"

#include <string.h>
#include <sys/uio.h>

static struct pst_link_control hello(const struct pst_link *link)
{
    return (struct pst_link_control){ .version = PST_LINK_VERSION,
                                      .kind = PST_HELLO,
                                      .role = (uint8_t)link->role };
}

enum pst_status pst_link_open(struct pst_link *link, const char *endpoint, enum pst_link_role role,
                              const struct pst_link_settings *settings, const char *name,
                              struct pst_error *error)
{
    *link = (struct pst_link){ .settings = *settings, .role = role, .name = name };
    link->listens = strncmp(endpoint, "listen:", 7) == 0;
    enum pst_status status = pst_socket_open(&link->socket, endpoint, settings, error);
    if (status != PST_OK || link->listens)
        return status;
    struct pst_link_control greeting = hello(link);
    return pst_socket_send(link->socket, NULL, &greeting, sizeof greeting, NULL, error);
}

void pst_link_close(struct pst_link *link, double linger)
{
    pst_socket_close(link->socket, linger);
    link->socket = NULL;
}

enum pst_status pst_link_send(struct pst_link *link, const struct pst_link_control *control,
                              struct pst_payload *payload, struct pst_error *error)
{
    if (link->listens && !link->met)
        return PST_OK; /* the peer asks again for what it has missed */
    enum pst_status status =
        pst_socket_send(link->socket, link->peer, control, sizeof *control, payload, error);
    if (status == PST_UNAVAILABLE && link->cut_since == 0)
        link->cut_since = pst_seconds();
    if (status == PST_OK)
        link->cut_since = 0;
    return status == PST_UNAVAILABLE || status == PST_TRY_AGAIN ? PST_OK : status;
}

/* Tells a stranger that this link has two ends already, or none for the likes of it. */
static void turn_away(struct pst_link *link, const uint8_t *peer, const char *why)
{
    struct pst_link_control fail = { .version = PST_LINK_VERSION,
                                     .kind = PST_FAIL,
                                     .role = (uint8_t)link->role };
    struct iovec part = { .iov_base = (char *)(uintptr_t)why, .iov_len = strlen(why) };
    struct pst_payload *payload = pst_payload_new(&part, 1, NULL);
    if (payload == NULL)
        return;
    enum pst_status sent = pst_socket_send(link->socket, peer, &fail, sizeof fail, payload, NULL);
    (void)sent; /* a stranger who has gone need not be told */
    pst_payload_free(payload);
}

/* Takes a greeting. Returns whether it is the peer's; others are turned away. */
static bool greet(struct pst_link *link, const struct pst_message *message,
                  const struct pst_link_control *control, struct pst_error *error)
{
    bool known = link->met && memcmp(link->peer, message->peer, PST_PEER_SIZE) == 0;
    const char *why = NULL;
    if (control->version != PST_LINK_VERSION)
        why = "the other side is of another version of pipestill";
    else if (control->role == link->role)
        why = link->role == PST_LINK_WRITER ? "both ends of this link want to write"
                                            : "both ends of this link want to read";
    else if (link->met && !known)
        why = "this link has a peer already: it is from one stage to one other";
    if (why != NULL) {
        if (link->listens)
            turn_away(link, message->peer, why);
        else
            pst_fail(error, PST_UNAVAILABLE, "%s: %s", link->name, why);
        return false;
    }
    if (!link->met) {
        link->met = true;
        memcpy(link->peer, message->peer, PST_PEER_SIZE);
    }
    if (link->listens && !known) {
        struct pst_link_control greeting = hello(link);
        if (pst_link_send(link, &greeting, NULL, NULL) != PST_OK)
            return false;
    }
    return true;
}

/* Whether the peer has been away for too long. A connecting end is told by its socket, a listening one finds
 * out. */
static enum pst_status check_peer(struct pst_link *link, struct pst_error *error)
{
    double now = pst_seconds(), patience = link->settings.peer_timeout;
    if (!link->listens) {
        double cut = pst_socket_cut_for(link->socket);
        if (cut <= (link->met ? patience / 2 : patience))
            return PST_OK;
        const char *refusal = pst_socket_refusal(link->socket);
        return pst_fail(error, PST_UNAVAILABLE, "%s: %s (%s after %.0f s; --peer-timeout)", link->name,
                        refusal != NULL ? refusal : "nobody answers",
                        link->met ? "the peer is lost" : "no connection", patience);
    }
    if (!link->met)
        return PST_OK; /* a listener waits */
    if (now - link->probed > patience / 8) {
        link->probed = now;
        struct pst_link_control probe = { .version = PST_LINK_VERSION,
                                          .kind = PST_PROBE,
                                          .role = (uint8_t)link->role };
        enum pst_status status = pst_link_send(link, &probe, NULL, error);
        if (status != PST_OK)
            return status;
    }
    if (link->cut_since != 0 && now - link->cut_since > patience / 2)
        return pst_fail(error, PST_UNAVAILABLE, "%s: the peer is lost (nothing for %.0f s; --peer-timeout)",
                        link->name, now - link->heard);
    return PST_OK;
}

static enum pst_status peer_failed(struct pst_link *link, const struct pst_message *message,
                                   struct pst_error *error)
{
    int size = message->payload_size < 300 ? (int)message->payload_size : 300;
    link->failed = true;
    return pst_fail(error, PST_UNAVAILABLE, "%s: the other side ended: %.*s", link->name, size,
                    message->payload == NULL ? "" : (const char *)message->payload);
}

/* Handles what is not for the reader or writer above. PST_END: nothing is left to hand on. */
static enum pst_status sift(struct pst_link *link, const struct pst_message *message,
                            struct pst_link_control *control, struct pst_error *error)
{
    bool proper = message->control_size == sizeof *control;
    if (proper)
        memcpy(control, message->control, sizeof *control);
    if (!proper || (control->version != PST_LINK_VERSION && control->kind != PST_HELLO)) {
        if (!link->listens)
            return pst_fail(error, PST_UNAVAILABLE, "%s: the other side is no pipestill of this version",
                            link->name);
        turn_away(link, message->peer, "a message out of protocol");
        return PST_END;
    }
    if (control->kind == PST_HELLO) {
        error->message[0] = '\0';
        if (!greet(link, message, control, error))
            return error->message[0] == '\0' ? PST_END : PST_UNAVAILABLE;
    } else if (!link->listens && control->kind == PST_FAIL) {
        return peer_failed(link, message, error);
    } else if (!link->met || memcmp(link->peer, message->peer, PST_PEER_SIZE) != 0) {
        turn_away(link, message->peer, "this link does not know you; was this side started anew?");
        return PST_END;
    }
    link->heard = pst_seconds();
    link->cut_since = 0;
    if (control->kind == PST_FAIL)
        return peer_failed(link, message, error);
    return control->kind == PST_PROBE ? PST_END : PST_OK;
}

enum pst_status pst_link_receive(struct pst_link *link, double seconds, struct pst_message *message,
                                 struct pst_link_control *control, struct pst_error *error)
{
    double until = pst_seconds() + seconds;
    for (;;) {
        enum pst_status status = check_peer(link, error);
        if (status != PST_OK)
            return status;
        double left = until - pst_seconds(), slice = link->settings.peer_timeout / 16;
        left = left < 0 ? 0 : left > slice ? slice : left;
        struct pst_error fault;
        status = pst_socket_receive(link->socket, left, -1, message, &fault);
        if (status == PST_OK)
            status = sift(link, message, control, error);
        else if (status == PST_BAD_DATA)
            status = PST_END; /* rubbish from a stranger */
        else if (status != PST_END)
            return pst_fail(error, status, "%s", fault.message);
        if (status != PST_END)
            return status;
        if (pst_seconds() >= until)
            return PST_END;
    }
}
