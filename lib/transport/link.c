/*
 * Links: greeting, strangers, lost peers; see link.h. What readers and writers do with a link is in
 * link_input.c and link_output.c.
 */
#include "pipestill/linux.h"

#include "lib/transport/link.h"
#include "lib/transport/socket.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define LINGER 3.0       /* seconds for the last message to be sent */
#define WAIT_TO_TELL 5.0 /* seconds without a first connection */

static char closing_reason[512];

void pst_closing_reason(const char *why)
{
    snprintf(closing_reason, sizeof closing_reason, "%s", why == NULL ? "" : why);
}

struct pst_link_control pst_link_control(const struct pst_link *link, enum pst_link_kind kind, uint64_t at)
{
    return (struct pst_link_control){
        .version = PST_LINK_VERSION, .kind = (uint8_t)kind, .role = (uint8_t)link->role, .at = at
    };
}

enum pst_status pst_link_open(struct pst_link *link, const char *endpoint, enum pst_link_role role,
                              const struct pst_link_settings *settings, const char *name,
                              struct pst_error *error)
{
    *link = (struct pst_link){ .settings = *settings, .role = role, .name = name, .interrupt = -1 };
    link->listens = strncmp(endpoint, "listen:", 7) == 0;
    if (getrandom(&link->session, sizeof link->session, 0) != (ssize_t)sizeof link->session)
        return pst_fail(error, PST_TRY_AGAIN, "%s: there are no random numbers for a link", name);
    link->session |= 1; /* 0 is none */
    link->wait_since = pst_seconds();
    /* A writer receives only control frames and reasons. */
    struct pst_link_settings own = *settings;
    if (role == PST_LINK_WRITER)
        own.max_message = 0;
    return pst_socket_open(&link->socket, endpoint, &own, error);
}

void pst_link_close(struct pst_link *link)
{
    bool connected =
        link->listens ? link->met && link->cut_since == 0 : pst_socket_cut_for(link->socket) == 0;
    pst_socket_close(link->socket, connected ? LINGER : 0);
    link->socket = NULL;
    if (link->interrupt >= 0)
        close(link->interrupt);
}

enum pst_status pst_link_send(struct pst_link *link, const struct pst_link_control *control,
                              struct pst_payload *payload, struct pst_error *error)
{
    if (link->listens && !link->met)
        return PST_OK; /* no peer is there yet that could miss it */
    enum pst_status status =
        pst_socket_send(link->socket, link->peer, control, sizeof *control, payload, error);
    if (status == PST_UNAVAILABLE && link->cut_since == 0)
        link->cut_since = pst_seconds();
    if (status == PST_OK)
        link->cut_since = 0;
    return status == PST_UNAVAILABLE || status == PST_TRY_AGAIN ? PST_OK : status;
}

/* Sends a control frame with a text, which may be lost. */
static void send_text(struct pst_link *link, const uint8_t *peer, enum pst_link_kind kind, const char *text)
{
    struct pst_link_control control = pst_link_control(link, kind, 0);
    struct iovec part = { .iov_base = (char *)(uintptr_t)text, .iov_len = strlen(text) };
    struct pst_payload *payload = pst_payload_new(&part, 1, NULL);
    if (payload == NULL)
        return;
    enum pst_status sent = pst_socket_send(link->socket, peer, &control, sizeof control, payload, NULL);
    (void)sent; /* a peer that has gone does not need it */
    pst_payload_free(payload);
}

void pst_link_fail(struct pst_link *link, const char *otherwise)
{
    if (!link->failed && (link->met || !link->listens))
        send_text(link, link->peer, PST_FAIL, closing_reason[0] != '\0' ? closing_reason : otherwise);
}

/* ---- greetings --------------------------------------------------------------------------------------- */

static enum pst_status say_hello(struct pst_link *link, struct pst_error *error)
{
    struct pst_link_control control = pst_link_control(link, PST_HELLO, link->settings.max_message);
    control.messages = link->session;
    control.bytes = link->peer_session;
    control.connection = link->connection;
    return pst_link_send(link, &control, NULL, error);
}

/* Why a greeting is not one of this link's other end; NULL if it is. */
static const char *objection(const struct pst_link *link, const struct pst_message *message,
                             const struct pst_link_control *control)
{
    bool known = link->met && memcmp(link->peer, message->peer, PST_PEER_SIZE) == 0;
    if (control->version != PST_LINK_VERSION)
        return "the other side is of another version of pipestill";
    if (control->role == link->role)
        return link->role == PST_LINK_WRITER ? "both ends of this link want to write"
                                             : "both ends of this link want to read";
    if (control->bytes != 0 && control->bytes != link->session)
        return "the other side was started anew; this stream cannot go on";
    if (link->met && !known)
        return "this link has a peer already: it is from one stage to one other";
    if (link->met && control->messages != link->peer_session)
        return "the other side was started anew; this stream cannot go on";
    return NULL;
}

/* Takes a greeting. PST_OK: it is the peer's; PST_END: it was not, and a listener goes on without it. */
static enum pst_status greet(struct pst_link *link, const struct pst_message *message,
                             const struct pst_link_control *control, struct pst_error *error)
{
    const char *why = objection(link, message, control);
    if (why != NULL && !link->listens)
        return pst_fail(error, PST_UNAVAILABLE, "%s: %s", link->name, why);
    if (why != NULL) {
        send_text(link, message->peer, PST_REFUSE, why);
        return PST_END;
    }
    link->met = true;
    link->peer_session = control->messages;
    link->peer_most = control->at;
    if (link->listens)
        link->connection = control->connection;
    memcpy(link->peer, message->peer, PST_PEER_SIZE);
    return link->listens ? say_hello(link, error) : PST_OK;
}

/* ---- lost peers -------------------------------------------------------------------------------------- */

/* A listener sends, to find out whether its peer still has a connection. */
static enum pst_status probe(struct pst_link *link, double now, struct pst_error *error)
{
    /* Probes pile up at a peer that computes for hours and reads nothing; so they become rarer then. */
    double silence = now - link->last_received, pause = link->settings.peer_timeout / 8;
    if (now - link->probed <= (silence / 256 > pause ? silence / 256 : pause))
        return PST_OK;
    link->probed = now;
    struct pst_link_control control = pst_link_control(link, PST_PROBE, 0);
    return pst_link_send(link, &control, NULL, error);
}

static enum pst_status lost(const struct pst_link *link, const char *what, struct pst_error *error)
{
    return pst_fail(error, PST_UNAVAILABLE, "%s: %s (--peer-timeout %g)", link->name, what,
                    link->settings.peer_timeout);
}

/* A listener waits for its peer without a limit, so it says that it waits. */
static void tell_of_waiting(struct pst_link *link, double now)
{
    if (link->settings.on_wait == NULL || link->wait_since == 0 || now - link->wait_since < WAIT_TO_TELL)
        return;
    link->wait_since = 0;
    link->settings.on_wait(link->settings.context, link->name);
}

/*
 * Whether the peer has been away for too long. The sockets take up to half of the time to find a silent peer
 * gone, and an eighth goes by between two probes.
 */
static enum pst_status check_peer(struct pst_link *link, struct pst_error *error)
{
    double now = pst_seconds(), patience = link->settings.peer_timeout;
    if (link->listens && link->met) {
        enum pst_status status = probe(link, now, error);
        if (status != PST_OK)
            return status;
        return link->cut_since != 0 && now - link->cut_since > patience * 3 / 8
                   ? lost(link, "the other side is lost", error)
                   : PST_OK;
    }
    if (link->listens) {
        tell_of_waiting(link, now);
        return PST_OK;
    }
    if (pst_socket_cut_for(link->socket) <= (link->met ? patience * 3 / 8 : patience))
        return PST_OK;
    const char *refusal = pst_socket_refusal(link->socket);
    return lost(link,
                refusal != NULL ? refusal
                : link->met     ? "the other side is lost"
                                : "the other side does not answer",
                error);
}

/* ---- receiving --------------------------------------------------------------------------------------- */

/* The error of a FAIL or REFUSE of the other side. */
static enum pst_status told(struct pst_link *link, const struct pst_message *message, bool refused,
                            struct pst_error *error)
{
    int size = message->payload_size < 400 ? (int)message->payload_size : 400;
    const char *why = message->payload == NULL ? "" : message->payload;
    link->failed = !refused;
    return pst_fail(error, PST_UNAVAILABLE, "%s: the other side %s: %.*s", link->name,
                    refused ? "refuses" : "ended", size, why);
}

/* A message that is not of this protocol: a stranger may send it to a listener. */
static enum pst_status improper(struct pst_link *link, const struct pst_message *message,
                                struct pst_error *error)
{
    if (!link->listens)
        return pst_fail(error, PST_UNAVAILABLE, "%s: the other side is not a pipestill of this version",
                        link->name);
    send_text(link, message->peer, PST_REFUSE, "a message out of protocol");
    return PST_END;
}

/* Handles messages that are not for the reader or writer above. PST_END: none is to be handed on. */
static enum pst_status sift(struct pst_link *link, const struct pst_message *message,
                            struct pst_link_control *control, struct pst_error *error)
{
    if (message->control_size != sizeof *control)
        return improper(link, message, error);
    memcpy(control, message->control, sizeof *control);
    if (control->version != PST_LINK_VERSION && control->kind != PST_HELLO)
        return improper(link, message, error);
    if (!link->listens && control->kind == PST_REFUSE)
        return told(link, message, true, error);
    if (!link->listens && control->kind == PST_FAIL)
        return told(link, message, false, error);
    if (control->kind == PST_HELLO) {
        enum pst_status status = greet(link, message, control, error);
        if (status != PST_OK)
            return status;
    } else if (!link->met || memcmp(link->peer, message->peer, PST_PEER_SIZE) != 0) {
        if (link->listens)
            send_text(link, message->peer, PST_REFUSE, "this side does not know you; was it started anew?");
        return PST_END;
    }
    link->last_received = pst_seconds();
    link->cut_since = 0;
    if (control->kind == PST_FAIL)
        return told(link, message, false, error);
    return control->kind == PST_PROBE ? PST_END : PST_OK;
}

/* Takes what the socket has, if anything, and greets if the connection is a new one. */
static enum pst_status receive(struct pst_link *link, double seconds, struct pst_message *message,
                               struct pst_link_control *control, struct pst_error *error)
{
    struct pst_error fault;
    enum pst_status status = pst_socket_receive(link->socket, seconds, link->interrupt, message, &fault);
    if (!link->listens && (uint32_t)pst_socket_connections(link->socket) != link->connection) {
        link->connection = (uint32_t)pst_socket_connections(link->socket);
        enum pst_status sent = say_hello(link, error);
        if (sent != PST_OK)
            return sent;
    }
    if (status == PST_OK)
        return sift(link, message, control, error);
    if (status == PST_END || status == PST_BAD_DATA) /* a stranger's message */
        return PST_END;
    return pst_fail(error, status, "%s", fault.message);
}

void pst_link_interrupt(struct pst_link *link)
{
    uint64_t one = 1;
    if (write(link->interrupt, &one, sizeof one) < 0)
        return; /* it is readable already */
}

static bool is_interrupted(const struct pst_link *link)
{
    struct pollfd readable = { .fd = link->interrupt, .events = POLLIN };
    return link->interrupt >= 0 && poll(&readable, 1, 0) > 0;
}

enum pst_status pst_link_take(struct pst_link *link, struct pst_message *message,
                              struct pst_link_control *control, struct pst_error *error)
{
    return receive(link, 0, message, control, error);
}

enum pst_status pst_link_receive(struct pst_link *link, double seconds, struct pst_message *message,
                                 struct pst_link_control *control, struct pst_error *error)
{
    double until = pst_seconds() + seconds;
    for (;;) {
        double left = until - pst_seconds(), slice = link->settings.peer_timeout / 16;
        if (!link->met && slice > 1)
            slice = 1;
        left = left < 0 ? 0 : left > slice ? slice : left;
        enum pst_status status = receive(link, left, message, control, error);
        if (status == PST_END && is_interrupted(link))
            return pst_fail(error, PST_STOPPED, "%s: reading was ended", link->name);
        /* Only now, because a connection that broke may have come back while this stage computed. */
        if (status == PST_END)
            status = check_peer(link, error);
        else
            return status;
        if (status != PST_OK)
            return status;
        if (pst_seconds() >= until)
            return PST_END;
    }
}
