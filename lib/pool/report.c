/* The pool's state: on the progress line, in the log, and on standard error after SIGUSR1. */
#include "lib/pool/pool.h"

#include <jansson.h>

#define LOG_EVERY 2.0  /* seconds */
#define SAY_EVERY 10.0 /* seconds, if the terminal's progress line is a later stage's */

static uint64_t in_flight(const struct pst_pool *pool)
{
    uint64_t count = 0;
    for (size_t i = 0; i < pool->worker_count; i++)
        count += pool->workers[i].job_count;
    return count;
}

/* Samples a second since then. */
static double rate(uint64_t samples, double since)
{
    double seconds = pst_seconds() - since;
    return seconds > 0 ? (double)samples / seconds : 0;
}

/* The state of all, on one line. */
static void say_sum(const struct pst_pool *pool)
{
    pst_say(
        pool->run,
        "%zu workers, %llu batches in flight, %llu given out, %llu of them again, %llu answered twice, %.0f "
        "samples/s",
        pst_pool_present(pool), (unsigned long long)in_flight(pool), (unsigned long long)pool->given,
        (unsigned long long)pool->given_again, (unsigned long long)pool->answered_twice,
        rate(pool->samples, pool->began));
}

static void say_state(const struct pst_pool *pool)
{
    const struct departed *gone = &pool->departed;
    say_sum(pool);
    for (size_t i = 0; i < pool->worker_count; i++) {
        const struct worker *worker = &pool->workers[i];
        pst_say(pool->run,
                "worker %s: here, %llu batches answered, %llu failed, %zu in flight, %.0f samples/s",
                worker->name, (unsigned long long)worker->answered, (unsigned long long)worker->failed,
                worker->job_count, rate(worker->samples, worker->since));
    }
    if (gone->workers > 0)
        pst_say(pool->run, "%llu workers went: %llu batches answered, %llu failed",
                (unsigned long long)gone->workers, (unsigned long long)gone->answered,
                (unsigned long long)gone->failed);
}

static json_t *describe_workers(const struct pst_pool *pool)
{
    json_t *workers = json_array();
    for (size_t i = 0; i < pool->worker_count; i++) {
        const struct worker *worker = &pool->workers[i];
        json_array_append_new(
            workers, json_pack("{s:s, s:I, s:I, s:I, s:I, s:f}", "name", worker->name, "answered",
                               (json_int_t)worker->answered, "samples", (json_int_t)worker->samples, "failed",
                               (json_int_t)worker->failed, "in_flight", (json_int_t)worker->job_count,
                               "samples_per_second", rate(worker->samples, worker->since)));
    }
    return workers;
}

static void log_state(const struct pst_pool *pool)
{
    const struct departed *gone = &pool->departed;
    json_t *sum = json_pack("{s:I, s:I, s:I, s:I}", "workers", (json_int_t)gone->workers, "answered",
                            (json_int_t)gone->answered, "samples", (json_int_t)gone->samples, "failed",
                            (json_int_t)gone->failed);
    pst_log(pool->run, "pool",
            json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:o, s:o}", "workers_here",
                      (json_int_t)pst_pool_present(pool), "in_flight", (json_int_t)in_flight(pool),
                      "given_out", (json_int_t)pool->given, "given_out_again", (json_int_t)pool->given_again,
                      "answered_twice", (json_int_t)pool->answered_twice, "of_another_run",
                      (json_int_t)pool->of_another_run, "samples_per_second",
                      rate(pool->samples, pool->began), "workers", describe_workers(pool), "departed", sum));
}

void pst_pool_report(struct pst_pool *pool, bool end)
{
    double now = pst_seconds();
    if (pst_report_asked())
        say_state(pool);
    if (pst_progress_is_elsewhere(pool->run) && (end || now - pool->reported >= SAY_EVERY)) {
        pool->reported = now;
        say_sum(pool);
    }
    if (!end && now - pool->logged < LOG_EVERY)
        return;
    pool->logged = now;
    log_state(pool);
    pst_progress_note(pool->run, "%zu workers, %llu in flight, %llu again, %llu twice",
                      pst_pool_present(pool), (unsigned long long)in_flight(pool),
                      (unsigned long long)pool->given_again, (unsigned long long)pool->answered_twice);
}
