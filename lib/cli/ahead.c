/*
 * Reading ahead: a thread of its own reads the next batches while the stage answers to this one. Batches come
 * in the same order, and the first error is the same, as without it, unless memory is short.
 */
#include "lib/cli/frame.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* Batches that are in memory at a time: many if they are small, because to wake the thread for each would
 * take longer than they do; fewer if they are large. */
enum { FEWEST = 2, MOST = 16 };
#define MUCH_MEMORY (32.0 * (1 << 20))

/* A batch, or what came in its place: the end of the stream, or an error. */
struct place {
    struct pst_job job;
    enum pst_status status;
    struct pst_error error;
};

struct ahead {
    struct place places[MOST]; /* [count], filled and emptied in turn */
    size_t count;
    sem_t filled, empty; /* how many are */
    atomic_bool closed;  /* no more is wanted */
    atomic_bool reading; /* the thread may wait for input */
    atomic_bool ended;   /* the thread reads no more */
};

static void wait_for_place(struct ahead *ahead)
{
    while (sem_wait(&ahead->empty) != 0 && errno == EINTR)
        continue;
}

static void *read_ahead(void *argument)
{
    struct ahead *ahead = argument;
    enum pst_status status = PST_OK;
    for (size_t i = 0; status == PST_OK; i = (i + 1) % ahead->count) {
        struct place *place = &ahead->places[i];
        wait_for_place(ahead);
        atomic_store(&ahead->reading, true); /* before it looks whether it may */
        if (atomic_load(&ahead->closed))
            break;
        status = place->status = pst_job_fetch(&place->job, &place->error);
        atomic_store(&ahead->reading, false);
        if (status != PST_OK)
            atomic_store(&ahead->ended, true);
        sem_post(&ahead->filled);
    }
    atomic_store(&ahead->ended, true);
    return NULL;
}

/* Waits until a batch is read, or a second is over. Returns whether it is read. */
static bool wait_a_second(struct ahead *ahead)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    return sem_timedwait(&ahead->filled, &until) == 0;
}

/* Waits until a batch is read. A signal that stops the program ends the wait; one that comes just before it,
 * within a second. */
static enum pst_status wait_for_batch(struct ahead *ahead, struct pst_error *error)
{
    do {
        if (pst_stop_signal() != 0)
            return pst_fail(error, PST_STOPPED, "stopped by a signal");
    } while (!wait_a_second(ahead));
    return PST_OK;
}

/* Receives what is in a place, and notes how long it took to come. */
static enum pst_status take_batch(struct ahead *ahead, struct place *place, double *waited,
                                  struct pst_error *error)
{
    double begun = pst_seconds();
    pst_state_doing(PST_WAITING_FOR_INPUT);
    enum pst_status status = wait_for_batch(ahead, error);
    pst_state_doing(PST_WORKING);
    *waited += pst_seconds() - begun;
    place->job.waited = *waited;
    if (status != PST_OK || place->status == PST_OK)
        return status;
    *error = place->error;
    return place->status;
}

/* Gives half of all places back at a time. i: the place that was emptied last. */
static void give_back(struct ahead *ahead, size_t i)
{
    size_t half = ahead->count / 2;
    for (size_t k = 0; k < half && (i + 1) % half == 0; k++)
        sem_post(&ahead->empty);
}

static enum pst_status pass_batches(struct pst_frame *frame, struct ahead *ahead, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    double waited = 0;
    for (size_t i = 0; status == PST_OK; i = (i + 1) % ahead->count) {
        struct place *place = &ahead->places[i];
        status = take_batch(ahead, place, &waited, error);
        frame->input_ended = status == PST_END;
        if (status == PST_OK)
            status = pst_job_finish(&place->job, error);
        give_back(ahead, i);
    }
    return status;
}

/* Has the thread end. Returns false if it waits for input, and nothing can end that. */
static bool end_thread(struct ahead *ahead, pthread_t thread, struct pst_reader *reader)
{
    atomic_store(&ahead->closed, true);
    sem_post(&ahead->empty);
    bool may_wait = atomic_load(&ahead->reading) && !atomic_load(&ahead->ended);
    if (may_wait && !pst_reader_interrupt(reader)) {
        pthread_detach(thread);
        return false;
    }
    pthread_join(thread, NULL);
    return true;
}

static void free_ahead(struct ahead *ahead)
{
    for (size_t i = 0; i < ahead->count; i++)
        pst_job_free(&ahead->places[i].job);
    sem_destroy(&ahead->filled);
    sem_destroy(&ahead->empty);
    free(ahead);
}

/* An even number of places. A stream can say what it likes of itself, so no number is too large. */
static size_t places_for(const struct pst_header *header)
{
    double epochs = header->epochs > 0 ? (double)header->epochs : 1, sample = 1;
    double samples = header->batches > 0 ? (double)header->samples * epochs / (double)header->batches : 128;
    for (size_t i = 0; i < header->tensor_count; i++)
        sample += (double)header->tensors[i].sample_bytes;
    double count = MUCH_MEMORY / (sample * (samples + 1));
    return count < FEWEST ? FEWEST : count > MOST ? MOST : (size_t)count / 2 * 2;
}

static struct ahead *new_ahead(struct pst_frame *frame)
{
    struct ahead *ahead = pst_allocate(1, sizeof *ahead, NULL);
    if (ahead == NULL)
        return NULL;
    *ahead = (struct ahead){ .count = places_for(&frame->streams.header) };
    for (size_t i = 0; i < ahead->count; i++)
        ahead->places[i].job.run = frame->run;
    sem_init(&ahead->filled, 0, 0);
    sem_init(&ahead->empty, 0, (unsigned)ahead->count);
    return ahead;
}

bool pst_may_read_ahead(const struct pst_frame *frame)
{
    unsigned traits = frame->stage->traits;
    bool alone = frame->common.threads == 1 || frame->common.jobs > 1 || pst_processors() == 1;
    return (traits & PST_READS_AHEAD) != 0 && !alone;
}

enum pst_status pst_ahead_pass(struct pst_frame *frame, struct pst_error *error)
{
    struct ahead *ahead = new_ahead(frame);
    pthread_t thread;
    if (ahead == NULL || pthread_create(&thread, NULL, read_ahead, ahead) != 0) {
        if (ahead != NULL)
            free_ahead(ahead);
        return pst_batches_pass(frame, error);
    }
    enum pst_status status = pass_batches(frame, ahead, error);
    frame->abandoned = !end_thread(ahead, thread, frame->streams.reader);
    if (frame->abandoned)
        frame->left_to_thread = ahead;
    else
        free_ahead(ahead);
    if (frame->stage->leave != NULL)
        frame->stage->leave(&frame->run);
    return status;
}
