/*
 * worker: runs a command that does the jobs of a dispatcher. It may be started, stopped and killed at any
 * time: the dispatcher then gives its batches to another worker.
 */
#include "pipestill.h"

/* The stage. */
struct worker {
    struct pst_worker_settings settings;
    struct pst_worker *worker;
};

static const struct worker defaults = { .settings = { .ahead = 3, .patience = 600 } };

static const struct pst_option options[] = {
    { 0, "ahead", PST_SIZE, offsetof(struct worker, settings.ahead),
      "jobs to take at once, so that the next one is ready when one is done", .least = 1, .most = 1024 },
    { 0, "patience", PST_DOUBLE, offsetof(struct worker, settings.patience),
      "end with an error if there is no dispatcher for this long; 0: wait for ever", .metavar = "SECONDS",
      .least = 0, .most = 31536000 },
    { 0, "stay", PST_FLAG, offsetof(struct worker, settings.stay),
      "when a run has ended, wait for the next dispatcher at the same endpoint" },
    { 0 },
};

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    (void)count;
    struct worker *self = run->self;
    return pst_worker_open(&self->worker, run, operands[0], operands + 1, &self->settings, error);
}

static enum pst_status work(struct pst_run *run, struct pst_streams *streams, struct pst_error *error)
{
    (void)streams;
    struct worker *self = run->self;
    pst_stop_on_signals();
    return pst_worker_run(self->worker, error);
}

static void stop(struct pst_run *run)
{
    struct worker *self = run->self;
    pst_worker_close(self->worker);
}

int main(int argc, char **argv)
{
    return pst_main(
        argc, argv,
        &(struct pst_stage){
            .name = "worker",
            .purpose = "run a command for the jobs that a dispatcher gives out",
            .operands = "ENDPOINT -- COMMAND [ARGUMENT ...]",
            .least_operands = 2,
            .most_operands = SIZE_MAX,
            .description =
                "COMMAND is a filter that adds tensors to the batches of a stream; write a pipeline as\n"
                "sh -c '...'. The worker may be started, stopped and killed at any time.",
            .example = "worker tcp://head:5555 -- sh -c 'teacher-forward a.safetensors | "
                       "teacher-forward b.safetensors'",
            .see_also = "dispatcher(1), keygen(1), pipestill(1)",
            .options = options,
            .size = sizeof(struct worker),
            .defaults = &defaults,
            .traits = PST_LINKS,
            .start = start,
            .run_all = work,
            .stop = stop,
        });
}
