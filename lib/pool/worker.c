/* A worker: takes jobs from a dispatcher, has its command do them, and sends the answers. */
#include "lib/pool/command.h"
#include "lib/pool/protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PING_EVERY 1.0 /* seconds */

struct pst_worker {
    const struct pst_worker_settings *settings;
    const char *endpoint;
    struct pst_run *run;
    struct pst_socket *socket;
    struct command command;
    struct pst_batch incoming;
    uint64_t session, connections; /* the session, and which connection it began on; 0 before the first */
    double greeted, pinged;
    const char *refusal; /* the one that was reported last */
    uint64_t answered, failed;
    bool done;
};

enum pst_status pst_worker_open(struct pst_worker **worker, struct pst_run *run, const char *endpoint,
                                char **command, const struct pst_worker_settings *settings,
                                struct pst_error *error)
{
    if (strncmp(endpoint, "listen:", 7) == 0)
        return pst_fail(error, PST_USAGE, "%s: the dispatcher listens, a worker connects", endpoint);
    *worker = calloc(1, sizeof **worker);
    if (*worker == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a worker");
    (*worker)->run = run;
    (*worker)->endpoint = endpoint;
    (*worker)->settings = settings;
    return pst_command_new(&(*worker)->command, run, command, settings->ahead, error);
}

/* ---- to the dispatcher ---- */

static enum pst_status send(struct pst_worker *worker, enum pst_pool_kind kind, uint64_t seq,
                            const void *bytes, size_t size, struct pst_error *error)
{
    struct pst_pool_control control = { .kind = (uint8_t)kind, .session = worker->session, .seq = seq };
    return pst_pool_send(worker->socket, NULL, &control, bytes, size, error);
}

static enum pst_status send_answer(struct pst_worker *worker, const struct task *task,
                                   struct pst_error *error)
{
    struct pst_pool_control control = {
        .kind = PST_POOL_ANSWER, .session = worker->session, .seq = task->seq, .check = task->check
    };
    return pst_pool_send(worker->socket, NULL, &control, task->answer.data, task->answer_size, error);
}

/* Ends the command at once, and with it all jobs. */
static void forget_jobs(struct pst_worker *worker)
{
    char why[512];
    pst_command_stop(&worker->command, false, why, sizeof why);
    while (pst_command_give_up(&worker->command) != NULL)
        continue;
}

static enum pst_status greet(struct pst_worker *worker, struct pst_error *error)
{
    char host[64] = "?", name[96];
    gethostname(host, sizeof host - 1);
    snprintf(name, sizeof name, "%s:%ld", host, (long)getpid());
    forget_jobs(worker);
    worker->session++;
    worker->greeted = worker->pinged = pst_seconds();
    return send(worker, PST_POOL_READY, worker->settings->ahead, name, strlen(name), error);
}

/* Greets on every new connection, and gives up if there was none for too long. */
static enum pst_status look_after_connection(struct pst_worker *worker, struct pst_error *error)
{
    double now = pst_seconds(), cut = pst_socket_cut_for(worker->socket);
    uint64_t connections = pst_socket_connections(worker->socket);
    const char *refusal = pst_socket_refusal(worker->socket);
    if (refusal != NULL && refusal != worker->refusal)
        pst_say(worker->run, "%s: %s", worker->endpoint, refusal);
    worker->refusal = refusal;
    if (worker->settings->patience > 0 && cut > worker->settings->patience)
        return pst_fail(error, PST_UNAVAILABLE, "%s: %s for %.0f s (--patience)", worker->endpoint,
                        refusal != NULL ? refusal : "no dispatcher", worker->settings->patience);
    if (cut > 0)
        return PST_OK;
    if (connections != worker->connections) {
        worker->connections = connections;
        return greet(worker, error);
    }
    if (now - worker->pinged < PING_EVERY)
        return PST_OK;
    worker->pinged = now;
    return send(worker, PST_POOL_PING, 0, NULL, 0, error);
}

static enum pst_status send_answers(struct pst_worker *worker, struct pst_error *error)
{
    struct task *task;
    enum pst_status status = PST_OK;
    while (status == PST_OK && (task = pst_command_answer(&worker->command)) != NULL) {
        status = send_answer(worker, task, error);
        pst_command_took(&worker->command);
        worker->answered++;
    }
    return status;
}

/* The command has ended though there may be jobs left: the oldest one is to blame, the others go back. */
static enum pst_status report_failure(struct pst_worker *worker, struct pst_error *error)
{
    char why[512];
    pst_command_stop(&worker->command, false, why, sizeof why);
    enum pst_status status = send_answers(worker, error); /* the last ones may only just have come */
    struct task *task = pst_command_give_up(&worker->command);
    if (task == NULL)
        pst_say(worker->run, "between two jobs: %s", why);
    if (status == PST_OK && task != NULL) {
        pst_say(worker->run, "batch %llu failed: %s", (unsigned long long)task->seq, why);
        worker->failed++;
        status = send(worker, PST_POOL_FAILED, task->seq, why, strlen(why), error);
    }
    while (status == PST_OK && (task = pst_command_give_up(&worker->command)) != NULL)
        status = send(worker, PST_POOL_RETURNED, task->seq, NULL, 0, error);
    return status;
}

/* ---- from the dispatcher ---- */

static enum pst_status take_job(struct pst_worker *worker, const struct pst_message *message, uint64_t seq,
                                struct pst_error *error)
{
    struct command *command = &worker->command;
    struct pst_error fault = { 0 };
    struct pst_header header;
    if (pst_command_is_full(command))
        return send(worker, PST_POOL_RETURNED, seq, NULL, 0, error);
    enum pst_status status =
        pst_parcel_open(message->payload, message->payload_size, pst_link_options(worker->run)->max_message,
                        &header, &worker->incoming, &fault);
    if (status == PST_OK && command->running && strcmp(command->header.run, header.run) != 0)
        forget_jobs(worker);
    if (status == PST_OK && !command->running)
        status = pst_command_start(command, &header, &fault);
    pst_header_free(&header);
    if (status != PST_OK) {
        pst_say(worker->run, "batch %llu: %s", (unsigned long long)seq, fault.message);
        worker->failed++;
        return send(worker, PST_POOL_FAILED, seq, fault.message, strlen(fault.message), error);
    }
    pst_command_put(command, &worker->incoming);
    return PST_OK;
}

/* The run is over, and went well. */
static void end_run(struct pst_worker *worker)
{
    char why[512];
    if (pst_command_stop(&worker->command, true, why, sizeof why) != 0)
        pst_say(worker->run, "after the last job: %s", why);
    worker->done = !worker->settings->stay;
}

static enum pst_status take_message(struct pst_worker *worker, const struct pst_message *message,
                                    struct pst_error *error)
{
    struct pst_pool_control control;
    char text[400];
    enum pst_status status = pst_pool_parse(message, &control, error);
    if (status != PST_OK)
        return pst_fail(error, PST_UNAVAILABLE, "%s: no dispatcher for this worker", worker->endpoint);
    pst_pool_text(message, text, sizeof text);
    switch (control.kind) {
    case PST_POOL_JOB:
        return control.session == worker->session ? take_job(worker, message, control.seq, error) : PST_OK;
    case PST_POOL_WHO: /* several may be on their way */
        return pst_seconds() - worker->greeted > PING_EVERY / 2 ? greet(worker, error) : PST_OK;
    case PST_POOL_END:
        end_run(worker);
        return PST_OK;
    case PST_POOL_STOP:
        forget_jobs(worker);
        return worker->settings->stay ? PST_OK
                                      : pst_fail(error, PST_UNAVAILABLE, "the run has failed: %s", text);
    case PST_POOL_REFUSE:
        return pst_fail(error, PST_UNAVAILABLE, "%s: this worker %s", worker->endpoint, text);
    default:
        return PST_OK;
    }
}

static enum pst_status turn(struct pst_worker *worker, struct pst_error *error)
{
    struct pst_message message;
    struct pst_error fault = { 0 };
    double wait = pst_socket_cut_for(worker->socket) > 0 ? 0.05 : 0.25;
    enum pst_status status =
        pst_socket_receive(worker->socket, wait, worker->command.event, &message, &fault);
    if (status == PST_OK)
        status = take_message(worker, &message, &fault);
    if (status == PST_OK || status == PST_END || status == PST_BAD_DATA)
        status = send_answers(worker, &fault);
    if (status == PST_OK && pst_command_has_ended(&worker->command))
        status = report_failure(worker, &fault);
    if (status == PST_OK && !worker->done)
        status = look_after_connection(worker, &fault);
    if (status == PST_OK && pst_stop_signal() != 0)
        status = pst_fail(&fault, PST_STOPPED, "stopped by a signal");
    return status == PST_OK ? PST_OK : pst_fail(error, status, "%s", fault.message);
}

enum pst_status pst_worker_run(struct pst_worker *worker, struct pst_error *error)
{
    enum pst_status status =
        pst_socket_open(&worker->socket, worker->endpoint, pst_link_options(worker->run), error);
    while (status == PST_OK && !worker->done)
        status = turn(worker, error);
    return status;
}

void pst_worker_close(struct pst_worker *worker)
{
    if (worker == NULL)
        return;
    pst_command_free(&worker->command);
    pst_batch_free(&worker->incoming);
    pst_socket_close(worker->socket, 0.1);
    free(worker);
}
