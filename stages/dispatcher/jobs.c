/* Jobs: which batch is whose, for how long, and who gets the next one. */
#include "stages/dispatcher/pool.h"

#include <stdlib.h>
#include <string.h>

struct slot *find_slot(struct pool *pool, uint64_t seq)
{
    bool ended;
    uint64_t first = pool->streams->header.first, filled = window_filled(&pool->window, &ended);
    if (seq < first || seq - first < pool->window.emptied || seq - first >= filled)
        return NULL;
    struct slot *slot = window_slot(&pool->window, seq - first);
    return slot->state == SLOT_ANSWERED ? NULL : slot;
}

/* ---- taking back ---- */

/* A worker's batch waits for another one, unless it is answered, or another's by now. */
static void requeue(struct pool *pool, const struct worker *worker, uint64_t seq)
{
    struct slot *slot = find_slot(pool, seq);
    if (slot != NULL && slot->state == SLOT_GIVEN && slot->holder == worker->number)
        slot->state = SLOT_WAITING;
}

bool drop_job(struct pool *pool, struct worker *worker, uint64_t seq)
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
    /* It can begin the others only now. */
    for (size_t i = 0; i < worker->job_count; i++)
        worker->jobs[i].late = false;
    return true;
}

void drop_jobs(struct pool *pool, struct worker *worker)
{
    for (size_t i = 0; i < worker->job_count; i++)
        requeue(pool, worker, worker->jobs[i].seq);
    worker->job_count = 0;
}

/* ---- the time that a job takes ---- */

/* For how long a worker could have worked on a job: since it was given, and the one before it was done. */
static double time_of_job(const struct worker *worker, const struct job *job, double now)
{
    return now - (job->given_at > worker->answered_at ? job->given_at : worker->answered_at);
}

bool is_late(const struct pool *pool, const struct worker *worker, double now)
{
    return worker->job_count > 0 && time_of_job(worker, &worker->jobs[0], now) >= pool->batch_timeout;
}

static void look_at_jobs(struct pool *pool, struct worker *worker, double now)
{
    for (size_t i = 0; i < worker->job_count; i++) {
        struct job *job = &worker->jobs[i];
        double seconds = time_of_job(worker, job, now);
        if (job->late || seconds < pool->batch_timeout)
            continue;
        job->late = true;
        requeue(pool, worker, job->seq);
        if (i == 0 && find_slot(pool, job->seq) != NULL)
            pst_say(pool->run, "worker %s has not answered batch %llu for %.3g s%s", worker->name,
                    (unsigned long long)job->seq, seconds,
                    present_workers(pool) > 1 ? "; another one gets it" : "");
    }
}

void look_at_times(struct pool *pool, double now)
{
    size_t present = 0, late = 0;
    for (size_t i = 0; i < pool->worker_count; i++) {
        struct worker *worker = &pool->workers[i];
        if (!worker->present)
            continue;
        look_at_jobs(pool, worker, now);
        present++;
        late += is_late(pool, worker, now);
    }
    bool all = present > 0 && late == present;
    if (all && !pool->told_late)
        pst_say(pool->run,
                "no worker has answered for %.3g s (--batch-timeout), and %zu %s here; waiting for one of "
                "them, or for another",
                pool->batch_timeout, present, present == 1 ? "is" : "are");
    pool->told_late = all;
}

/* ---- giving out ---- */

static bool holds(const struct worker *worker, uint64_t seq)
{
    for (size_t i = 0; i < worker->job_count; i++) {
        if (worker->jobs[i].seq == seq)
            return true;
    }
    return false;
}

static bool has_room(const struct pool *pool, const struct worker *worker, double now)
{
    return worker->present && worker->job_count < worker->credit && !is_late(pool, worker, now);
}

/* Whether a worker is chosen before another: the less busy one. What has cost a worker goes to one that
 * has shown that it works, if it can: most of those that die do so early. */
static bool goes_before(const struct worker *worker, const struct worker *other, const struct slot *slot)
{
    if (slot->losses > 0 && (worker->answered > 0) != (other->answered > 0))
        return worker->answered > 0;
    return worker->job_count < other->job_count;
}

/* The best of the workers with room, of those that have not failed this batch while there are such. */
static size_t choose(const struct pool *pool, const struct slot *slot, double now)
{
    bool others = slot->failures > 0 && others_can_try(pool, slot, now);
    size_t best = NO_WORKER;
    for (size_t i = 0; i < pool->worker_count; i++) {
        const struct worker *worker = &pool->workers[i];
        if (!has_room(pool, worker, now) || (others && has_failed(slot, worker)) ||
            (slot->given && holds(worker, slot->batch.seq)))
            continue;
        if (best == NO_WORKER || goes_before(worker, &pool->workers[best], slot))
            best = i;
    }
    return best;
}

static enum pst_status add_job(struct worker *worker, uint64_t seq, double now, struct pst_error *error)
{
    if (worker->job_count == worker->job_room) {
        size_t room = worker->job_room == 0 ? 4 : 2 * worker->job_room;
        struct job *grown = realloc(worker->jobs, room * sizeof *grown);
        if (grown == NULL)
            return pst_fail(error, PST_TRY_AGAIN, "out of memory for a worker's jobs");
        worker->jobs = grown;
        worker->job_room = room;
    }
    worker->jobs[worker->job_count++] = (struct job){ .seq = seq, .given_at = now };
    return PST_OK;
}

static enum pst_status give(struct pool *pool, struct slot *slot, size_t place, struct pst_error *error)
{
    size_t size;
    enum pst_status status =
        pst_parcel_pack(&pool->streams->header, &slot->batch, &pool->packed, &size, error);
    if (status == PST_OK)
        status = send_to(pool, place, PST_POOL_JOB, slot->batch.seq, pool->packed.data, size, error);
    struct worker *worker = &pool->workers[place];
    if (status != PST_OK || !worker->present)
        return status;
    pool->given++;
    pool->given_again += slot->given;
    slot->given = true;
    slot->state = SLOT_GIVEN;
    slot->holder = worker->number;
    return add_job(worker, slot->batch.seq, pst_seconds(), error);
}

/* The answers that are to come, as far as batches have been given out. */
static size_t awaited(struct pool *pool, uint64_t filled)
{
    size_t count = 0;
    for (uint64_t i = pool->window.emptied; i < filled; i++) {
        const struct slot *slot = window_slot(&pool->window, i);
        count += slot->given && slot->state != SLOT_ANSWERED;
    }
    return count;
}

static size_t room_of_workers(const struct pool *pool, double now)
{
    size_t room = 0;
    for (size_t i = 0; i < pool->worker_count; i++) {
        const struct worker *worker = &pool->workers[i];
        room += has_room(pool, worker, now) ? worker->credit - worker->job_count : 0;
    }
    return room;
}

enum pst_status give_out(struct pool *pool, struct pst_error *error)
{
    bool ended;
    uint64_t filled = window_filled(&pool->window, &ended), oldest = pool->window.emptied;
    double now = pst_seconds();
    size_t room = room_of_workers(pool, now), answers = room > 0 ? awaited(pool, filled) : 0;
    size_t most = window_room_for_answers(&pool->window);
    for (uint64_t i = oldest; i < filled && room > 0; i++) {
        struct slot *slot = window_slot(&pool->window, i);
        /* An answer is kept until those before it are there, so they must have room; the oldest goes on. */
        bool allowed = slot->given || i == oldest || answers < most;
        size_t worker = slot->state == SLOT_WAITING && allowed ? choose(pool, slot, now) : NO_WORKER;
        if (worker == NO_WORKER)
            continue;
        room--;
        answers += !slot->given;
        enum pst_status status = give(pool, slot, worker, error);
        if (status != PST_OK)
            return status;
    }
    return PST_OK;
}
