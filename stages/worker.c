/*
 * worker: has a command do the jobs that a dispatcher gives out. It may be started, stopped and killed at any
 * time: what it had is given to another.
 */
#include "lib/transport/pool.h"
#include "stages/worker/command.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PING_EVERY 1.0 /* seconds */

static size_t ahead = 3;
static double patience = 600;
static bool stay;
static const char *endpoint;

static struct {
    struct pst_socket *socket;
    struct command command;
    struct pst_batch incoming;
    uint64_t session, connections; /* the session, and which connection it began on; 0 before the first */
    double greeted, pinged;
    const char *refusal; /* that was told last */
    uint64_t answered, failed;
    bool done;
} worker;

static const struct pst_option options[] = {
    { .name = "ahead",
      .type = PST_SIZE,
      .target = &ahead,
      .least = 1,
      .most = 1024,
      .help = "jobs to take at once, so that the next one is here when one is done" },
    { .name = "patience",
      .type = PST_DOUBLE,
      .target = &patience,
      .metavar = "SECONDS",
      .least = 0,
      .most = 31536000,
      .help = "give up when the dispatcher was away for so long; 0 waits for ever" },
    { .name = "stay",
      .type = PST_FLAG,
      .target = &stay,
      .help = "when a run is over, wait for the next dispatcher at the same endpoint" },
    { 0 },
};

static enum pst_status start(size_t count, char **operands, struct pst_error *error)
{
    (void)count;
    endpoint = operands[0];
    if (strncmp(endpoint, "listen:", 7) == 0)
        return pst_fail(error, PST_USAGE, "%s: the dispatcher listens, a worker connects", endpoint);
    return command_new(&worker.command, operands + 1, ahead, error);
}

/* ---- to the dispatcher ---- */

static enum pst_status send(enum pst_pool_kind kind, uint64_t seq, const void *bytes, size_t size,
                            struct pst_error *error)
{
    struct pst_pool_control control = { .kind = (uint8_t)kind, .session = worker.session, .seq = seq };
    return pst_pool_send(worker.socket, NULL, &control, bytes, size, error);
}

static enum pst_status send_answer(const struct task *task, struct pst_error *error)
{
    struct pst_pool_control control = {
        .kind = PST_POOL_ANSWER, .session = worker.session, .seq = task->seq, .check = task->check
    };
    return pst_pool_send(worker.socket, NULL, &control, task->answer.data, task->answer_size, error);
}

/* Ends the command at once, and with it all jobs. */
static void forget_jobs(void)
{
    char why[512];
    command_stop(&worker.command, false, why, sizeof why);
    while (command_give_up(&worker.command) != NULL)
        continue;
}

static enum pst_status greet(struct pst_error *error)
{
    char host[64] = "?", name[96];
    gethostname(host, sizeof host - 1);
    snprintf(name, sizeof name, "%s:%ld", host, (long)getpid());
    forget_jobs();
    worker.session++;
    worker.greeted = worker.pinged = pst_seconds();
    return send(PST_POOL_READY, ahead, name, strlen(name), error);
}

/* Greets on every new connection, and gives up when there was none for too long. */
static enum pst_status look_after_connection(struct pst_error *error)
{
    double now = pst_seconds(), cut = pst_socket_cut_for(worker.socket);
    uint64_t connections = pst_socket_connections(worker.socket);
    const char *refusal = pst_socket_refusal(worker.socket);
    if (refusal != NULL && refusal != worker.refusal)
        pst_say("%s: %s", endpoint, refusal);
    worker.refusal = refusal;
    if (patience > 0 && cut > patience)
        return pst_fail(error, PST_UNAVAILABLE, "%s: %s for %.0f s (--patience)", endpoint,
                        refusal != NULL ? refusal : "no dispatcher", patience);
    if (cut > 0)
        return PST_OK;
    if (connections != worker.connections) {
        worker.connections = connections;
        return greet(error);
    }
    if (now - worker.pinged < PING_EVERY)
        return PST_OK;
    worker.pinged = now;
    return send(PST_POOL_PING, 0, NULL, 0, error);
}

static enum pst_status send_answers(struct pst_error *error)
{
    struct task *task;
    enum pst_status status = PST_OK;
    while (status == PST_OK && (task = command_answer(&worker.command)) != NULL) {
        status = send_answer(task, error);
        command_took(&worker.command);
        worker.answered++;
    }
    return status;
}

/* The command has ended though there may be jobs left: the oldest one is to blame, the others go back. */
static enum pst_status report_failure(struct pst_error *error)
{
    char why[512];
    command_stop(&worker.command, false, why, sizeof why);
    enum pst_status status = send_answers(error); /* the last ones may only just have come */
    struct task *task = command_give_up(&worker.command);
    if (task == NULL)
        pst_say("between two jobs: %s", why);
    if (status == PST_OK && task != NULL) {
        pst_say("batch %llu failed: %s", (unsigned long long)task->seq, why);
        worker.failed++;
        status = send(PST_POOL_FAILED, task->seq, why, strlen(why), error);
    }
    while (status == PST_OK && (task = command_give_up(&worker.command)) != NULL)
        status = send(PST_POOL_RETURNED, task->seq, NULL, 0, error);
    return status;
}

/* ---- from the dispatcher ---- */

static enum pst_status take_job(const struct pst_message *message, uint64_t seq, struct pst_error *error)
{
    struct command *command = &worker.command;
    struct pst_error fault = { 0 };
    struct pst_header header;
    if (command_is_full(command))
        return send(PST_POOL_RETURNED, seq, NULL, 0, error);
    enum pst_status status =
        pst_parcel_open(message->payload, message->payload_size, pst_link_options()->max_message, &header,
                        &worker.incoming, &fault);
    if (status == PST_OK && command->running && strcmp(command->header.run, header.run) != 0)
        forget_jobs();
    if (status == PST_OK && !command->running)
        status = command_start(command, &header, &fault);
    pst_header_free(&header);
    if (status != PST_OK) {
        pst_say("batch %llu: %s", (unsigned long long)seq, fault.message);
        worker.failed++;
        return send(PST_POOL_FAILED, seq, fault.message, strlen(fault.message), error);
    }
    command_put(command, &worker.incoming);
    return PST_OK;
}

/* The run is over, and went well. */
static void end_run(void)
{
    char why[512];
    if (command_stop(&worker.command, true, why, sizeof why) != 0)
        pst_say("after the last job: %s", why);
    worker.done = !stay;
}

static enum pst_status take_message(const struct pst_message *message, struct pst_error *error)
{
    struct pst_pool_control control;
    char text[400];
    enum pst_status status = pst_pool_parse(message, &control, error);
    if (status != PST_OK)
        return pst_fail(error, PST_UNAVAILABLE, "%s: no dispatcher for this worker", endpoint);
    pst_pool_text(message, text, sizeof text);
    switch (control.kind) {
    case PST_POOL_JOB:
        return control.session == worker.session ? take_job(message, control.seq, error) : PST_OK;
    case PST_POOL_WHO: /* several may be on their way */
        return pst_seconds() - worker.greeted > PING_EVERY / 2 ? greet(error) : PST_OK;
    case PST_POOL_END:
        end_run();
        return PST_OK;
    case PST_POOL_STOP:
        forget_jobs();
        return stay ? PST_OK : pst_fail(error, PST_UNAVAILABLE, "the run has failed: %s", text);
    case PST_POOL_REFUSE:
        return pst_fail(error, PST_UNAVAILABLE, "%s: this worker %s", endpoint, text);
    default:
        return PST_OK;
    }
}

static enum pst_status turn(struct pst_error *error)
{
    struct pst_message message;
    struct pst_error fault = { 0 };
    double wait = pst_socket_cut_for(worker.socket) > 0 ? 0.05 : 0.25;
    enum pst_status status = pst_socket_receive(worker.socket, wait, worker.command.event, &message, &fault);
    if (status == PST_OK)
        status = take_message(&message, &fault);
    if (status == PST_OK || status == PST_END || status == PST_BAD_DATA)
        status = send_answers(&fault);
    if (status == PST_OK && command_has_ended(&worker.command))
        status = report_failure(&fault);
    if (status == PST_OK && !worker.done)
        status = look_after_connection(&fault);
    if (status == PST_OK && pst_stop_signal() != 0)
        status = pst_fail(&fault, PST_STOPPED, "stopped by a signal");
    return status == PST_OK ? PST_OK : pst_fail(error, status, "%s", fault.message);
}

static enum pst_status run(struct pst_error *error)
{
    pst_stop_on_signals();
    enum pst_status status = pst_socket_open(&worker.socket, endpoint, pst_link_options(), error);
    while (status == PST_OK && !worker.done)
        status = turn(error);
    return status;
}

static void stop(void)
{
    if (worker.command.arguments != NULL)
        command_free(&worker.command);
    pst_batch_free(&worker.incoming);
    pst_socket_close(worker.socket, 0.1);
}

int main(int argc, char **argv)
{
    return pst_tool_main(
        argc, argv,
        &(struct pst_tool){
            .stage = { .name = "worker",
                       .purpose = "have a command do the jobs that a dispatcher gives out",
                       .operands = "ENDPOINT -- COMMAND [ARGUMENT ...]",
                       .least_operands = 2,
                       .most_operands = SIZE_MAX,
                       .description =
                           "COMMAND is a filter that adds tensors to the batches of a stream; a pipeline is\n"
                           "sh -c '...'. The worker may be started, stopped and killed at any time.",
                       .options = options,
                       .example = "worker tcp://head:5555 -- sh -c 'teacher-forward a.safetensors | "
                                  "teacher-forward b.safetensors'",
                       .see_also = "dispatcher(1), keygen(1), pipestill(1)",
                       .start = start,
                       .stop = stop },
            .links = true,
            .run = run });
}
