/* The pool's state: on the progress line, in the log, and on standard error when SIGUSR1 asks. */
#include "stages/dispatcher/pool.h"

#include <jansson.h>
#include <signal.h>
#include <string.h>

#define LOG_EVERY 2.0 /* seconds */

static volatile sig_atomic_t asked;

static void ask(int signal_number)
{
    (void)signal_number;
    asked = 1;
}

void report_on_signal(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = ask;
    action.sa_flags = (int)SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
}

static uint64_t in_flight(const struct pool *pool)
{
    uint64_t count = 0;
    for (size_t i = 0; i < pool->worker_count; i++)
        count += pool->workers[i].job_count;
    return count;
}

static double rate(const struct worker *worker, const struct pool *pool)
{
    double seconds = pst_seconds() - (worker->since > 0 ? worker->since : pool->began);
    return seconds > 0 ? (double)worker->samples / seconds : 0;
}

static void say_state(struct pool *pool)
{
    pst_say("%zu workers, %llu batches in flight, %llu given out, %llu of them again, %llu answered twice",
            present_workers(pool), (unsigned long long)in_flight(pool), (unsigned long long)pool->given,
            (unsigned long long)pool->given_again, (unsigned long long)pool->answered_twice);
    for (size_t i = 0; i < pool->worker_count; i++) {
        const struct worker *worker = &pool->workers[i];
        pst_say("worker %s: %s, %llu batches answered, %llu failed, %llu in flight, %.0f samples/s",
                worker->name,
                worker->present     ? "here"
                : worker->dismissed ? "dismissed"
                                    : "gone",
                (unsigned long long)worker->answered, (unsigned long long)worker->failed,
                (unsigned long long)worker->job_count, rate(worker, pool));
    }
}

static void log_state(struct pool *pool)
{
    json_t *workers = json_array();
    for (size_t i = 0; i < pool->worker_count; i++) {
        const struct worker *worker = &pool->workers[i];
        json_array_append_new(
            workers, json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:f}", "name", worker->name, "here",
                               (int)worker->present, "answered", (json_int_t)worker->answered, "samples",
                               (json_int_t)worker->samples, "failed", (json_int_t)worker->failed, "in_flight",
                               (json_int_t)worker->job_count, "samples_per_second", rate(worker, pool)));
    }
    pst_log("pool",
            json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "workers_here",
                      (json_int_t)present_workers(pool), "in_flight", (json_int_t)in_flight(pool),
                      "given_out", (json_int_t)pool->given, "given_out_again", (json_int_t)pool->given_again,
                      "answered_twice", (json_int_t)pool->answered_twice, "of_another_run",
                      (json_int_t)pool->of_another_run, "workers", workers));
}

void report(struct pool *pool, bool end)
{
    if (asked)
        say_state(pool);
    asked = 0;
    double now = pst_seconds();
    if (!end && now - pool->logged < LOG_EVERY)
        return;
    pool->logged = now;
    log_state(pool);
    pst_progress_note("%zu workers, %llu given again", present_workers(pool),
                      (unsigned long long)pool->given_again);
}
