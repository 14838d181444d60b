/*
 * pool.h: the dispatcher's side of a pool. One thread reads; everything else is the main thread's. Each file
 * calls only those that stand above it here.
 */
#ifndef PIPESTILL_LIB_POOL_H
#define PIPESTILL_LIB_POOL_H

#include "lib/pool/protocol.h"
#include "pipestill/pool.h"

#include <pthread.h>

enum {
    MOST_FAILURES = 3,  /* of a batch, and of a worker in a row */
    MOST_LOSSES = 10,   /* of workers that were at the same batch: most are lost for another reason */
    MOST_CREDIT = 1024, /* jobs that a worker may have: the most of its --ahead */
    WORKER_NAME = 96,
    MOST_GREETINGS = 10,   /* of a worker in a row, each of which gives up jobs */
    MOST_TURNED_AWAY = 64, /* dismissed workers that are remembered */
};

/* ---- window.c: batches that were read and are not yet written ---- */

/* A worker that failed a batch. It may have gone since. */
struct failed_worker {
    uint8_t peer[PST_PEER_SIZE];
    char name[WORKER_NAME];
};

enum slot_state { SLOT_WAITING, SLOT_GIVEN, SLOT_ANSWERED };

struct slot {
    enum slot_state state;
    struct pst_batch batch;
    size_t bytes;
    bool given;      /* to some worker, at least once */
    uint64_t holder; /* number of the worker that it was given to last, or 0 */
    size_t failures; /* failed, wrong or late answers */
    struct failed_worker failed_by[MOST_FAILURES];
    double failed_at; /* the last time */
    size_t losses;    /* workers that were lost while they were at it */
};

/* A ring of slots. Batches are counted from 0; number i is in slots[i % room]. */
struct window {
    struct pst_reader *reader; /* the thread's own, until it has ended */
    pthread_t thread;
    pthread_mutex_t lock;  /* for everything below but slots[emptied…filled) */
    pthread_cond_t change; /* there is room again */
    int event;             /* eventfd: something was read, or reading ended */
    struct slot *slots;
    struct pst_batch *spare; /* batches that are not in use, whose memory is used again: last in, first out */
    size_t spare_count, spare_bytes;
    size_t room, room_bytes;
    uint64_t filled, emptied;
    uint64_t answered;     /* batches in the window that have their answers */
    size_t bytes;          /* of the batches in the window and their answers */
    size_t largest;        /* of the largest batch so far */
    size_t largest_answer; /* and of the largest answer */
    double waited;
    bool reading;           /* the thread is in the reader */
    bool ended;             /* no more is read: the input ended, or the run */
    enum pst_status status; /* PST_END, or why reading failed */
    struct pst_error error;
};

/* Starts the thread that reads ahead. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_window_open(struct window *window, struct pst_reader *reader,
                                            const struct pst_link_settings *settings,
                                            struct pst_error *error);
/* How many batches have been read so far, and whether that is all. */
uint64_t pst_window_filled(struct window *window, bool *ended);
/* Seconds that the thread has waited for input. */
double pst_window_waited(struct window *window);
/* The slot of a batch between emptied and filled, counted from 0. */
struct slot *pst_window_slot(struct window *window, uint64_t number);
/* A slot has its answer, which takes so many bytes more. */
void pst_window_answered(struct window *window, struct slot *slot, size_t bytes);
/* How many answers there is room for, including those that are awaited. */
size_t pst_window_room_for_answers(struct window *window);
/* Empties the oldest slot, which has its answer. */
void pst_window_advance(struct window *window);
/* Ends the thread, unless it waits for input that cannot be interrupted. Returns whether it has ended. */
bool pst_window_close(struct window *window);

/* ---- the pool ---- */

/* A batch that a worker has. Others may have got it since. */
struct job {
    uint64_t seq;
    double given_at;
    bool late; /* it took too long: the batch waits for another worker */
};

struct worker {
    uint64_t number; /* in the order of coming, from 1; a slot's holder */
    uint8_t peer[PST_PEER_SIZE];
    char name[WORKER_NAME];
    bool present;
    uint64_t session;
    size_t credit;    /* jobs that it takes */
    struct job *jobs; /* that it has, in the order in which it does them */
    size_t job_count, job_room;
    double answered_at; /* when it was last done with a job */
    uint64_t answered, samples, failed;
    unsigned failed_in_a_row;
    size_t returned_in_a_row;  /* jobs, since it was last done with one */
    unsigned greeted_in_a_row; /* greetings that gave up jobs, since then */
    double since;              /* when it came */
};

/* The sums of the workers that have gone. */
struct departed {
    uint64_t workers, answered, samples, failed;
};

/* A pool. */
struct pst_pool {
    const struct pst_pool_settings *settings; /* borrowed */
    const char *endpoint;                     /* as the user typed it; borrowed */
    struct pst_run *run;
    struct pst_streams *streams;
    struct pst_socket *socket;
    struct window window;
    struct worker *workers;
    size_t worker_count;
    uint64_t greeted; /* workers so far */
    struct departed departed;
    uint8_t turned_away[MOST_TURNED_AWAY][PST_PEER_SIZE]; /* a ring */
    uint64_t turned_away_count;                           /* so far */
    struct pst_header header;                             /* of the output, once there is an answer */
    struct pst_header answers;                            /* of the first answer */
    char first_worker[WORKER_NAME];                       /* who gave it */
    bool has_answers;
    size_t own; /* tensors from this place on are the workers' */
    struct pst_batch answer;
    struct pst_buffer packed;
    uint64_t given, given_again, answered_twice, of_another_run, samples;
    double began, pinged, logged, reported;
    double alone_since; /* 0 while there are workers */
    bool told_alone, told_late;
    enum pst_status verdict; /* not PST_OK: the run must end, and why */
    struct pst_error reason;
};

#define NO_WORKER SIZE_MAX

/* ---- workers.c: the workers that are there, and the jobs of each ---- */

/* The place in pool->workers of a peer that has greeted before, or NO_WORKER. */
size_t pst_pool_find(const struct pst_pool *pool, const uint8_t *peer);
/* How many workers are there now. */
size_t pst_pool_present(const struct pst_pool *pool);
/* Adds a worker at the end. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_pool_add(struct pst_pool *pool, const uint8_t *peer, struct pst_error *error);
/* Keeps only the sums of the workers that have gone. */
void pst_pool_forget_departed(struct pst_pool *pool);
/* The slot of a batch that has no answer yet, or NULL. */
struct slot *pst_pool_slot(struct pst_pool *pool, uint64_t seq);
/* Whether a worker has this batch. */
bool pst_pool_holds(const struct worker *worker, uint64_t seq);
/* Notes that a worker has a batch. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_pool_add_job(struct worker *worker, uint64_t seq, double now,
                                             struct pst_error *error);
/* Removes a job that a worker has done or gives up. The batch waits again if it has no answer. Returns
 * whether the worker had it. */
bool pst_pool_drop_job(struct pst_pool *pool, struct worker *worker, uint64_t seq);
/* All that a worker has waits again for another. */
void pst_pool_drop_jobs(struct pst_pool *pool, struct worker *worker);
/* Whether a worker takes too long for its first job. */
bool pst_pool_is_late(const struct pst_pool *pool, const struct worker *worker, double now);
/* Finds the jobs that take too long, and lets others get their batches. */
void pst_pool_check_times(struct pst_pool *pool, double now);

/* ---- blame.c: whose fault it is ---- */

/* Whether a worker has failed a batch, or was late with it. */
bool pst_pool_has_failed(const struct slot *slot, const struct worker *worker);
/* Whether a worker is there that has not failed the batch, and answers in time. */
bool pst_pool_others_can_try(const struct pst_pool *pool, const struct slot *slot, double now);
/* Counts a failure of a batch. Returns PST_OK, or PST_BAD_DATA if the batch has failed too often. */
PST_CHECKED enum pst_status pst_pool_blame(struct pst_pool *pool, struct slot *slot,
                                           const struct worker *worker, const char *why,
                                           struct pst_error *error);
/* Takes a worker's ping. If its command is late, the batch that it is at may be to blame; a worker that is
 * stopped or cut off sends no ping. Returns as pst_pool_blame. */
PST_CHECKED enum pst_status pst_pool_check_command(struct pst_pool *pool, const struct worker *worker,
                                                   struct pst_error *error);
/* A worker is lost: the batch that it was at may be to blame. Too many such losses set pool->verdict. */
void pst_pool_count_loss(struct pst_pool *pool, const struct worker *worker);

/* ---- presence.c: workers come and go, and get messages ---- */

/* Takes a greeting. A worker that greets again has given up its jobs. After MOST_GREETINGS of these in a row
 * it is dismissed. */
PST_CHECKED enum pst_status pst_pool_welcome(struct pst_pool *pool, const struct pst_message *message,
                                             const struct pst_pool_control *control, struct pst_error *error);
/* Sends a message to a worker; one that cannot be reached is lost, which is no error. */
PST_CHECKED enum pst_status pst_pool_send_to(struct pst_pool *pool, size_t worker, enum pst_pool_kind kind,
                                             uint64_t seq, const void *bytes, size_t size,
                                             struct pst_error *error);
/* Sends a message without a job to all workers that are there. */
void pst_pool_tell_all(struct pst_pool *pool, enum pst_pool_kind kind, const char *text);
/* Dismisses a worker for ever, and tells it why. */
void pst_pool_dismiss(struct pst_pool *pool, size_t worker, const char *why);
/* Counts a job that a worker gives back untried. After more in a row than it may have at once, it is
 * dismissed. */
void pst_pool_count_return(struct pst_pool *pool, size_t worker);
/* A worker has done a job or failed it: jobs that it gave back or gave up before no longer count. */
void pst_pool_count_outcome(struct worker *worker);
/* Whether a peer was dismissed; the last MOST_TURNED_AWAY are remembered. */
bool pst_pool_was_dismissed(const struct pst_pool *pool, const uint8_t *peer);
/* Handles lost workers, batches that take too long, and an empty pool. */
PST_CHECKED enum pst_status pst_pool_look_after(struct pst_pool *pool, struct pst_error *error);

/* ---- assign.c ---- */

/* Gives batches that wait to workers that take more. */
PST_CHECKED enum pst_status pst_pool_give_out(struct pst_pool *pool, struct pst_error *error);

/* ---- answers.c ---- */

/* Takes a peer's message: a greeting, an answer, a failure, or one that no peer should send. */
PST_CHECKED enum pst_status pst_pool_take(struct pst_pool *pool, const struct pst_message *message,
                                          struct pst_error *error);

/* ---- report.c ---- */

/* Shows the state if a signal came (pst_report_on_signal) or it is due; end: in any case. */
void pst_pool_report(struct pst_pool *pool, bool end);

#endif
