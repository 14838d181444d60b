/*
 * dispatcher: a filter that gives its batches to workers, which may come, leave and be killed. It keeps each
 * batch until the answer is there, and writes answers in order, so an ordinary pipe can follow.
 */
#include "pipestill.h"

/* The stage. */
struct dispatcher {
    struct pst_pool_settings settings;
    struct pst_pool *pool;
};

static const struct dispatcher defaults = { .settings = { .batch_timeout = 60, .no_worker_timeout = 600 } };

static const struct pst_option options[] = {
    { 0, "batch-timeout", PST_DOUBLE, offsetof(struct dispatcher, settings.batch_timeout),
      "give a batch to another worker if its answer takes longer", .metavar = "SECONDS", .least = 0.1,
      .most = 86400, .silent = true },
    { 0, "no-worker-timeout", PST_DOUBLE, offsetof(struct dispatcher, settings.no_worker_timeout),
      "end with an error if there is no worker for this long; 0: wait for ever", .metavar = "SECONDS",
      .least = 0, .most = 31536000, .silent = true },
    { 0 },
};

/* Listens before there is any input, so a wrong address is an error at once, workers may connect, and
 * signals have their handlers. */
static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    (void)count;
    struct dispatcher *dispatcher = run->self;
    pst_report_on_signal();
    pst_stop_on_signals();
    return pst_pool_open(&dispatcher->pool, run, operands[0], &dispatcher->settings, error);
}

static enum pst_status dispatch(struct pst_run *run, struct pst_streams *streams, struct pst_error *error)
{
    struct dispatcher *dispatcher = run->self;
    return pst_pool_run(dispatcher->pool, streams, error);
}

static void stop(struct pst_run *run)
{
    struct dispatcher *dispatcher = run->self;
    pst_pool_close(dispatcher->pool);
}

int main(int argc, char **argv)
{
    return pst_main(
        argc, argv,
        &(struct pst_stage){
            .name = "dispatcher",
            .purpose = "let a pool of workers, on any machines, do the work of a filter",
            .operands = "ENDPOINT",
            .least_operands = 1,
            .most_operands = 1,
            .description =
                "Listens at ENDPOINT, tcp://address:port or ipc://path, for workers (see worker(1)), "
                "which\nmay join, leave and die at any time. Answers are written in order, so the "
                "output is the same\nas without a pool. SIGUSR1 prints the state of the pool.",
            .example = "loader mnist | dispatcher tcp://127.0.0.1:5555 | temperature-softmax -T 20 "
                       ">soft.pst",
            .see_also = "worker(1), keygen(1), pipestill(1)",
            .options = options,
            .size = sizeof(struct dispatcher),
            .defaults = &defaults,
            .traits = PST_READS | PST_WRITES | PST_LINKS,
            .start = start,
            .run_all = dispatch,
            .stop = stop,
        });
}
