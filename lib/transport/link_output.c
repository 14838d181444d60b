/* Writing to a link; see link.h. */
#include "lib/transport/link.h"
#include "lib/transport/socket.h"
#include "lib/transport/transport.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define MOST_RETRIES 5 /* connections in a row that may break before the same message has passed */

/* How often a message was sent and did not arrive. */
struct retries {
    uint64_t at;         /* its number */
    double since, last;  /* when it was requested again first, and last; 0: it was not */
    uint32_t connection; /* the one on which it was requested last */
    unsigned count;
};

struct link_output {
    struct pst_output output;
    struct pst_link link;
    struct pst_payload *kept[PST_MOST_AHEAD]; /* ring of what is not granted away: message m is kept[m % …];
                                                 owned */
    uint64_t granted, next; /* messages below granted are forgotten; next is the next one's number */
    size_t kept_bytes;
    uint64_t window_messages, window_bytes; /* as the reader granted; 0 before that */
    uint32_t sent_on;                       /* the connection on which all was sent again last */
    struct retries retries;
    bool ended, done;
};

static struct pst_payload **place_of(struct link_output *out, uint64_t at)
{
    return &out->kept[at % PST_MOST_AHEAD];
}

static void forget_below(struct link_output *out, uint64_t at)
{
    while (out->granted < at && out->granted < out->next) {
        struct pst_payload **place = place_of(out, out->granted);
        out->kept_bytes -= pst_payload_size(*place);
        pst_payload_free(*place);
        *place = NULL;
        out->granted++;
    }
}

static enum pst_status send_kept(struct link_output *out, uint64_t at, struct pst_error *error)
{
    struct pst_link_control control = pst_link_control(&out->link, PST_DATA, at);
    return pst_link_send(&out->link, &control, *place_of(out, at), error);
}

static enum pst_status send_end(struct link_output *out, struct pst_error *error)
{
    struct pst_link_control control = pst_link_control(&out->link, PST_LINK_END, out->next);
    return pst_link_send(&out->link, &control, NULL, error);
}

/* Whether the connection of a request is the present one, and nothing was sent again on it yet. */
static bool is_fresh(const struct link_output *out, uint32_t connection)
{
    return connection == out->link.connection && connection != out->sent_on;
}

/*
 * Sends again all that the reader has not used up, because the connection is new. Once for each connection is
 * enough; for a connection that is gone, it would only delay other messages.
 */
static enum pst_status send_again(struct link_output *out, uint32_t connection, struct pst_error *error)
{
    if (!is_fresh(out, connection) && connection != PST_ANY_CONNECTION)
        return PST_OK;
    out->sent_on = out->link.connection;
    enum pst_status status = PST_OK;
    for (uint64_t at = out->granted; at < out->next && status == PST_OK; at++)
        status = send_kept(out, at, error);
    return status == PST_OK && out->ended ? send_end(out, error) : status;
}

/*
 * The reader requests the first message that is kept, so it waits for nothing else. If connection after
 * connection breaks before this message has passed, it is too large for the line: heartbeats wait behind it
 * and are taken for lost. Connections that break within patience / 16 count as one, because a writer that
 * computed meanwhile gets all requests at once.
 * fresh: nothing was sent on this connection yet, so the reason to end does not wait behind the message.
 */
static enum pst_status count_retry(struct link_output *out, bool fresh, struct pst_error *error)
{
    struct retries *retries = &out->retries;
    double now = pst_seconds(), patience = out->link.settings.peer_timeout;
    bool nothing_to_send = out->granted == out->next;
    if (nothing_to_send || retries->since == 0 || retries->at != out->granted) {
        *retries = (struct retries){ .at = out->granted,
                                     .since = nothing_to_send ? 0 : now,
                                     .last = now,
                                     .connection = out->link.connection };
        return PST_OK;
    }
    if (out->link.connection != retries->connection && now - retries->last >= patience / 16) {
        retries->connection = out->link.connection;
        retries->last = now;
        retries->count++;
    }
    if (!fresh || retries->count < MOST_RETRIES || now - retries->since < 2 * patience)
        return PST_OK;
    return pst_fail(
        error, PST_UNAVAILABLE,
        "%s: a message of %zu bytes does not get through: %u connections in a row broke before it had "
        "passed; make batches smaller, or --peer-timeout (%g) larger on both sides",
        out->output.name, pst_payload_size(*place_of(out, out->granted)), retries->count, patience);
}

/* Takes one message of the reader's. */
static enum pst_status obey_reader(struct link_output *out, const struct pst_link_control *control,
                                   struct pst_error *error)
{
    if (control->kind == PST_DONE && out->ended)
        out->done = true;
    if (control->kind != PST_GRANT && control->kind != PST_REQUEST)
        return PST_OK;
    out->window_messages = control->messages < PST_MOST_AHEAD ? control->messages : PST_MOST_AHEAD;
    out->window_bytes = control->bytes;
    forget_below(out, control->at);
    if (control->kind != PST_REQUEST)
        return PST_OK;
    enum pst_status status = count_retry(out, is_fresh(out, control->connection), error);
    return status == PST_OK ? send_again(out, control->connection, error) : status;
}

/* Takes the reader's messages. Waits up to so many seconds for the first. PST_OK or an error. */
static enum pst_status listen_to_reader(struct link_output *out, double seconds, struct pst_error *error)
{
    for (;;) {
        struct pst_message message;
        struct pst_link_control control;
        enum pst_status status = pst_link_receive(&out->link, seconds, &message, &control, error);
        if (status == PST_UNAVAILABLE && out->link.failed)
            return error->status = PST_READER_LEFT;
        if (status == PST_OK)
            status = obey_reader(out, &control, error);
        if (status != PST_OK)
            return status == PST_END ? PST_OK : status;
        seconds = 0;
    }
}

static bool may_send(const struct link_output *out, size_t size)
{
    uint64_t ahead = out->next - out->granted;
    if (ahead >= out->window_messages)
        return false;
    return ahead == 0 || (out->kept_bytes < out->window_bytes && size <= out->window_bytes - out->kept_bytes);
}

/* Waits until the window has room for so many bytes. */
static enum pst_status await_room(struct link_output *out, size_t size, struct pst_error *error)
{
    enum pst_status status = listen_to_reader(out, 0, error);
    while (status == PST_OK && !may_send(out, size))
        status = listen_to_reader(out, 1, error);
    if (status == PST_OK && size > PST_MESSAGE_EXTRA && size - PST_MESSAGE_EXTRA > out->link.peer_most)
        return pst_fail(error, PST_BAD_DATA,
                        "%s: a message of %zu bytes, but the reader takes %llu at most (its --max-message)",
                        out->output.name, size, (unsigned long long)out->link.peer_most);
    return status;
}

static enum pst_status write_link(struct pst_output *output, const struct iovec *parts, size_t count,
                                  struct pst_error *error)
{
    struct link_output *out = (struct link_output *)output;
    struct pst_payload *payload = pst_payload_new(parts, count, error);
    if (payload == NULL)
        return PST_TRY_AGAIN;
    size_t size = pst_payload_size(payload);
    enum pst_status status = await_room(out, size, error);
    if (status != PST_OK) {
        pst_payload_free(payload);
        return status;
    }
    *place_of(out, out->next) = payload;
    out->kept_bytes += size;
    out->next++;
    return send_kept(out, out->next - 1, error);
}

/* Sends END, and waits until the reader has sent DONE. */
static enum pst_status finish_output(struct pst_output *output, struct pst_error *error)
{
    struct link_output *out = (struct link_output *)output;
    out->ended = true;
    enum pst_status status = send_end(out, error);
    while (status == PST_OK && !out->done)
        status = listen_to_reader(out, 1, error);
    if (status == PST_OK) {
        struct pst_link_control bye = pst_link_control(&out->link, PST_BYE, out->next);
        return pst_link_send(&out->link, &bye, NULL, error);
    }
    /* A reader that used everything up and went has all messages; only its DONE was lost. */
    return status == PST_UNAVAILABLE && out->granted == out->next ? PST_OK : status;
}

static void close_output(struct pst_output *output)
{
    struct link_output *out = (struct link_output *)output;
    if (!out->done)
        pst_link_fail(&out->link, "the writer failed before the end of its stream");
    pst_link_close(&out->link);
    forget_below(out, out->next);
    free(out);
}

static const struct pst_output_operations output_operations = {
    .write = write_link,
    .finish = finish_output,
    .close = close_output,
};

enum pst_status pst_link_output_open(struct pst_output **output, const char *endpoint,
                                     const struct pst_link_settings *settings, struct pst_error *error)
{
    struct link_output *out =
        pst_endpoint_new(sizeof *out, offsetof(struct link_output, output.name), endpoint, error);
    if (out == NULL)
        return PST_TRY_AGAIN;
    out->output.operations = &output_operations;
    enum pst_status status =
        pst_link_open(&out->link, endpoint, PST_LINK_WRITER, settings, out->output.name, error);
    if (status != PST_OK) {
        free(out);
        return status;
    }
    *output = &out->output;
    return PST_OK;
}
