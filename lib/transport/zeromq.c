/* tcp:// and ipc:// endpoints: readers and writers over a link; see link.h. */
#include "lib/transport/link.h"
#include "lib/transport/transport.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define ASK_AGAIN 0.5 /* seconds of silence after which a reader asks for what is due */

struct link_input {
    struct pst_input input;
    struct pst_link link;
    struct pst_message message; /* the message that is being read */
    size_t read;                /* bytes of it that are used up */
    bool reading;               /* there is one */
    bool ended;
    uint64_t due; /* the number of the next message */
};

struct link_output {
    struct pst_output output;
    struct pst_link link;
    struct pst_payload **kept; /* ring of what is not granted away: message m is kept[m % room]; owned */
    size_t room;
    uint64_t granted, next; /* messages below granted are forgotten; next is the next one's number */
    size_t kept_bytes;
    uint64_t window_messages, window_bytes; /* as the reader said; 0 before it did */
    double resent;
    bool ended, done;
};

static struct pst_link_control control_of(const struct pst_link *link, enum pst_link_kind kind, uint64_t at)
{
    return (struct pst_link_control){
        .version = PST_LINK_VERSION, .kind = (uint8_t)kind, .role = (uint8_t)link->role, .at = at
    };
}

/* ---- reading ---- */

static enum pst_status grant(struct link_input *in, enum pst_link_kind kind, struct pst_error *error)
{
    struct pst_link_control control = control_of(&in->link, kind, in->due);
    control.messages = in->link.settings.window_messages;
    control.bytes = in->link.settings.window_bytes;
    return pst_link_send(&in->link, &control, NULL, error);
}

/* Takes one message of the protocol. PST_OK: it was the one that is due, or the end. PST_END: go on waiting.
 */
static enum pst_status take(struct link_input *in, const struct pst_link_control *control,
                            struct pst_error *error)
{
    if (control->kind == PST_HELLO) {
        enum pst_status status = grant(in, PST_GRANT, error);
        return status == PST_OK ? PST_END : status;
    }
    if (control->at != in->due)
        return PST_END; /* sent again, or sent after one that was lost: the due one is asked for when nothing
                           comes */
    if (control->kind == PST_LINK_END)
        in->ended = true;
    else if (control->kind == PST_DATA && in->message.payload != NULL)
        in->reading = true;
    else
        return PST_END;
    in->read = 0;
    return PST_OK;
}

/* Waits for the message that is due, and asks for it when nothing comes. */
static enum pst_status await(struct link_input *in, struct pst_error *error)
{
    double quiet_since = pst_seconds();
    for (;;) {
        struct pst_link_control control;
        enum pst_status status = pst_link_receive(&in->link, ASK_AGAIN, &in->message, &control, error);
        if (status == PST_OK)
            status = take(in, &control, error);
        if (status != PST_END)
            return status;
        if (in->link.met && pst_seconds() - quiet_since >= ASK_AGAIN) {
            quiet_since = pst_seconds();
            status = grant(in, PST_REQUEST, error);
            if (status != PST_OK)
                return status;
        }
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
    return grant(in, PST_GRANT, error);
}

static enum pst_status finish_input(struct pst_input *input, struct pst_error *error)
{
    struct link_input *in = (struct link_input *)input;
    struct pst_link_control control = control_of(&in->link, PST_DONE, in->due);
    return pst_link_send(&in->link, &control, NULL, error);
}

static enum pst_status say_why(struct pst_link *link, const char *why, struct pst_error *error)
{
    struct pst_link_control control = control_of(link, PST_FAIL, 0);
    struct iovec part = { .iov_base = (char *)(uintptr_t)why, .iov_len = strlen(why) };
    struct pst_payload *payload = pst_payload_new(&part, 1, error);
    if (payload == NULL)
        return PST_TRY_AGAIN;
    enum pst_status status = pst_link_send(link, &control, payload, error);
    pst_payload_free(payload);
    return status;
}

static void close_input(struct pst_input *input)
{
    struct link_input *in = (struct link_input *)input;
    struct pst_error nobody_left;
    if (!in->ended && !in->link.failed &&
        say_why(&in->link, "the reader left before the end", &nobody_left) != PST_OK)
        in->link.failed = true;
    /* DONE may still be on its way; a writer that misses it only knows that its reader has gone after the
     * end. */
    pst_link_close(&in->link, 5);
    free(in);
}

static const struct pst_input_operations input_operations = {
    .read = read_link,
    .finish = finish_input,
    .close = close_input,
};

static enum pst_status open_input(struct pst_input **input, const char *endpoint,
                                  const struct pst_link_settings *settings, struct pst_error *error)
{
    struct link_input *in =
        pst_endpoint_new(sizeof *in, offsetof(struct link_input, input.name), endpoint, error);
    if (in == NULL)
        return PST_TRY_AGAIN;
    in->input.operations = &input_operations;
    enum pst_status status =
        pst_link_open(&in->link, endpoint, PST_LINK_READER, settings, in->input.name, error);
    if (status != PST_OK) {
        free(in);
        return status;
    }
    *input = &in->input;
    return PST_OK;
}

/* ---- writing ---- */

static void forget_below(struct link_output *out, uint64_t at)
{
    while (out->granted < at && out->granted < out->next) {
        struct pst_payload **place = &out->kept[out->granted % out->room];
        out->kept_bytes -= pst_payload_size(*place);
        pst_payload_free(*place);
        *place = NULL;
        out->granted++;
    }
}

static enum pst_status send_kept(struct link_output *out, uint64_t at, struct pst_error *error)
{
    struct pst_link_control control = control_of(&out->link, PST_DATA, at);
    return pst_link_send(&out->link, &control, out->kept[at % out->room], error);
}

static enum pst_status send_end(struct link_output *out, struct pst_error *error)
{
    struct pst_link_control control = control_of(&out->link, PST_LINK_END, out->next);
    return pst_link_send(&out->link, &control, NULL, error);
}

/* The reader misses something: all that it has not used up goes out again, unless it just did. */
static enum pst_status send_again(struct link_output *out, struct pst_error *error)
{
    double now = pst_seconds();
    if (now - out->resent < ASK_AGAIN / 2)
        return PST_OK;
    out->resent = now;
    enum pst_status status = PST_OK;
    for (uint64_t at = out->granted; at < out->next && status == PST_OK; at++)
        status = send_kept(out, at, error);
    return status == PST_OK && out->ended ? send_end(out, error) : status;
}

/* Takes what the reader says, waiting up to so many seconds for the first. PST_OK or an error. */
static enum pst_status listen_to_reader(struct link_output *out, double seconds, struct pst_error *error)
{
    for (;;) {
        struct pst_message message;
        struct pst_link_control control;
        enum pst_status status = pst_link_receive(&out->link, seconds, &message, &control, error);
        seconds = 0;
        if (status == PST_UNAVAILABLE && out->link.failed)
            return pst_fail(error, PST_READER_LEFT, "%s: the reader has left", out->output.name);
        if (status != PST_OK)
            return status == PST_END ? PST_OK : status;
        if (control.kind == PST_DONE && out->ended)
            out->done = true;
        if (control.kind != PST_GRANT && control.kind != PST_REQUEST)
            continue;
        out->window_messages = control.messages < out->room ? control.messages : out->room;
        out->window_bytes = control.bytes;
        forget_below(out, control.at);
        if (control.kind == PST_REQUEST && control.at == out->granted)
            status = send_again(out, error);
        if (status != PST_OK)
            return status;
    }
}

static bool may_send(const struct link_output *out, size_t size)
{
    uint64_t ahead = out->next - out->granted;
    if (ahead >= out->window_messages)
        return false;
    return ahead == 0 || out->kept_bytes + size <= out->window_bytes;
}

static enum pst_status write_link(struct pst_output *output, const struct iovec *parts, size_t count,
                                  struct pst_error *error)
{
    struct link_output *out = (struct link_output *)output;
    struct pst_payload *payload = pst_payload_new(parts, count, error);
    if (payload == NULL)
        return PST_TRY_AGAIN;
    size_t size = pst_payload_size(payload);
    enum pst_status status = listen_to_reader(out, 0, error);
    while (status == PST_OK && !may_send(out, size))
        status = listen_to_reader(out, 1, error);
    if (status != PST_OK) {
        pst_payload_free(payload);
        return status;
    }
    out->kept[out->next % out->room] = payload;
    out->kept_bytes += size;
    out->next++;
    return send_kept(out, out->next - 1, error);
}

/* Says that this was all, and waits until the reader has seen it. */
static enum pst_status finish_output(struct pst_output *output, struct pst_error *error)
{
    struct link_output *out = (struct link_output *)output;
    out->ended = true;
    enum pst_status status = send_end(out, error);
    while (status == PST_OK && !out->done)
        status = listen_to_reader(out, 1, error);
    /* A reader that used everything up and went has it all; only its last word was lost. */
    bool all_used = out->granted == out->next;
    return status == PST_UNAVAILABLE && all_used ? PST_OK : status;
}

static void close_output(struct pst_output *output)
{
    struct link_output *out = (struct link_output *)output;
    struct pst_error nobody_left;
    if (!out->done && !out->link.failed &&
        say_why(&out->link, "the writer failed before the end of its stream", &nobody_left) != PST_OK)
        out->link.failed = true;
    pst_link_close(&out->link, 2);
    forget_below(out, out->next);
    free(out->kept);
    free(out);
}

static const struct pst_output_operations output_operations = {
    .write = write_link,
    .finish = finish_output,
    .close = close_output,
};

static enum pst_status open_output(struct pst_output **output, const char *endpoint,
                                   const struct pst_link_settings *settings, struct pst_error *error)
{
    enum { MOST_AHEAD = 4096 };
    struct link_output *out =
        pst_endpoint_new(sizeof *out, offsetof(struct link_output, output.name), endpoint, error);
    if (out == NULL)
        return PST_TRY_AGAIN;
    out->output.operations = &output_operations;
    out->room = MOST_AHEAD;
    out->kept = calloc(out->room, sizeof(*out->kept));
    enum pst_status status = out->kept == NULL ? pst_fail(error, PST_TRY_AGAIN, "out of memory for a link")
                                               : pst_link_open(&out->link, endpoint, PST_LINK_WRITER,
                                                               settings, out->output.name, error);
    if (status != PST_OK) {
        free(out->kept);
        free(out);
        return status;
    }
    *output = &out->output;
    return PST_OK;
}

#define ZEROMQ_TRANSPORT(prefix)                                                 \
    {                                                                            \
        .scheme = (prefix), .open_input = open_input, .open_output = open_output \
    }

const struct pst_transport pst_zeromq_transports[4] = {
    ZEROMQ_TRANSPORT("tcp://"),
    ZEROMQ_TRANSPORT("ipc://"),
    ZEROMQ_TRANSPORT("listen:tcp://"),
    ZEROMQ_TRANSPORT("listen:ipc://"),
};
