/* The dispatcher's loop: takes the workers' messages, gives out batches, and writes the oldest when it is
 * answered. */
#include "lib/pool/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum pst_status pst_pool_open(struct pst_pool **pool, struct pst_run *run, const char *endpoint,
                              const struct pst_pool_settings *settings, struct pst_error *error)
{
    char address[256];
    bool listens = strncmp(endpoint, "listen:", 7) == 0;
    if (strlen(endpoint) + 8 > sizeof address)
        return pst_fail(error, PST_USAGE, "%.100s…: the endpoint is too long", endpoint);
    snprintf(address, sizeof address, "%s%s", listens ? "" : "listen:", endpoint);
    *pool = calloc(1, sizeof **pool);
    if (*pool == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a pool");
    (*pool)->run = run;
    (*pool)->endpoint = endpoint;
    (*pool)->settings = settings;
    return pst_socket_open(&(*pool)->socket, address, pst_link_options(run), error);
}

/* Takes all messages of workers. Waits up to so many seconds for the first. */
static enum pst_status take_messages(struct pst_pool *pool, double seconds, struct pst_error *error)
{
    enum { AT_ONCE = 256 };
    for (int i = 0; i < AT_ONCE; i++) {
        struct pst_message message;
        struct pst_error fault = { 0 };
        enum pst_status status = pst_socket_receive(pool->socket, i == 0 ? seconds : 0,
                                                    i == 0 ? pool->window.event : -1, &message, &fault);
        if (status == PST_END)
            return PST_OK;
        if (status == PST_OK)
            status = pst_pool_take(pool, &message, &fault);
        else if (status == PST_BAD_DATA)
            status = PST_OK; /* a stranger's message */
        if (status != PST_OK)
            return pst_fail(error, status, "%s", fault.message);
    }
    return PST_OK;
}

static bool oldest_is_answered(struct pst_pool *pool, uint64_t filled)
{
    return pool->window.emptied < filled &&
           pst_window_slot(&pool->window, pool->window.emptied)->state == SLOT_ANSWERED;
}

static enum pst_status write_oldest(struct pst_pool *pool, struct pst_error *error)
{
    struct slot *slot = pst_window_slot(&pool->window, pool->window.emptied);
    enum pst_status status = pst_writer_batch(pool->streams->writer, &slot->batch, error);
    if (status != PST_OK)
        return status;
    pst_progress_batch(pool->run, &slot->batch, pst_window_waited(&pool->window),
                       pst_writer_waited(pool->streams->writer));
    pst_window_advance(&pool->window);
    return PST_OK;
}

/* Reading has ended, and everything that was read is written. */
static enum pst_status end_of_input(const struct pst_pool *pool, struct pst_error *error)
{
    if (pool->window.status != PST_END)
        return pst_fail(error, pool->window.status, "%s", pool->window.error.message);
    if (!pool->has_answers)
        return pst_fail(error, PST_BAD_DATA, "the stream has no batch, so no worker could say what it adds");
    return PST_OK;
}

static enum pst_status dispatch(struct pst_pool *pool, struct pst_error *error)
{
    for (;;) {
        bool ended;
        uint64_t filled = pst_window_filled(&pool->window, &ended);
        if (ended && pool->window.emptied == filled)
            return end_of_input(pool, error);
        enum pst_status status = take_messages(pool, oldest_is_answered(pool, filled) ? 0 : 0.1, error);
        if (status == PST_OK)
            status = pst_pool_look_after(pool, error);
        if (status == PST_OK)
            status = pst_pool_give_out(pool, error);
        if (status == PST_OK && oldest_is_answered(pool, filled))
            status = write_oldest(pool, error);
        if (status != PST_OK)
            return status;
        pst_pool_report(pool, false);
    }
}

/* Tells the workers how the run has ended. */
static void tell_end(struct pst_pool *pool, enum pst_status status, const char *why)
{
    if (status == PST_OK)
        pst_pool_tell_all(pool, PST_POOL_END, NULL);
    else
        pst_pool_tell_all(pool, PST_POOL_STOP,
                          status == PST_STOPPED ? "the dispatcher was stopped by a signal" : why);
}

enum pst_status pst_pool_run(struct pst_pool *pool, struct pst_streams *streams, struct pst_error *error)
{
    pool->streams = streams;
    pool->began = pool->reported = pst_seconds();
    enum pst_status status =
        pst_window_open(&pool->window, streams->reader, pst_link_options(pool->run), error);
    if (status != PST_OK)
        return status;
    status = dispatch(pool, error);
    pst_pool_report(pool, true);
    tell_end(pool, status, error->message);
    if (!pst_window_close(&pool->window))
        streams->reader = NULL;
    return status;
}

void pst_pool_close(struct pst_pool *pool)
{
    if (pool == NULL)
        return;
    pst_socket_close(pool->socket, 2);
    pst_header_free(&pool->header);
    pst_header_free(&pool->answers);
    pst_batch_free(&pool->answer);
    pst_buffer_free(&pool->packed);
    for (size_t i = 0; i < pool->worker_count; i++)
        free(pool->workers[i].jobs);
    free(pool->workers);
    free(pool);
}
