/*
 * dispatcher: a filter that has its work done by workers, which may come, go and die. Each batch is kept
 * until its answer is in, and answers are written in order, so what follows is an ordinary pipe.
 */
#include "stages/dispatcher/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct pool defaults = { .batch_timeout = 60, .no_worker_timeout = 600 };

static const struct pst_option options[] = {
    { 0, "batch-timeout", PST_DOUBLE, offsetof(struct pool, batch_timeout),
      "give a batch to another worker when its answer takes longer", .metavar = "SECONDS", .least = 0.1,
      .most = 86400, .silent = true },
    { 0, "no-worker-timeout", PST_DOUBLE, offsetof(struct pool, no_worker_timeout),
      "give up when there was no worker for so long; 0 waits for ever", .metavar = "SECONDS", .least = 0,
      .most = 31536000, .silent = true },
    { 0 },
};

/* Begins to listen before there is any input: a wrong address is an error at once, workers may
 * connect, and signals find their handlers. */
static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    (void)count;
    struct pool *pool = run->self;
    char address[256];
    bool listens = strncmp(operands[0], "listen:", 7) == 0;
    if (strlen(operands[0]) + 8 > sizeof address)
        return pst_fail(error, PST_USAGE, "%.100s…: the endpoint is too long", operands[0]);
    snprintf(address, sizeof address, "%s%s", listens ? "" : "listen:", operands[0]);
    pool->run = run;
    pool->endpoint = operands[0];
    pst_report_on_signal();
    pst_stop_on_signals();
    return pst_socket_open(&pool->socket, address, pst_link_options(run), error);
}

/* Takes all that workers have said, waiting up to so many seconds for the first. */
static enum pst_status take_messages(struct pool *pool, double seconds, struct pst_error *error)
{
    enum { AT_ONCE = 256 };
    for (int i = 0; i < AT_ONCE; i++) {
        struct pst_message message;
        struct pst_error fault = { 0 };
        enum pst_status status = pst_socket_receive(pool->socket, i == 0 ? seconds : 0,
                                                    i == 0 ? pool->window.event : -1, &message, &fault);
        if (status == PST_END)
            return PST_OK;
        if (status == PST_OK)
            status = take_message(pool, &message, &fault);
        else if (status == PST_BAD_DATA)
            status = PST_OK; /* rubbish from a stranger */
        if (status != PST_OK)
            return pst_fail(error, status, "%s", fault.message);
    }
    return PST_OK;
}

static bool oldest_is_answered(struct pool *pool, uint64_t filled)
{
    return pool->window.emptied < filled &&
           window_slot(&pool->window, pool->window.emptied)->state == SLOT_ANSWERED;
}

static enum pst_status write_oldest(struct pool *pool, struct pst_error *error)
{
    struct slot *slot = window_slot(&pool->window, pool->window.emptied);
    enum pst_status status = pst_writer_batch(pool->streams->writer, &slot->batch, error);
    if (status != PST_OK)
        return status;
    pst_progress_batch(pool->run, &slot->batch, pool->window.waited,
                       pst_writer_waited(pool->streams->writer));
    window_advance(&pool->window);
    return PST_OK;
}

/* Reading has ended, and everything that was read is written. */
static enum pst_status end_of_input(const struct pool *pool, struct pst_error *error)
{
    if (pool->window.status != PST_END)
        return pst_fail(error, pool->window.status, "%s", pool->window.error.message);
    if (!pool->has_answers)
        return pst_fail(error, PST_BAD_DATA, "the stream has no batch, so no worker could say what it adds");
    return PST_OK;
}

static enum pst_status dispatch(struct pool *pool, struct pst_error *error)
{
    for (;;) {
        bool ended;
        uint64_t filled = window_filled(&pool->window, &ended);
        if (ended && pool->window.emptied == filled)
            return end_of_input(pool, error);
        enum pst_status status = take_messages(pool, oldest_is_answered(pool, filled) ? 0 : 0.1, error);
        if (status == PST_OK)
            status = look_after(pool, error);
        if (status == PST_OK)
            status = give_out(pool, error);
        if (status == PST_OK && oldest_is_answered(pool, filled))
            status = write_oldest(pool, error);
        if (status != PST_OK)
            return status;
        report(pool, false);
    }
}

/* Workers learn how the run has ended. */
static void tell_end(struct pool *pool, enum pst_status status, const char *why)
{
    if (status == PST_OK)
        tell_all(pool, PST_POOL_END, NULL);
    else
        tell_all(pool, PST_POOL_STOP, status == PST_STOPPED ? "the dispatcher was stopped by a signal" : why);
}

static enum pst_status run_pool(struct pst_run *run, struct pst_streams *streams, struct pst_error *error)
{
    struct pool *pool = run->self;
    pool->streams = streams;
    pool->began = pool->said = pst_seconds();
    enum pst_status status = window_open(&pool->window, streams->reader, pst_link_options(run), error);
    if (status != PST_OK)
        return status;
    status = dispatch(pool, error);
    report(pool, true);
    tell_end(pool, status, error->message);
    if (!window_close(&pool->window))
        streams->reader = NULL;
    return status;
}

static void stop(struct pst_run *run)
{
    struct pool *pool = run->self;
    pst_socket_close(pool->socket, 2);
    pst_header_free(&pool->header);
    pst_header_free(&pool->answers);
    pst_batch_free(&pool->answer);
    pst_buffer_free(&pool->packed);
    for (size_t i = 0; i < pool->worker_count; i++)
        free(pool->workers[i].jobs);
    free(pool->workers);
}

int main(int argc, char **argv)
{
    return pst_main(
        argc, argv,
        &(struct pst_stage){
            .name = "dispatcher",
            .purpose = "have batches worked on by a pool of workers, wherever they run",
            .operands = "ENDPOINT",
            .least_operands = 1,
            .most_operands = 1,
            .description =
                "Listens at ENDPOINT, tcp://address:port or ipc://path, for workers (see worker(1)), "
                "which\nmay come, go and die at any time. Answers are written in order: what "
                "follows cannot tell.\nSIGUSR1 prints the state of the pool.",
            .example = "loader mnist | dispatcher tcp://127.0.0.1:5555 | temperature-softmax -T 20 "
                       ">soft.pst",
            .see_also = "worker(1), keygen(1), pipestill(1)",
            .options = options,
            .size = sizeof(struct pool),
            .defaults = &defaults,
            .traits = PST_READS | PST_WRITES,
            .start = start,
            .run_all = run_pool,
            .stop = stop,
        });
}
