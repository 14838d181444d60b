/* Reading from a link; see link.h. */
#include "lib/transport/link.h"
#include "lib/transport/socket.h"
#include "lib/transport/transport.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#define LOOK_EVERY 0.01 /* seconds; looking more often would only cost time */
#define FAREWELL 5.0    /* seconds that a reader waits at most for its writer's BYE */

struct link_input {
    struct pst_input input;
    struct pst_link link;
    struct pst_payload
        *came[PST_MOST_AHEAD]; /* ring of what is not used up: message m is came[m % …]; owned */
    uint64_t due, next;        /* the number of the message that is read, and of the next one to come */
    size_t came_bytes;         /* of those in between */
    size_t read;               /* bytes of the message that is due that are used up */
    bool all_came;             /* the writer has sent END */
    bool ended;                /* and all are used up */
    double looked;             /* when all that had come was taken last */
    enum pst_status verdict;   /* not PST_OK: no more will come, and why */
    struct pst_error reason;
};

static enum pst_status grant(struct link_input *in, enum pst_link_kind kind, uint32_t connection,
                             struct pst_error *error)
{
    struct pst_link_control control = pst_link_control(&in->link, kind, in->due);
    control.connection = connection;
    control.messages = in->link.settings.window_messages;
    control.bytes = in->link.settings.window_bytes;
    return pst_link_send(&in->link, &control, NULL, error);
}

static uint64_t window_messages(const struct link_input *in)
{
    uint64_t granted = in->link.settings.window_messages;
    return granted < PST_MOST_AHEAD ? granted : PST_MOST_AHEAD;
}

/* Whether a message of so many bytes may be there beside the others; one alone always may. */
static bool is_granted(const struct link_input *in, uint64_t at, size_t size)
{
    size_t most = in->link.settings.window_bytes;
    return at - in->due < window_messages(in) &&
           (at == in->due || (in->came_bytes <= most && size <= most - in->came_bytes));
}

/* Keeps a message that follows those that are here. Returns PST_OK, PST_BAD_DATA or PST_TRY_AGAIN. */
static enum pst_status keep(struct link_input *in, uint64_t at, size_t size, struct pst_error *error)
{
    if (!is_granted(in, at, size))
        return pst_fail(error, PST_BAD_DATA,
                        "%s: the other side is refused: it has sent more than it was granted, which is %zu "
                        "messages and %zu bytes ahead (--window, --window-bytes)",
                        in->input.name, in->link.settings.window_messages, in->link.settings.window_bytes);
    if (at != in->next || size == 0)
        return PST_OK; /* it follows one that was lost and was requested */
    struct pst_payload *payload = pst_socket_keep(in->link.socket, error);
    if (payload == NULL)
        return PST_TRY_AGAIN;
    in->came[in->next++ % PST_MOST_AHEAD] = payload;
    in->came_bytes += size;
    return PST_OK;
}

/* Takes one message of the protocol. */
static enum pst_status take_message(struct link_input *in, const struct pst_message *message,
                                    const struct pst_link_control *control, struct pst_error *error)
{
    if (control->kind == PST_HELLO) /* a new connection */
        return grant(in, PST_REQUEST, in->link.connection, error);
    if (control->at < in->next)
        return PST_OK; /* it has come before */
    if (control->kind == PST_LINK_END && control->at == in->next)
        in->all_came = true;
    return control->kind == PST_DATA ? keep(in, control->at, message->payload_size, error) : PST_OK;
}

/*
 * Takes what has come, so that a writer that sends more than it was granted is found out. The end of the link
 * counts only after all that came before is used up; a violation or a signal counts at once.
 */
static enum pst_status take_all(struct link_input *in, struct pst_error *error)
{
    double now = pst_seconds();
    if (in->due < in->next && now - in->looked < LOOK_EVERY)
        return PST_OK;
    in->looked = now;
    uint64_t most = 2 * window_messages(in); /* also what is sent again; a limit, so that this ends */
    for (uint64_t i = 0; i < most && in->verdict == PST_OK; i++) {
        struct pst_message message;
        struct pst_link_control control;
        enum pst_status status = pst_link_take(&in->link, &message, &control, &in->reason);
        if (status == PST_END)
            return PST_OK;
        if (status == PST_OK)
            status = take_message(in, &message, &control, error);
        else if (status != PST_STOPPED) {
            in->verdict = status;
            return PST_OK;
        } else
            return pst_fail(error, status, "%s", in->reason.message);
        if (status != PST_OK)
            return status;
    }
    return PST_OK;
}

/*
 * Waits for the message that is due, or the end. Only a new connection is a reason to request it. Requests
 * now and then cost nothing, because a connection that carried nothing for so long would have ended.
 */
static enum pst_status await(struct link_input *in, struct pst_error *error)
{
    double pause = in->link.settings.peer_timeout / 2;
    enum pst_status status = take_all(in, error);
    while (status == PST_OK && in->next == in->due && !in->all_came) {
        struct pst_message message;
        struct pst_link_control control;
        if (in->verdict != PST_OK)
            return pst_fail(error, in->verdict, "%s", in->reason.message);
        status = pst_link_receive(&in->link, pause, &message, &control, error);
        if (status == PST_OK)
            status = take_message(in, &message, &control, error);
        else if (status == PST_END)
            status = in->link.met ? grant(in, PST_REQUEST, PST_ANY_CONNECTION, error) : PST_OK;
    }
    in->ended = status == PST_OK && in->next == in->due;
    return status;
}

/* The message that was read is used up. */
static enum pst_status advance(struct link_input *in, struct pst_error *error)
{
    struct pst_payload **place = &in->came[in->due % PST_MOST_AHEAD];
    in->came_bytes -= pst_payload_size(*place);
    pst_payload_free(*place);
    *place = NULL;
    in->read = 0;
    in->due++;
    return grant(in, PST_GRANT, 0, error);
}

static enum pst_status read_link(struct pst_input *input, void *bytes, size_t size, size_t *got,
                                 struct pst_error *error)
{
    struct link_input *in = (struct link_input *)input;
    if (in->ended)
        return PST_END;
    if (in->read == 0) {
        enum pst_status status = await(in, error);
        if (status != PST_OK)
            return status;
        if (in->ended)
            return PST_END;
    }
    struct pst_payload *payload = in->came[in->due % PST_MOST_AHEAD];
    size_t left = pst_payload_size(payload) - in->read;
    *got = size < left ? size : left;
    memcpy(bytes, (const char *)pst_payload_bytes(payload) + in->read, *got);
    in->read += *got;
    return in->read < pst_payload_size(payload) ? PST_OK : advance(in, error);
}

/*
 * Sends that all has arrived, and waits a little for the writer's BYE. This side has all that it needs, so
 * nothing that happens now is its failure.
 */
static enum pst_status finish_input(struct pst_input *input, struct pst_error *error)
{
    struct link_input *in = (struct link_input *)input;
    struct pst_link_control done = pst_link_control(&in->link, PST_DONE, in->due);
    enum pst_status status = pst_link_send(&in->link, &done, NULL, error);
    double until = pst_seconds() + FAREWELL;
    while (status == PST_OK && pst_seconds() < until) {
        struct pst_message message;
        struct pst_link_control control;
        struct pst_error nobody_left;
        status = pst_link_receive(&in->link, 0.1, &message, &control, &nobody_left);
        if (status == PST_OK && control.kind == PST_BYE)
            return PST_OK;
        if (status == PST_OK && (control.kind == PST_HELLO || control.kind == PST_LINK_END))
            status = pst_link_send(&in->link, &done, NULL, &nobody_left);
        if (status == PST_END)
            status = PST_OK;
    }
    return PST_OK;
}

static void interrupt_input(struct pst_input *input)
{
    pst_link_interrupt(&((struct link_input *)input)->link);
}

static void close_input(struct pst_input *input)
{
    struct link_input *in = (struct link_input *)input;
    if (!in->ended)
        pst_link_fail(&in->link, "the reader left before the end");
    pst_link_close(&in->link);
    for (; in->due < in->next; in->due++)
        pst_payload_free(in->came[in->due % PST_MOST_AHEAD]);
    free(in);
}

static const struct pst_input_operations input_operations = {
    .read = read_link,
    .finish = finish_input,
    .interrupt = interrupt_input,
    .close = close_input,
};

enum pst_status pst_link_input_open(struct pst_input **input, const char *endpoint,
                                    const struct pst_link_settings *settings, struct pst_error *error)
{
    struct link_input *in =
        pst_endpoint_new(sizeof *in, offsetof(struct link_input, input.name), endpoint, error);
    if (in == NULL)
        return PST_TRY_AGAIN;
    in->input.operations = &input_operations;
    enum pst_status status =
        pst_link_open(&in->link, endpoint, PST_LINK_READER, settings, in->input.name, error);
    if (status == PST_OK && (in->link.interrupt = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
        pst_link_close(&in->link);
        status = pst_fail(error, PST_TRY_AGAIN, "%s: too many open files", endpoint);
    }
    if (status != PST_OK) {
        free(in);
        return status;
    }
    *input = &in->input;
    return PST_OK;
}
