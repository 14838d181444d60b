/*
 * command.h: a worker's child. The jobs' batches go into its standard input as one stream, numbered from 0;
 * the stream that comes out is cut into answers again. One thread feeds, one collects, one reads what the
 * child writes on standard error; the main thread puts jobs and takes answers.
 */
#ifndef PIPESTILL_LIB_COMMAND_H
#define PIPESTILL_LIB_COMMAND_H

#include "pipestill/pool.h"

#include <pthread.h>
#include <sys/types.h>

enum { KEPT = 320 }; /* bytes that are kept of what the child writes */

/* A job: the batch, and its answer once there is one. */
struct task {
    uint64_t seq;   /* as the dispatcher counts */
    uint64_t check; /* pst_batch_check of the batch */
    struct pst_batch batch;
    struct pst_buffer answer;
    size_t answer_size;
};

/* The threads of a command, in the order in which they are started. */
enum { LISTENER, COLLECTOR, FEEDER, COMMAND_THREADS };

struct command {
    struct pst_run *run; /* the worker's */
    char **arguments;    /* ended by NULL; borrowed */
    size_t room;         /* tasks at once */
    int event;           /* eventfd: something can be taken, or the child has ended */
    bool running;

    pid_t child;                        /* and the leader of its process group */
    pthread_t threads[COMMAND_THREADS]; /* the first thread_count run */
    size_t thread_count;
    struct pst_header header;  /* of the stream that is fed */
    struct pst_header answers; /* of an answer: what the command added */
    struct pst_writer *writer; /* the feeder's */
    struct pst_reader *reader; /* the collector's */
    int child_says;            /* the listener's */

    pthread_mutex_t lock; /* for everything below */
    pthread_cond_t change;
    struct task *tasks; /* task i is tasks[i % room] */
    uint64_t put, fed, answered, taken;
    bool closing, aborting; /* no more jobs will come; stop at once */
    bool ended;             /* the child's stream is over */
    struct pst_error error; /* why, if it was not the trailer */
    bool refused;           /* and this side ended it: what it wrote is no answer */
    char kept[KEPT];
    size_t kept_size;
};

/* Makes a command that does not run yet. */
PST_CHECKED enum pst_status pst_command_new(struct command *command, struct pst_run *run, char **arguments,
                                            size_t room, struct pst_error *error);

/* Starts the child for the stream of this header. Returns PST_OK; PST_UNAVAILABLE if it cannot be started;
 * PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_command_start(struct command *command, const struct pst_header *header,
                                              struct pst_error *error);

/* Whether there is no room for another job. */
bool pst_command_is_full(const struct command *command);
/* Puts a job; batch: exchanged for one that is not in use. */
void pst_command_put(struct command *command, struct pst_batch *batch);

/* The oldest task if it is answered, or NULL; valid until pst_command_took. */
struct task *pst_command_answer(struct command *command);
void pst_command_took(struct command *command);

/* Whether the child's stream is over. */
bool pst_command_has_ended(struct command *command);

/*
 * Ends the child, at once or after it has done what was put (patient).
 * why: receives how it ended, in words. Returns the exit code; 128 + the signal's number if a signal ended
 * it.
 */
int pst_command_stop(struct command *command, bool patient, char *why, size_t size);

/* The oldest task without an answer after pst_command_stop, or NULL; gives it up. */
struct task *pst_command_give_up(struct command *command);

void pst_command_free(struct command *command);

/* child.c: starts the child; in, out, says: receive this side's ends of its pipes. */
PST_CHECKED enum pst_status pst_child_start(char **arguments, pid_t *child, int *in, int *out, int *says,
                                            struct pst_error *error);
/* Waits for the child, up to so many seconds or until a signal stops the stage, and kills what is left of its
 * group. Returns as pst_command_stop. */
int pst_child_end(pid_t child, double seconds);

#endif
