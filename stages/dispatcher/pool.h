/* pool.h: what the files of the dispatcher share. One thread reads; everything else is the main thread's. */
#ifndef PIPESTILL_DISPATCHER_POOL_H
#define PIPESTILL_DISPATCHER_POOL_H

#include "lib/transport/pool.h"
#include "pipestill.h"

#include <pthread.h>

enum {
    MOST_FAILURES = 3,  /* of a batch, and of a worker in a row */
    MOST_LOSSES = 10,   /* of workers that were at the same batch: most die of something else */
    MOST_CREDIT = 1024, /* jobs that a worker may have: the most of its --ahead */
    WORKER_NAME = 96,
    MOST_TURNED_AWAY = 64, /* dismissed workers that are remembered */
};

/* ---- window.c: batches that were read and are not yet written ---- */

/* A worker as a batch remembers it, which may have gone since. */
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
    size_t failures; /* answers that were none, or did not come in time */
    struct failed_worker failed_by[MOST_FAILURES];
    double failed_at; /* the last time */
    size_t losses;    /* workers that went while they were at it */
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
    uint64_t answered;     /* of them, those that have their answers */
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
PST_CHECKED enum pst_status window_open(struct window *window, struct pst_reader *reader,
                                        const struct pst_link_settings *settings, struct pst_error *error);
/* How many batches have been read so far, and whether that is all. */
uint64_t window_filled(struct window *window, bool *ended);
/* The slot of a batch between emptied and filled, counted from 0. */
struct slot *window_slot(struct window *window, uint64_t number);
/* A slot has its answer, which takes so many bytes more. */
void window_answered(struct window *window, struct slot *slot, size_t bytes);
/* For how many answers there is room, those that are awaited counted. */
size_t window_room_for_answers(struct window *window);
/* Empties the oldest slot, which has its answer. */
void window_advance(struct window *window);
/* Ends the thread, where it does not wait for input that cannot be interrupted; returns whether it has ended.
 */
bool window_close(struct window *window);

/* ---- the pool ---- */

/* A batch that a worker has, whether or not others have got it since. */
struct job {
    uint64_t seq;
    double given_at;
    bool late; /* it took too long: the batch waits for another worker */
};

struct worker {
    uint64_t number; /* in the order of coming, from 1: what others remember it by */
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
    double since; /* when it came */
};

/* What those did who went. */
struct departed {
    uint64_t workers, answered, samples, failed;
};

/* The stage. */
struct pool {
    double batch_timeout, no_worker_timeout; /* seconds */
    const char *endpoint;                    /* as the user typed it; borrowed */
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
    double began, pinged, logged, said;
    double alone_since; /* 0 while there are workers */
    bool told_alone, told_late;
    enum pst_status verdict; /* not PST_OK: the run must end, and why */
    struct pst_error reason;
};

#define NO_WORKER SIZE_MAX

/* ---- workers.c ---- */

/* The place in pool->workers of a peer that has greeted before, or NO_WORKER. */
size_t find_worker(const struct pool *pool, const uint8_t *peer);
/* How many workers are there now. */
size_t present_workers(const struct pool *pool);
/* Takes a greeting; a worker that greets again has forgotten its jobs. */
PST_CHECKED enum pst_status welcome(struct pool *pool, const struct pst_message *message,
                                    const struct pst_pool_control *control, struct pst_error *error);
/* A worker has gone: what it had is to be given out again. */
void lose_worker(struct pool *pool, size_t worker, const char *why);
/* Tells a worker to go for good, and why. */
void dismiss(struct pool *pool, size_t worker, const char *why);
/* Whether a peer was dismissed; the last MOST_TURNED_AWAY are remembered. */
bool was_dismissed(const struct pool *pool, const uint8_t *peer);
/* Looks after workers that went, batches that take too long, and a pool that is empty. */
PST_CHECKED enum pst_status look_after(struct pool *pool, struct pst_error *error);
/* Sends a message to a worker; one that cannot be reached is lost, which is no error. */
PST_CHECKED enum pst_status send_to(struct pool *pool, size_t worker, enum pst_pool_kind kind, uint64_t seq,
                                    const void *bytes, size_t size, struct pst_error *error);
/* Sends a message without a job to all who are there. */
void tell_all(struct pool *pool, enum pst_pool_kind kind, const char *text);

/* ---- jobs.c ---- */

/* The slot of a batch that still wants an answer, or NULL. */
struct slot *find_slot(struct pool *pool, uint64_t seq);
/* A worker is done with a job, or gives it up: the batch waits again until it has an answer. Returns whether
 * the worker had it. */
bool drop_job(struct pool *pool, struct worker *worker, uint64_t seq);
/* All that a worker has waits again for another. */
void drop_jobs(struct pool *pool, struct worker *worker);
/* Whether a worker takes too long for what it is at. */
bool is_late(const struct pool *pool, const struct worker *worker, double now);
/* Finds the jobs that take too long, which others get then. */
void look_at_times(struct pool *pool, double now);
/* Gives batches that wait to workers with credit. */
PST_CHECKED enum pst_status give_out(struct pool *pool, struct pst_error *error);

/* ---- answers.c ---- */

/* Takes what a peer says: a greeting, an answer, a failure, or something that no peer should say. */
PST_CHECKED enum pst_status take_message(struct pool *pool, const struct pst_message *message,
                                         struct pst_error *error);

/* ---- blame.c ---- */

/* Whether a worker has failed a batch, or was late with it. */
bool has_failed(const struct slot *slot, const struct worker *worker);
/* Whether somebody is there who has not failed the batch, and answers in time. */
bool others_can_try(const struct pool *pool, const struct slot *slot, double now);
/* A worker could not do a batch: another one tries, but not for ever. had_it: the batch was its job. Returns
 * PST_OK, or PST_BAD_DATA where the batch has failed too often. */
PST_CHECKED enum pst_status take_failure(struct pool *pool, size_t place, uint64_t seq, bool had_it,
                                         const char *why, struct pst_error *error);
/* A worker says that it is there. Where its command is late all the same, that may be the fault of the batch
 * that it is at; one that is stopped or cut off says nothing. Returns as take_failure. */
PST_CHECKED enum pst_status take_sign_of_life(struct pool *pool, const struct worker *worker,
                                              struct pst_error *error);
/* A worker has gone: that may be the fault of the batch that it was at. Too many such losses are
 * pool->verdict. */
void count_loss(struct pool *pool, const struct worker *worker);

/* ---- compare.c ---- */

/* Whether an answer's header is what it must be: the workers' part alone. Writes what is wrong. */
bool answer_follows_input(const struct pst_header *answer, const struct pst_header *input, char *why,
                          size_t size);
/* Whether two workers did the same. Writes what differs. */
bool same_work(const struct pst_header *first, const struct pst_header *other, char *why, size_t size);

/* ---- report.c ---- */

/* Shows the state if it is asked for (pst_report_on_signal) or due; end: in any case. */
void report(struct pool *pool, bool end);

#endif
