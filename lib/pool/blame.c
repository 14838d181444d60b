/*
 * Whose fault it is. A batch that fails, hangs or ends one worker after the other must not use up the pool,
 * and a worker that fails every batch must not end the run.
 */
#include "lib/pool/pool.h"

#include <stdio.h>
#include <string.h>

/*
 * If no other worker can try, a failure of the same one counts again, but only after so many seconds, because
 * on a busy machine a command may take that long to start.
 */
#define SAME_AGAIN 3.0

bool pst_pool_has_failed(const struct slot *slot, const struct worker *worker)
{
    for (size_t i = 0; i < slot->failures; i++) {
        if (memcmp(slot->failed_by[i].peer, worker->peer, PST_PEER_SIZE) == 0)
            return true;
    }
    return false;
}

bool pst_pool_others_can_try(const struct pst_pool *pool, const struct slot *slot, double now)
{
    for (size_t i = 0; i < pool->worker_count; i++) {
        const struct worker *worker = &pool->workers[i];
        if (worker->present && !pst_pool_has_failed(slot, worker) && !pst_pool_is_late(pool, worker, now))
            return true;
    }
    return false;
}

/* Counts a failure of a batch; the third one ends the run. */
enum pst_status pst_pool_blame(struct pst_pool *pool, struct slot *slot, const struct worker *worker,
                               const char *why, struct pst_error *error)
{
    double now = pst_seconds();
    if (pst_pool_has_failed(slot, worker) && pst_pool_others_can_try(pool, slot, now))
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

enum pst_status pst_pool_check_command(struct pst_pool *pool, const struct worker *worker,
                                       struct pst_error *error)
{
    double now = pst_seconds();
    struct slot *slot = pst_pool_is_late(pool, worker, now) ? pst_pool_slot(pool, worker->jobs[0].seq) : NULL;
    if (slot == NULL ||
        (pst_pool_has_failed(slot, worker) &&
         (now - slot->failed_at < SAME_AGAIN || now - slot->failed_at < pool->settings->batch_timeout)))
        return PST_OK;
    char why[128];
    snprintf(why, sizeof why, "the command has not answered it for %.3g s (--batch-timeout)",
             pool->settings->batch_timeout);
    return pst_pool_blame(pool, slot, worker, why, error);
}

void pst_pool_count_loss(struct pst_pool *pool, const struct worker *worker)
{
    struct slot *slot = worker->job_count > 0 ? pst_pool_slot(pool, worker->jobs[0].seq) : NULL;
    if (slot == NULL || ++slot->losses < MOST_LOSSES || pool->verdict != PST_OK)
        return;
    pool->verdict =
        pst_fail(&pool->reason, PST_BAD_DATA,
                 "batch %llu has cost %d workers, which went while they were at it, the last one %s",
                 (unsigned long long)slot->batch.seq, MOST_LOSSES, worker->name);
}
