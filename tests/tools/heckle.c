/* heckle: connects to a link or to a dispatcher, with valid keys, and sends what no peer should send. */
#include "lib/pool/protocol.h"
#include "lib/transport/link.h"
#include "pipestill.h"

#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

/* A name with control characters: C0, C1 in UTF-8, C1 alone, half a letter. */
#define PAINTED                                    \
    "heck\033[2J\ndispatcher: all is well\xc2\x9b" \
    "1m\x9b"                                       \
    "1m\xc3"

struct heckler {
    double seconds;
    const char *endpoint, *what, *file;
    struct pst_socket *socket;
};

static const struct heckler defaults = { .seconds = 3 };

static const struct pst_option options[] = {
    { 0, "seconds", PST_DOUBLE, offsetof(struct heckler, seconds), "how long to go on", .least = 0,
      .most = 600 },
    { 0 },
};

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    (void)error;
    struct heckler *heckler = run->self;
    heckler->endpoint = operands[0];
    heckler->what = operands[1];
    heckler->file = count > 2 ? operands[2] : NULL;
    return PST_OK;
}

/* Sends a control frame of any size, with a payload or without. */
static enum pst_status say(const struct heckler *heckler, const void *control, size_t size, const char *text,
                           struct pst_error *error)
{
    struct iovec part = { .iov_base = (void *)(uintptr_t)text, .iov_len = text == NULL ? 0 : strlen(text) };
    struct pst_payload *payload = text == NULL ? NULL : pst_payload_new(&part, 1, error);
    enum pst_status status = pst_socket_send(heckler->socket, NULL, control, size, payload, error);
    pst_payload_free(payload);
    return status;
}

/* Frames of every size, and well-formed ones of every kind, known or not, at the wrong time and with numbers
 * out of range. */
static enum pst_status talk_nonsense(const struct heckler *heckler, struct pst_error *error)
{
    uint8_t bytes[PST_CONTROL_SIZE];
    enum pst_status status = PST_OK;
    memset(bytes, 0x5a, sizeof bytes);
    for (size_t size = 1; size <= sizeof bytes && status == PST_OK; size++)
        status = say(heckler, bytes, size, size % 2 == 0 ? "nonsense" : NULL, error);
    for (int kind = 255; kind >= 0 && status == PST_OK; kind--) {
        struct pst_pool_control pool = {
            .kind = (uint8_t)kind, .session = 1, .seq = UINT64_MAX - (uint64_t)kind, .check = 1
        };
        struct pst_link_control link = { .version = PST_LINK_VERSION,
                                         .kind = (uint8_t)kind,
                                         .role = (uint8_t)(kind % 4),
                                         .at = UINT64_MAX / 2,
                                         .messages = UINT64_MAX,
                                         .bytes = UINT64_MAX };
        status = pst_pool_send(heckler->socket, NULL, &pool, "nonsense", 8, error);
        if (status == PST_OK)
            status = say(heckler, &link, sizeof link, kind % 2 == 0 ? "nonsense" : NULL, error);
    }
    return status;
}

static enum pst_status ready(const struct heckler *heckler, struct pst_error *error)
{
    struct pst_pool_control control = { .kind = PST_POOL_READY, .session = 1, .seq = 3 };
    if (strcmp(heckler->what, "greed") == 0)
        control.seq = UINT64_MAX - 2;
    const char *name = strcmp(heckler->what, "paints") == 0 ? PAINTED : "heckler";
    return pst_pool_send(heckler->socket, NULL, &control, name, strlen(name), error);
}

/* Greets as a worker of the next version. */
static enum pst_status speak_of_tomorrow(const struct heckler *heckler, struct pst_error *error)
{
    struct pst_pool_control control = { .magic = "PSTP", .version = PST_POOL_VERSION + 1, .kind = 1 };
    return say(heckler, &control, sizeof control, "heckler", error);
}

/* Answers a job as if it were another run's; late-run: in an earlier session; wrong-check: as this run's, but
 * with the check of another batch. */
static enum pst_status answer_wrongly(const struct pst_run *run, const struct pst_message *message,
                                      const struct pst_pool_control *job, struct pst_error *error)
{
    const struct heckler *heckler = run->self;
    struct pst_header header;
    struct pst_batch batch = { 0 };
    struct pst_buffer packed = { 0 };
    struct pst_pool_control control = { .kind = PST_POOL_ANSWER, .seq = job->seq };
    control.session = strcmp(heckler->what, "late-run") == 0 ? 0 : job->session;
    size_t size;
    enum pst_status status = pst_parcel_open(message->payload, message->payload_size,
                                             pst_link_options(run)->max_message, &header, &batch, error);
    if (status != PST_OK)
        return status;
    bool wrong_check = strcmp(heckler->what, "wrong-check") == 0;
    if (!wrong_check)
        header.run[0] = header.run[0] == '0' ? '1' : '0';
    snprintf(header.tensors[0].name, sizeof header.tensors[0].name, "logits/t");
    header.tensor_count = 1;
    control.check = pst_batch_check(&batch, batch.tensor_count) + wrong_check;
    size_t all = batch.tensor_count;
    batch.tensor_count = 1;
    status = pst_parcel_pack(&header, &batch, &packed, &size, error);
    batch.tensor_count = all;
    if (status == PST_OK)
        status = pst_pool_send(heckler->socket, NULL, &control, packed.data, size, error);
    pst_buffer_free(&packed);
    pst_batch_free(&batch);
    pst_header_free(&header);
    return status;
}

/* Reports a job as failed three times. */
static enum pst_status fail_thrice(const struct heckler *heckler, const struct pst_pool_control *job,
                                   struct pst_error *error)
{
    struct pst_pool_control control = { .kind = PST_POOL_FAILED, .session = job->session, .seq = job->seq };
    enum pst_status status = PST_OK;
    for (int i = 0; i < 3 && status == PST_OK; i++)
        status = pst_pool_send(heckler->socket, NULL, &control, "I do not like it", 16, error);
    return status;
}

/* Reports a job as not tried. */
static enum pst_status give_back(const struct heckler *heckler, const struct pst_pool_control *job,
                                 struct pst_error *error)
{
    struct pst_pool_control control = { .kind = PST_POOL_RETURNED, .session = job->session, .seq = job->seq };
    return pst_pool_send(heckler->socket, NULL, &control, NULL, 0, error);
}

/* As a link's writer: sends a recording in small pieces, and does not wait for credit. */
static enum pst_status flood(const struct heckler *heckler, struct pst_error *error)
{
    struct pst_link_control control = { .version = PST_LINK_VERSION, .role = PST_LINK_WRITER };
    FILE *file = fopen(heckler->file, "rb");
    if (file == NULL)
        return pst_fail(error, PST_NO_INPUT, "%s: cannot be opened", heckler->file);
    static char piece[1 << 16];
    size_t got;
    enum pst_status status = PST_OK;
    control.kind = PST_DATA;
    while (status == PST_OK && (got = fread(piece, 1, sizeof piece, file)) > 0) {
        struct iovec part = { .iov_base = piece, .iov_len = got };
        struct pst_payload *payload = pst_payload_new(&part, 1, error);
        status = payload == NULL
                     ? PST_TRY_AGAIN
                     : pst_socket_send(heckler->socket, NULL, &control, sizeof control, payload, error);
        pst_payload_free(payload);
        control.at++;
    }
    fclose(file);
    return status;
}

/* Takes messages of a link's reader, and prints why it ends. */
static enum pst_status hear_reader(const struct pst_run *run, const struct pst_message *message,
                                   struct pst_error *error)
{
    const struct heckler *heckler = run->self;
    struct pst_link_control control;
    if (message->control_size != sizeof control)
        return PST_OK;
    memcpy(&control, message->control, sizeof control);
    if (control.kind == PST_FAIL)
        printf("failed: %.*s\n", (int)message->payload_size, (const char *)message->payload);
    return control.kind == PST_REQUEST ? flood(heckler, error) : PST_OK;
}

/* Greets as a link's writer. */
static enum pst_status greet_reader(const struct heckler *heckler, struct pst_error *error)
{
    struct pst_link_control control = { .version = PST_LINK_VERSION,
                                        .kind = PST_HELLO,
                                        .role = PST_LINK_WRITER,
                                        .connection = 1,
                                        .messages = 1 };
    return say(heckler, &control, sizeof control, NULL, error);
}

/* Takes the messages that come, and prints refusals. */
static enum pst_status hear(const struct pst_run *run, const struct pst_message *message,
                            struct pst_error *error)
{
    const struct heckler *heckler = run->self;
    struct pst_pool_control control;
    char text[400];
    if (strcmp(heckler->what, "flood") == 0)
        return hear_reader(run, message, error);
    if (pst_pool_parse(message, &control, NULL) != PST_OK)
        return PST_OK; /* a message of a link */
    pst_pool_text(message, text, sizeof text);
    if (control.kind == PST_POOL_REFUSE)
        printf("refused: %s\n", text);
    if (control.kind == PST_POOL_JOB && strcmp(heckler->what, "fails") == 0)
        return fail_thrice(heckler, &control, error);
    if (control.kind == PST_POOL_JOB && strcmp(heckler->what, "returns") == 0)
        return give_back(heckler, &control, error);
    if (control.kind == PST_POOL_JOB && strcmp(heckler->what, "greets") == 0)
        return ready(heckler, error);
    if (control.kind == PST_POOL_JOB && strcmp(heckler->what, "silence") != 0 &&
        strcmp(heckler->what, "paints") != 0 && strcmp(heckler->what, "greed") != 0)
        return answer_wrongly(run, message, &control, error);
    return PST_OK;
}

static enum pst_status heckle(struct pst_run *run, struct pst_streams *streams, struct pst_error *error)
{
    (void)streams;
    struct heckler *heckler = run->self;
    double until = pst_seconds() + heckler->seconds;
    enum pst_status status =
        pst_socket_open(&heckler->socket, heckler->endpoint, pst_link_options(run), error);
    if (status == PST_OK)
        status = strcmp(heckler->what, "nonsense") == 0       ? talk_nonsense(heckler, error)
                 : strcmp(heckler->what, "next-version") == 0 ? speak_of_tomorrow(heckler, error)
                 : strcmp(heckler->what, "flood") == 0        ? greet_reader(heckler, error)
                                                              : ready(heckler, error);
    while (status == PST_OK && pst_seconds() < until) {
        struct pst_message message;
        status = pst_socket_receive(heckler->socket, 0.1, -1, &message, error);
        if (status == PST_OK)
            status = hear(run, &message, error);
        else if (status == PST_END)
            status = PST_OK;
    }
    return status;
}

static void stop(struct pst_run *run)
{
    const struct heckler *heckler = run->self;
    fflush(stdout);
    pst_socket_close(heckler->socket, 1);
}

int main(int argc, char **argv)
{
    return pst_main(argc, argv,
                    &(struct pst_stage){ .name = "heckle",
                                         .purpose = "say what no peer should",
                                         .operands = "ENDPOINT WHAT [FILE]",
                                         .least_operands = 2,
                                         .most_operands = 3,
                                         .options = options,
                                         .size = sizeof(struct heckler),
                                         .defaults = &defaults,
                                         .traits = PST_LINKS,
                                         .start = start,
                                         .run_all = heckle,
                                         .stop = stop });
}
