/*
 * Threads that make samples ahead. The plan is cut into runs of samples. Each thread takes the next run if
 * the ring has room for it; the caller waits for the run that holds its sample. A sample that cannot be made
 * ends its run. It is made once more when the caller gets it, so the error comes in its place.
 */
#include "lib/data/pictures/decoders.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define RUN_BYTES ((size_t)1 << 16)
#define MOST_RUN 64 /* samples */

/* A run of samples in the ring. */
struct run {
    size_t number; /* of the run in the plan, plus one; 0: it is not made */
    size_t good;   /* samples that were made, from its first one on */
};

struct decoders_thread {
    pthread_t thread;
    struct pst_decoders *decoders;
    size_t worker;
};

struct pst_decoders {
    pst_decode_function *decode;
    void *own;
    size_t sample_bytes, run_samples, ring_runs;
    size_t wanted, started; /* threads */
    bool tried;             /* to start threads */
    struct decoders_thread threads[PST_MOST_DECODERS];
    unsigned char *ring; /* [ring_runs, run_samples, sample_bytes] */
    struct run *runs;    /* [ring_runs] */
    struct pst_buffer plan;
    size_t position; /* in the plan: the caller's next sample; only the caller uses it */
    size_t seen;     /* the run, plus one, that is known to be made; only the caller uses it */
    /* under the lock: */
    pthread_mutex_t lock;
    pthread_cond_t room, made;
    size_t count;   /* samples of the plan */
    size_t claimed; /* runs that threads have taken */
    size_t left;    /* runs that the caller has left behind */
    size_t busy;    /* threads that make a run */
    bool closing;
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- threads ----------------------------------------------------------------------------------------- */

/* Makes the samples of a run. end: of the plan. */
static void make_run(struct pst_decoders *decoders, size_t number, size_t end, size_t worker)
{
    const size_t *plan = decoders->plan.data;
    size_t first = number * decoders->run_samples;
    end = smaller(first + decoders->run_samples, end);
    unsigned char *to =
        decoders->ring + number % decoders->ring_runs * decoders->run_samples * decoders->sample_bytes;
    struct run *run = &decoders->runs[number % decoders->ring_runs];
    run->good = 0;
    for (size_t i = first; i < end; i++, to += decoders->sample_bytes) {
        if (decoders->decode(decoders->own, worker, plan[i], to, NULL) != PST_OK)
            return;
        run->good++;
    }
}

static bool has_work(const struct pst_decoders *decoders)
{
    return decoders->claimed * decoders->run_samples < decoders->count &&
           decoders->claimed < decoders->left + decoders->ring_runs;
}

static void *work(void *argument)
{
    struct decoders_thread *self = argument;
    struct pst_decoders *decoders = self->decoders;
    pthread_mutex_lock(&decoders->lock);
    while (true) {
        while (!decoders->closing && !has_work(decoders))
            pthread_cond_wait(&decoders->room, &decoders->lock);
        if (decoders->closing)
            break;
        size_t number = decoders->claimed++, end = decoders->count;
        decoders->busy++;
        pthread_mutex_unlock(&decoders->lock);
        make_run(decoders, number, end, self->worker);
        pthread_mutex_lock(&decoders->lock);
        decoders->busy--;
        decoders->runs[number % decoders->ring_runs].number = number + 1;
        pthread_cond_signal(&decoders->made);
    }
    pthread_mutex_unlock(&decoders->lock);
    return NULL;
}

/* Starts the threads with all signals blocked, so that the caller's thread gets them. */
static void start_threads(struct pst_decoders *decoders)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 0; i < decoders->wanted; i++) {
        struct decoders_thread *thread = &decoders->threads[decoders->started];
        *thread = (struct decoders_thread){ .decoders = decoders, .worker = decoders->started };
        if (pthread_create(&thread->thread, NULL, work, thread) == 0)
            decoders->started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    decoders->tried = true;
}

/* ---- the caller ---------------------------------------------------------------------------------------- */

struct pst_decoders *pst_decoders_new(size_t count, size_t sample_bytes, pst_decode_function *decode,
                                      void *own, struct pst_error *error)
{
    struct pst_decoders *decoders = pst_allocate(1, sizeof *decoders, error);
    if (decoders == NULL)
        return NULL;
    decoders->wanted = smaller(count > 0 ? count : pst_processors(), PST_MOST_DECODERS);
    decoders->decode = decode;
    decoders->own = own;
    decoders->sample_bytes = sample_bytes;
    decoders->run_samples = smaller(RUN_BYTES / sample_bytes + 1, MOST_RUN);
    decoders->ring_runs = 2 * decoders->wanted + 1;
    pthread_mutex_init(&decoders->lock, NULL);
    pthread_cond_init(&decoders->room, NULL);
    pthread_cond_init(&decoders->made, NULL);
    decoders->runs = pst_allocate(decoders->ring_runs, sizeof *decoders->runs, error);
    decoders->ring = decoders->runs == NULL
                         ? NULL
                         : pst_allocate(decoders->ring_runs * decoders->run_samples, sample_bytes, error);
    if (decoders->ring != NULL)
        return decoders;
    pst_decoders_free(decoders);
    return NULL;
}

enum pst_status pst_decoders_plan(struct pst_decoders *decoders, const size_t *samples, size_t count,
                                  struct pst_error *error)
{
    pthread_mutex_lock(&decoders->lock);
    decoders->count = 0; /* so that no thread takes another run */
    while (decoders->busy > 0)
        pthread_cond_wait(&decoders->made, &decoders->lock);
    decoders->position = decoders->seen = decoders->claimed = decoders->left = 0;
    for (size_t i = 0; i < decoders->ring_runs; i++)
        decoders->runs[i].number = 0;
    enum pst_status status = pst_buffer_reserve(&decoders->plan, count * sizeof *samples, 0, error);
    if (status == PST_OK && count > 0) {
        memcpy(decoders->plan.data, samples, count * sizeof *samples);
        decoders->count = count;
    }
    pthread_cond_broadcast(&decoders->room);
    pthread_mutex_unlock(&decoders->lock);
    if (status == PST_OK && !decoders->tried)
        start_threads(decoders);
    return status;
}

/* Finds a sample among those that are planned next. Returns its position, or count. */
static size_t find_planned(const struct pst_decoders *decoders, size_t index)
{
    const size_t *plan = decoders->plan.data;
    size_t ahead = decoders->ring_runs * decoders->run_samples;
    size_t end = smaller(decoders->position + ahead, decoders->count);
    for (size_t i = decoders->position; i < end; i++)
        if (plan[i] == index)
            return i;
    return decoders->count;
}

/* Waits until a run is made; under the lock. */
static void wait_until_made(struct pst_decoders *decoders, size_t number)
{
    while (decoders->runs[number % decoders->ring_runs].number != number + 1)
        pthread_cond_wait(&decoders->made, &decoders->lock);
}

/* Waits until no thread writes the runs before this one, gives these up, and waits until this one is made. */
static void go_to_run(struct pst_decoders *decoders, size_t number)
{
    pthread_mutex_lock(&decoders->lock);
    for (size_t i = decoders->left; i < number && i < decoders->claimed; i++)
        wait_until_made(decoders, i);
    decoders->left = number;
    if (decoders->claimed < number) /* no thread has reached it */
        decoders->claimed = number;
    pthread_cond_broadcast(&decoders->room);
    wait_until_made(decoders, number);
    pthread_mutex_unlock(&decoders->lock);
    decoders->seen = number + 1;
}

enum pst_status pst_decoders_get(struct pst_decoders *decoders, size_t index, void *elements,
                                 struct pst_error *error)
{
    size_t position = decoders->started > 0 ? find_planned(decoders, index) : decoders->count;
    if (position < decoders->count) {
        size_t number = position / decoders->run_samples, place = position % decoders->run_samples;
        size_t slot = number % decoders->ring_runs;
        if (decoders->seen != number + 1)
            go_to_run(decoders, number);
        decoders->position = position + 1;
        if (place < decoders->runs[slot].good) {
            size_t at = (slot * decoders->run_samples + place) * decoders->sample_bytes;
            memcpy(elements, decoders->ring + at, decoders->sample_bytes);
            return PST_OK;
        }
    }
    return decoders->decode(decoders->own, PST_MOST_DECODERS, index, elements, error);
}

void pst_decoders_free(struct pst_decoders *decoders)
{
    if (decoders == NULL)
        return;
    pthread_mutex_lock(&decoders->lock);
    decoders->closing = true;
    pthread_cond_broadcast(&decoders->room);
    pthread_mutex_unlock(&decoders->lock);
    for (size_t i = 0; i < decoders->started; i++)
        pthread_join(decoders->threads[i].thread, NULL);
    pthread_mutex_destroy(&decoders->lock);
    pthread_cond_destroy(&decoders->room);
    pthread_cond_destroy(&decoders->made);
    pst_buffer_free(&decoders->plan);
    free(decoders->ring);
    free(decoders->runs);
    free(decoders);
}
