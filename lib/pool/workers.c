/* The workers that are there, and the jobs of each: for how long it has had them, and what it gives back. */
#include "lib/pool/pool.h"

#include <stdlib.h>
#include <string.h>

/* ---- workers ------------------------------------------------------------------------------------------ */

size_t pst_pool_find(const struct pst_pool *pool, const uint8_t *peer)
{
    for (size_t i = 0; i < pool->worker_count; i++) {
        if (memcmp(pool->workers[i].peer, peer, PST_PEER_SIZE) == 0)
            return i;
    }
    return NO_WORKER;
}

size_t pst_pool_present(const struct pst_pool *pool)
{
    size_t count = 0;
    for (size_t i = 0; i < pool->worker_count; i++)
        count += pool->workers[i].present;
    return count;
}

/* Of workers that have gone only the sums are kept, so that thousands may come and go. */
void pst_pool_forget_departed(struct pst_pool *pool)
{
    size_t kept = 0;
    for (size_t i = 0; i < pool->worker_count; i++) {
        struct worker *worker = &pool->workers[i];
        if (worker->present) {
            pool->workers[kept++] = *worker;
            continue;
        }
        pool->departed.workers++;
        pool->departed.answered += worker->answered;
        pool->departed.samples += worker->samples;
        pool->departed.failed += worker->failed;
        free(worker->jobs);
    }
    pool->worker_count = kept;
}

enum pst_status pst_pool_add(struct pst_pool *pool, const uint8_t *peer, struct pst_error *error)
{
    struct worker *grown = realloc(pool->workers, (pool->worker_count + 1) * sizeof *grown);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a worker");
    pool->workers = grown;
    grown[pool->worker_count] = (struct worker){ .number = ++pool->greeted, .since = pst_seconds() };
    memcpy(grown[pool->worker_count].peer, peer, PST_PEER_SIZE);
    pool->worker_count++;
    return PST_OK;
}

/* ---- jobs --------------------------------------------------------------------------------------------- */

struct slot *pst_pool_slot(struct pst_pool *pool, uint64_t seq)
{
    bool ended;
    uint64_t first = pool->streams->header.first, filled = pst_window_filled(&pool->window, &ended);
    if (seq < first || seq - first < pool->window.emptied || seq - first >= filled)
        return NULL;
    struct slot *slot = pst_window_slot(&pool->window, seq - first);
    return slot->state == SLOT_ANSWERED ? NULL : slot;
}

bool pst_pool_holds(const struct worker *worker, uint64_t seq)
{
    for (size_t i = 0; i < worker->job_count; i++) {
        if (worker->jobs[i].seq == seq)
            return true;
    }
    return false;
}

enum pst_status pst_pool_add_job(struct worker *worker, uint64_t seq, double now, struct pst_error *error)
{
    struct job *grown = pst_grown(worker->jobs, &worker->job_room, worker->job_count, sizeof *grown, error);
    if (grown == NULL)
        return PST_TRY_AGAIN;
    worker->jobs = grown;
    worker->jobs[worker->job_count++] = (struct job){ .seq = seq, .given_at = now };
    return PST_OK;
}

/* A worker's batch waits for another one, unless it is answered, or another worker has it. */
static void requeue(struct pst_pool *pool, const struct worker *worker, uint64_t seq)
{
    struct slot *slot = pst_pool_slot(pool, seq);
    if (slot != NULL && slot->state == SLOT_GIVEN && slot->holder == worker->number)
        slot->state = SLOT_WAITING;
}

bool pst_pool_drop_job(struct pst_pool *pool, struct worker *worker, uint64_t seq)
{
    size_t at = 0;
    while (at < worker->job_count && worker->jobs[at].seq != seq)
        at++;
    if (at == worker->job_count)
        return false;
    requeue(pool, worker, seq);
    worker->job_count--;
    memmove(worker->jobs + at, worker->jobs + at + 1, (worker->job_count - at) * sizeof *worker->jobs);
    worker->answered_at = pst_seconds();
    /* The worker can begin the others only now. */
    for (size_t i = 0; i < worker->job_count; i++)
        worker->jobs[i].late = false;
    return true;
}

void pst_pool_drop_jobs(struct pst_pool *pool, struct worker *worker)
{
    for (size_t i = 0; i < worker->job_count; i++)
        requeue(pool, worker, worker->jobs[i].seq);
    worker->job_count = 0;
}

/* ---- the time that a job takes ------------------------------------------------------------------------ */

/* For how long a worker could have worked on a job: since it was given, and the one before it was done. */
static double time_of_job(const struct worker *worker, const struct job *job, double now)
{
    return now - (job->given_at > worker->answered_at ? job->given_at : worker->answered_at);
}

bool pst_pool_is_late(const struct pst_pool *pool, const struct worker *worker, double now)
{
    return worker->job_count > 0 &&
           time_of_job(worker, &worker->jobs[0], now) >= pool->settings->batch_timeout;
}

static void look_at_jobs(struct pst_pool *pool, struct worker *worker, double now)
{
    for (size_t i = 0; i < worker->job_count; i++) {
        struct job *job = &worker->jobs[i];
        double seconds = time_of_job(worker, job, now);
        if (job->late || seconds < pool->settings->batch_timeout)
            continue;
        job->late = true;
        requeue(pool, worker, job->seq);
        if (i == 0 && pst_pool_slot(pool, job->seq) != NULL)
            pst_say(pool->run, "worker %s has not answered batch %llu for %.3g s%s", worker->name,
                    (unsigned long long)job->seq, seconds,
                    pst_pool_present(pool) > 1 ? "; another one gets it" : "");
    }
}

void pst_pool_check_times(struct pst_pool *pool, double now)
{
    size_t present = 0, late = 0;
    for (size_t i = 0; i < pool->worker_count; i++) {
        struct worker *worker = &pool->workers[i];
        if (!worker->present)
            continue;
        look_at_jobs(pool, worker, now);
        present++;
        late += pst_pool_is_late(pool, worker, now);
    }
    bool all = present > 0 && late == present;
    if (all && !pool->told_late)
        pst_say(pool->run,
                "no worker has answered for %.3g s (--batch-timeout), and %zu %s here; waiting for one of "
                "them, or for another",
                pool->settings->batch_timeout, present, present == 1 ? "is" : "are");
    pool->told_late = all;
}
