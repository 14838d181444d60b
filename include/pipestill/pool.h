/*
 * pool.h: batches that many machines work on. A dispatcher gives each batch of a stream to one of the
 * workers that have connected to it, keeps it until it has the answer, and writes the answers in order, as
 * an ordinary stream. A worker hands its batches to a command and sends back what that adds. Workers may
 * connect, leave and die at any time. docs/pool.md has the guarantees.
 */
#ifndef PIPESTILL_POOL_H
#define PIPESTILL_POOL_H

#include "pipestill/cli.h"

/* ---- the dispatcher's side ---------------------------------------------------------------------------- */

struct pst_pool;

struct pst_pool_settings {
    double batch_timeout;     /* seconds after which another worker gets a batch, > 0 */
    double no_worker_timeout; /* seconds without a worker after which the run fails; 0: never */
};

/*
 * Begins to listen for workers.
 * run: the stage's; for messages, log and progress. endpoint: "tcp://address:port" or "ipc://path", with or
 * without "listen:"; borrowed, as settings are. pool: receives it; to be closed in any case.
 * Returns PST_OK; PST_USAGE if the endpoint is not an address; PST_UNAVAILABLE; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_pool_open(struct pst_pool **pool, struct pst_run *run, const char *endpoint,
                                          const struct pst_pool_settings *settings, struct pst_error *error);

/*
 * Reads a stream, lets workers answer its batches, and writes the answers; a stage's run_all.
 * Returns PST_OK; PST_BAD_DATA (a batch failed too often, a stream without a batch); PST_UNAVAILABLE (no
 * worker for too long); and what reader and writer return.
 */
PST_CHECKED enum pst_status pst_pool_run(struct pst_pool *pool, struct pst_streams *streams,
                                         struct pst_error *error);

/*
 * Tells workers how the run ended, within two seconds, and frees a pool; NULL is allowed.
 */
void pst_pool_close(struct pst_pool *pool);

/* ---- the worker's side -------------------------------------------------------------------------------- */

struct pst_worker;

struct pst_worker_settings {
    size_t ahead;    /* jobs to take at once, ≥ 1 */
    double patience; /* seconds without a dispatcher after which to give up; 0: never */
    bool stay;       /* when a run is over, wait for the next dispatcher */
};

/*
 * Makes a worker; nothing is connected or started yet.
 * run: the stage's. endpoint: where the dispatcher listens. command: the words of the filter that does the
 * work, ended by NULL. All are borrowed. worker: receives it; to be closed in any case.
 * Returns PST_OK; PST_USAGE if the endpoint begins with "listen:"; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_worker_open(struct pst_worker **worker, struct pst_run *run,
                                            const char *endpoint, char **command,
                                            const struct pst_worker_settings *settings,
                                            struct pst_error *error);

/*
 * Connects and works until the run is over, or for ever with `stay`.
 * Returns PST_OK; PST_UNAVAILABLE (no dispatcher, refused, the run failed); PST_STOPPED; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_worker_run(struct pst_worker *worker, struct pst_error *error);

/* Ends the command and frees a worker; NULL is allowed. */
void pst_worker_close(struct pst_worker *worker);

#endif
