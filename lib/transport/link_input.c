/* Reading from a link; see link.h. */
#include "lib/transport/link.h"
#include "lib/transport/transport.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#define FAREWELL 5.0 /* seconds that a reader waits at most until its writer knows that all has arrived */

struct link_input {
    struct pst_input input;
    struct pst_link link;
    struct pst_message message; /* the message that is being read */
    size_t read;                /* bytes of it that are used up */
    bool reading;               /* there is one */
    bool ended;
    uint64_t due; /* the number of the next message */
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

/*
 * Takes one message of the protocol. PST_OK: it was the one that is due, or the end. PST_END: go on waiting.
 */
static enum pst_status take_message(struct link_input *in, const struct pst_link_control *control,
                                    struct pst_error *error)
{
    if (control->kind == PST_HELLO) { /* a new connection */
        enum pst_status status = grant(in, PST_REQUEST, in->link.connection, error);
        return status == PST_OK ? PST_END : status;
    }
    if (control->at != in->due)
        return PST_END; /* it was here already, or follows one that was lost and is asked for */
    if (control->kind == PST_LINK_END)
        in->ended = true;
    else if (control->kind == PST_DATA && in->message.payload_size > 0)
        in->reading = true;
    else
        return PST_END;
    in->read = 0;
    return PST_OK;
}

/*
 * Waits for the message that is due. Only a new connection is a reason to ask for it; asking now and then all
 * the same costs nothing, for a connection that carried nothing for so long would be no more.
 */
static enum pst_status await(struct link_input *in, struct pst_error *error)
{
    double pause = in->link.settings.peer_timeout / 2;
    for (;;) {
        struct pst_link_control control;
        enum pst_status status = pst_link_receive(&in->link, pause, &in->message, &control, error);
        if (status == PST_OK)
            status = take_message(in, &control, error);
        else if (status == PST_END && in->link.met) {
            status = grant(in, PST_REQUEST, PST_ANY_CONNECTION, error);
            if (status == PST_OK)
                continue;
        }
        if (status != PST_END)
            return status;
    }
}

static enum pst_status read_link(struct pst_input *input, void *bytes, size_t size, size_t *got,
                                 struct pst_error *error)
{
    struct link_input *in = (struct link_input *)input;
    if (in->ended)
        return PST_END;
    if (!in->reading) {
        enum pst_status status = await(in, error);
        if (status != PST_OK)
            return status;
        if (in->ended)
            return PST_END;
    }
    size_t left = in->message.payload_size - in->read;
    *got = size < left ? size : left;
    memcpy(bytes, (const char *)in->message.payload + in->read, *got);
    in->read += *got;
    if (in->read < in->message.payload_size)
        return PST_OK;
    in->reading = false;
    in->due++;
    return grant(in, PST_GRANT, 0, error);
}

/*
 * Says that all has arrived, and waits a little until the writer knows. This side has what it wanted, so
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
