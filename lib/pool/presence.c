/* Which workers are there: they greet, are lost or dismissed, and get messages. */
#include "lib/pool/pool.h"

#include <stdlib.h>
#include <string.h>

#define PING_EVERY 0.5    /* seconds */
#define ALONE_TO_TELL 0.5 /* seconds */

/* A worker is lost: its batches are given out again. */
static void lose_worker(struct pst_pool *pool, size_t worker, const char *why)
{
    struct worker *lost = &pool->workers[worker];
    if (!lost->present)
        return;
    lost->present = false;
    pst_pool_count_loss(pool, lost);
    pst_pool_drop_jobs(pool, lost);
    pst_say(pool->run, "worker %s %s (%zu left)", lost->name, why, pst_pool_present(pool));
}

enum pst_status pst_pool_send_to(struct pst_pool *pool, size_t worker, enum pst_pool_kind kind, uint64_t seq,
                                 const void *bytes, size_t size, struct pst_error *error)
{
    const struct worker *to = &pool->workers[worker];
    struct pst_pool_control control = { .kind = (uint8_t)kind, .session = to->session, .seq = seq };
    enum pst_status status = pst_pool_send(pool->socket, to->peer, &control, bytes, size, error);
    if (status == PST_UNAVAILABLE || status == PST_TRY_AGAIN)
        lose_worker(pool, worker, "is gone");
    return status == PST_UNAVAILABLE || status == PST_TRY_AGAIN ? PST_OK : status;
}

void pst_pool_tell_all(struct pst_pool *pool, enum pst_pool_kind kind, const char *text)
{
    struct pst_error unheard;
    for (size_t i = 0; i < pool->worker_count; i++) {
        if (pool->workers[i].present &&
            pst_pool_send_to(pool, i, kind, 0, text, text == NULL ? 0 : strlen(text), &unheard) != PST_OK)
            pst_say(pool->run, "%s", unheard.message);
    }
}

void pst_pool_dismiss(struct pst_pool *pool, size_t worker, const char *why)
{
    struct pst_error unheard;
    uint64_t next = pool->turned_away_count++ % MOST_TURNED_AWAY;
    memcpy(pool->turned_away[next], pool->workers[worker].peer, PST_PEER_SIZE);
    pst_pool_drop_jobs(pool, &pool->workers[worker]); /* first, because no batch is to blame */
    if (pst_pool_send_to(pool, worker, PST_POOL_REFUSE, 0, why, strlen(why), &unheard) != PST_OK)
        pst_say(pool->run, "%s", unheard.message);
    lose_worker(pool, worker, why);
}

bool pst_pool_was_dismissed(const struct pst_pool *pool, const uint8_t *peer)
{
    for (size_t i = 0; i < MOST_TURNED_AWAY && i < pool->turned_away_count; i++) {
        if (memcmp(pool->turned_away[i], peer, PST_PEER_SIZE) == 0)
            return true;
    }
    return false;
}

/*
 * If a worker's command fails, it gives all jobs back except the one that it blames. So it is done with one
 * before it gives back as many as it may have.
 */
void pst_pool_count_return(struct pst_pool *pool, size_t worker)
{
    if (++pool->workers[worker].returned_in_a_row > pool->workers[worker].credit)
        pst_pool_dismiss(pool, worker, "is dismissed: it gives back every job untried");
}

void pst_pool_count_outcome(struct worker *worker)
{
    worker->returned_in_a_row = 0;
    worker->greeted_in_a_row = 0;
}

enum pst_status pst_pool_welcome(struct pst_pool *pool, const struct pst_message *message,
                                 const struct pst_pool_control *control, struct pst_error *error)
{
    size_t place = pst_pool_find(pool, message->peer);
    if (place == NO_WORKER) {
        place = pool->worker_count;
        enum pst_status status = pst_pool_add(pool, message->peer, error);
        if (status != PST_OK)
            return status;
    }
    struct worker *worker = &pool->workers[place];
    pst_pool_text(message, worker->name, sizeof worker->name);
    bool forgets = worker->job_count > 0, is_new = !worker->present;
    pst_pool_drop_jobs(pool, worker);
    worker->present = true;
    worker->session = control->session;
    uint64_t credit = control->seq < MOST_CREDIT ? control->seq : MOST_CREDIT;
    worker->credit = credit < 1 ? 1 : (size_t)credit;
    worker->greeted_in_a_row += forgets;
    if (worker->greeted_in_a_row >= MOST_GREETINGS) {
        pst_pool_dismiss(pool, place, "is dismissed: it greets again and again, and does no job in between");
        return PST_OK;
    }
    if (is_new || forgets)
        pst_say(pool->run, "worker %s is here (%zu now)", worker->name, pst_pool_present(pool));
    pool->alone_since = 0;
    pool->told_alone = false;
    return PST_OK;
}

/* ---- looking after them ---- */

static void ping(struct pst_pool *pool)
{
    pst_pool_tell_all(pool, PST_POOL_PING, NULL);
}

static enum pst_status check_no_worker_timeout(struct pst_pool *pool, double now, struct pst_error *error)
{
    bool ended;
    bool idle = pst_window_filled(&pool->window, &ended) == pool->window.emptied;
    if (pst_pool_present(pool) > 0 || idle) {
        pool->alone_since = 0;
        return PST_OK;
    }
    if (pool->alone_since == 0)
        pool->alone_since = now;
    if (!pool->told_alone && now - pool->alone_since >= ALONE_TO_TELL) {
        pst_say(pool->run, "no worker is here; waiting for one at %s", pool->endpoint);
        pool->told_alone = true;
    }
    if (pool->settings->no_worker_timeout == 0 || now - pool->alone_since < pool->settings->no_worker_timeout)
        return PST_OK;
    return pst_fail(error, PST_UNAVAILABLE, "%s: no worker for %.0f s (--no-worker-timeout)", pool->endpoint,
                    pool->settings->no_worker_timeout);
}

enum pst_status pst_pool_look_after(struct pst_pool *pool, struct pst_error *error)
{
    double now = pst_seconds();
    if (now - pool->pinged >= PING_EVERY) {
        pool->pinged = now;
        ping(pool);
        pst_pool_check_times(pool, now);
    }
    pst_pool_forget_departed(pool);
    if (pool->verdict != PST_OK)
        return pst_fail(error, pool->verdict, "%s", pool->reason.message);
    return check_no_worker_timeout(pool, now, error);
}
