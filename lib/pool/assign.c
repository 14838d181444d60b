/* Giving out: which worker gets which batch. */
#include "lib/pool/pool.h"

#include <stdlib.h>
#include <string.h>

static bool has_room(const struct pst_pool *pool, const struct worker *worker, double now)
{
    return worker->present && worker->job_count < worker->credit && !pst_pool_is_late(pool, worker, now);
}

/* Whether a worker is chosen before another: the less busy one. But a batch that a lost worker was at goes to
 * one that has answered before, because most lost workers are lost early. */
static bool goes_before(const struct worker *worker, const struct worker *other, const struct slot *slot)
{
    if (slot->losses > 0 && (worker->answered > 0) != (other->answered > 0))
        return worker->answered > 0;
    return worker->job_count < other->job_count;
}

/* The best worker with room. One that has failed this batch is chosen only if no other can try. */
static size_t choose(const struct pst_pool *pool, const struct slot *slot, double now)
{
    bool others = slot->failures > 0 && pst_pool_others_can_try(pool, slot, now);
    size_t best = NO_WORKER;
    for (size_t i = 0; i < pool->worker_count; i++) {
        const struct worker *worker = &pool->workers[i];
        if (!has_room(pool, worker, now) || (others && pst_pool_has_failed(slot, worker)) ||
            (slot->given && pst_pool_holds(worker, slot->batch.seq)))
            continue;
        if (best == NO_WORKER || goes_before(worker, &pool->workers[best], slot))
            best = i;
    }
    return best;
}

static enum pst_status give(struct pst_pool *pool, struct slot *slot, size_t place, struct pst_error *error)
{
    size_t size;
    enum pst_status status =
        pst_parcel_pack(&pool->streams->header, &slot->batch, &pool->packed, &size, error);
    if (status == PST_OK)
        status = pst_pool_send_to(pool, place, PST_POOL_JOB, slot->batch.seq, pool->packed.data, size, error);
    struct worker *worker = &pool->workers[place];
    if (status != PST_OK || !worker->present)
        return status;
    pool->given++;
    pool->given_again += slot->given;
    slot->given = true;
    slot->state = SLOT_GIVEN;
    slot->holder = worker->number;
    return pst_pool_add_job(worker, slot->batch.seq, pst_seconds(), error);
}

/* The number of batches that were given out and are not answered. */
static size_t awaited(struct pst_pool *pool, uint64_t filled)
{
    size_t count = 0;
    for (uint64_t i = pool->window.emptied; i < filled; i++) {
        const struct slot *slot = pst_window_slot(&pool->window, i);
        count += slot->given && slot->state != SLOT_ANSWERED;
    }
    return count;
}

static size_t room_of_workers(const struct pst_pool *pool, double now)
{
    size_t room = 0;
    for (size_t i = 0; i < pool->worker_count; i++) {
        const struct worker *worker = &pool->workers[i];
        room += has_room(pool, worker, now) ? worker->credit - worker->job_count : 0;
    }
    return room;
}

enum pst_status pst_pool_give_out(struct pst_pool *pool, struct pst_error *error)
{
    bool ended;
    uint64_t filled = pst_window_filled(&pool->window, &ended), oldest = pool->window.emptied;
    double now = pst_seconds();
    size_t room = room_of_workers(pool, now), answers = room > 0 ? awaited(pool, filled) : 0;
    size_t most = pst_window_room_for_answers(&pool->window);
    for (uint64_t i = oldest; i < filled && room > 0; i++) {
        struct slot *slot = pst_window_slot(&pool->window, i);
        /* An answer is kept until those before it are there, so it needs room, except the oldest. */
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
