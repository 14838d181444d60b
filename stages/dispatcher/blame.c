/*
 * Whose fault it is: a batch that fails, hangs or costs one worker after the other must not eat the pool, and
 * a worker that fails whatever it gets must not spoil the run.
 */
#include "stages/dispatcher/pool.h"

#include <stdio.h>
#include <string.h>

/*
 * Where no other worker can try, the same one counts again; but not before so many seconds, for on a busy
 * machine a command may take that long to start.
 */
#define SAME_AGAIN 3.0

bool has_failed(const struct slot *slot, const struct worker *worker)
{
    for (size_t i = 0; i < slot->failures; i++) {
        if (memcmp(slot->failed_by[i].peer, worker->peer, PST_PEER_SIZE) == 0)
            return true;
    }
    return false;
}

bool others_can_try(const struct pool *pool, const struct slot *slot, double now)
{
    for (size_t i = 0; i < pool->worker_count; i++) {
        const struct worker *worker = &pool->workers[i];
        if (worker->present && !has_failed(slot, worker) && !is_late(pool, worker, now))
            return true;
    }
    return false;
}

/* Counts a failure of a batch; the third one ends the run. */
static enum pst_status blame_batch(struct pool *pool, struct slot *slot, const struct worker *worker,
                                   const char *why, struct pst_error *error)
{
    double now = pst_seconds();
    if (has_failed(slot, worker) && others_can_try(pool, slot, now))
        return PST_OK;
    struct failed_worker *by = &slot->failed_by[slot->failures++];
    memcpy(by->peer, worker->peer, sizeof by->peer);
    memcpy(by->name, worker->name, sizeof by->name);
    slot->failed_at = now;
    if (slot->failures < MOST_FAILURES)
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA, "batch %llu failed three times, at %s, %s and %s: %s",
                    (unsigned long long)slot->batch.seq, slot->failed_by[0].name, slot->failed_by[1].name,
                    slot->failed_by[2].name, why);
}

enum pst_status take_failure(struct pool *pool, size_t place, uint64_t seq, bool had_it, const char *why,
                             struct pst_error *error)
{
    struct worker *worker = &pool->workers[place];
    struct slot *slot = had_it ? find_slot(pool, seq) : NULL;
    worker->failed++;
    worker->failed_in_a_row++;
    pst_say(pool->run, "worker %s: batch %llu failed: %s", worker->name, (unsigned long long)seq, why);
    enum pst_status status = slot == NULL ? PST_OK : blame_batch(pool, slot, worker, why, error);
    /* The last one stays: it may be the batches' fault, which then stops the run. */
    if (status == PST_OK && worker->failed_in_a_row >= MOST_FAILURES && worker->present &&
        present_workers(pool) > 1)
        dismiss(pool, place, "is dismissed: it failed three times in a row");
    return status;
}

enum pst_status take_sign_of_life(struct pool *pool, const struct worker *worker, struct pst_error *error)
{
    double now = pst_seconds();
    struct slot *slot = is_late(pool, worker, now) ? find_slot(pool, worker->jobs[0].seq) : NULL;
    if (slot == NULL || (has_failed(slot, worker) &&
                         (now - slot->failed_at < SAME_AGAIN || now - slot->failed_at < pool->batch_timeout)))
        return PST_OK;
    char why[128];
    snprintf(why, sizeof why, "the command has not answered it for %.3g s (--batch-timeout)",
             pool->batch_timeout);
    return blame_batch(pool, slot, worker, why, error);
}

void count_loss(struct pool *pool, const struct worker *worker)
{
    struct slot *slot = worker->job_count > 0 ? find_slot(pool, worker->jobs[0].seq) : NULL;
    if (slot == NULL || ++slot->losses < MOST_LOSSES || pool->verdict != PST_OK)
        return;
    pool->verdict =
        pst_fail(&pool->reason, PST_BAD_DATA,
                 "batch %llu has cost %d workers, which went while they were at it, the last one %s",
                 (unsigned long long)slot->batch.seq, MOST_LOSSES, worker->name);
}
