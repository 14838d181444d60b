/*
 * Jobs: several threads answer batches. One thread at a time reads the next batch, or lets a source take
 * it, and takes a ticket with it. All threads work at once, but write in the order of their tickets, so
 * answers, errors and bytes are those of one job. --jobs says how many there are. Without it a run begins
 * with one, in the main thread; more are started while processors are idle, and rest when they are not.
 */
#include "lib/cli/frame.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* A job and its thread. */
struct worker {
    struct pst_job job;
    struct crew *crew;
    pthread_t thread;
    bool ended; /* under the crew's lock */
};

struct crew {
    pthread_mutex_t lock;   /* for the members from here to the error */
    pthread_cond_t change;  /* to those that work */
    pthread_cond_t call;    /* to those that rest */
    size_t wanted;          /* jobs that work; the others rest */
    bool adapts;            /* their number follows the processors that are idle */
    struct pst_idle idle;   /* if it adapts */
    size_t working;         /* threads that have not ended */
    bool reading;           /* a thread reads */
    bool closed;            /* there is nothing more to read */
    uint64_t tickets, turn; /* batches read, and the one that is to be written */
    enum pst_status status; /* PST_OK until a batch, or the stream's end, ends the run */
    struct pst_error error;
    void *self; /* the stage's struct, as it was before the first batch */
    size_t count;
    struct worker workers[]; /* [count], with room for all jobs */
};

static bool start_worker(struct crew *crew, struct pst_frame *frame);

/* Tells all threads that something has changed; those that rest need to know only of the end. */
static void announce(struct crew *crew)
{
    pthread_cond_broadcast(&crew->change);
    if (crew->closed)
        pthread_cond_broadcast(&crew->call);
}

/* Waits until no other thread reads. Returns whether there is something to read. */
static bool begin_reading(struct crew *crew, const struct worker *worker)
{
    size_t place = (size_t)(worker - crew->workers);
    pthread_mutex_lock(&crew->lock);
    while (!crew->closed && (place >= crew->wanted || crew->reading))
        pthread_cond_wait(place >= crew->wanted ? &crew->call : &crew->change, &crew->lock);
    bool open = !crew->closed;
    crew->reading = crew->reading || open;
    pthread_mutex_unlock(&crew->lock);
    return open;
}

/* Whether there is memory for one more job, which takes as much as each until now, and for others. None is
 * added below a limit of address space, which --jobs alone may reach. */
static bool has_memory(const struct crew *crew)
{
    struct rusage usage;
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY ||
        getrusage(RUSAGE_SELF, &usage) != 0)
        return false;
    size_t jobs = crew->count > 0 ? crew->count : 1;
    return pst_free_memory() / 2 > (size_t)usage.ru_maxrss * 1024 / jobs;
}

/* Starts jobs, calls those that rest, or lets some rest. */
static void settle_number(struct crew *crew, struct pst_frame *frame)
{
    size_t wanted = pst_idle_jobs(&crew->idle);
    while (crew->count < wanted && has_memory(crew) && start_worker(crew, frame))
        continue;
    if (crew->count < wanted) /* there will not be more; one job is there before the first worker */
        wanted = crew->idle.most = crew->idle.threads = crew->count > 0 ? crew->count : 1;
    if (wanted > crew->wanted)
        pthread_cond_broadcast(&crew->call);
    crew->wanted = wanted;
}

/*
 * Gives a ticket for a batch, or for the stream's end. Returns false if the run has ended meanwhile: then no
 * thread waits for this one, and the stage's memory may be freed.
 */
static bool end_reading(struct crew *crew, struct pst_frame *frame, enum pst_status status, uint64_t *ticket)
{
    pthread_mutex_lock(&crew->lock);
    bool open = !crew->closed;
    crew->reading = false;
    crew->closed = crew->closed || status != PST_OK;
    *ticket = crew->tickets;
    crew->tickets += open;
    if (crew->adapts && !crew->closed)
        settle_number(crew, frame);
    announce(crew);
    pthread_mutex_unlock(&crew->lock);
    return open;
}

/* Waits until all batches before are written. Returns whether the run continues. */
static bool begin_turn(struct crew *crew, uint64_t ticket)
{
    pthread_mutex_lock(&crew->lock);
    while (crew->turn != ticket)
        pthread_cond_wait(&crew->change, &crew->lock);
    bool on = crew->status == PST_OK;
    pthread_mutex_unlock(&crew->lock);
    return on;
}

/* Lets the next one write. The first status that is not PST_OK ends the run. */
static void end_turn(struct crew *crew, enum pst_status status, const struct pst_error *error)
{
    pthread_mutex_lock(&crew->lock);
    crew->turn++;
    if (crew->status == PST_OK && status != PST_OK) {
        crew->status = status;
        crew->error = *error;
        crew->closed = true;
    }
    announce(crew);
    pthread_mutex_unlock(&crew->lock);
}

/* Takes a batch through all steps. Returns false if there are no more. */
static bool pass_batch(struct crew *crew, struct worker *worker)
{
    struct pst_job *job = &worker->job;
    struct pst_error error = { 0 };
    if (!begin_reading(crew, worker))
        return false;
    enum pst_status status = pst_job_read(job, &error);
    uint64_t ticket;
    bool answered = false;
    if (!end_reading(crew, job->run.frame, status, &ticket))
        return false;
    if (status == PST_OK) {
        status = pst_job_answer(job, &error);
        answered = pst_job_has_answer(job, status);
    }
    if (answered)
        pst_batch_sum(&job->out, job->run.frame->out.tensor_count);
    if (begin_turn(crew, ticket) && answered) {
        enum pst_status written = pst_job_write(job, &error);
        status = written == PST_OK ? status : written;
    }
    end_turn(crew, status, &error);
    return status == PST_OK;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct crew *crew = worker->crew;
    while (pass_batch(crew, worker))
        continue;
    pthread_mutex_lock(&crew->lock);
    worker->ended = true;
    crew->working--;
    announce(crew);
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

static void free_worker(struct worker *worker, const struct pst_stage *stage)
{
    if (stage->leave != NULL)
        stage->leave(&worker->job.run);
    pst_job_free(&worker->job);
    free(worker->job.run.self);
}

/* Ends the run before it begins: there is no memory for what each job needs. */
static void refuse_jobs(struct crew *crew, size_t jobs)
{
    crew->closed = true;
    crew->status = pst_fail(&crew->error, PST_TRY_AGAIN, "--jobs %zu: there is memory for only %zu of them",
                            jobs, crew->count);
}

/* Lets a job take the memory that it needs. */
static bool join(const struct pst_frame *frame, struct pst_job *job)
{
    const struct pst_stage *stage = frame->stage;
    struct pst_batch *out = pst_frame_writes(frame) ? &job->out : NULL;
    if (stage->join == NULL)
        return true;
    return (out == NULL || pst_batch_follow(out, &frame->out, NULL) == PST_OK) &&
           stage->join(&job->run, out, NULL) == PST_OK;
}

/* Starts a worker with a copy of the stage's struct. Returns false if memory or threads are short. */
static bool start_worker(struct crew *crew, struct pst_frame *frame)
{
    const struct pst_stage *stage = frame->stage;
    struct worker *worker = &crew->workers[crew->count];
    size_t size = stage->size;
    *worker = (struct worker){ .crew = crew, .job.run.frame = frame };
    worker->job.run.self = pst_allocate(1, size + 1, NULL);
    if (worker->job.run.self == NULL)
        return false;
    memcpy(worker->job.run.self, crew->self, size);
    bool joined = join(frame, &worker->job);
    if (joined && pthread_create(&worker->thread, NULL, work, worker) == 0) {
        crew->working++;
        crew->count++;
        return true;
    }
    if (!joined && !crew->adapts)
        refuse_jobs(crew, frame->common.jobs);
    free_worker(worker, stage);
    return false;
}

/* Starts all workers; they wait for the lock until all are started. The output does not depend on their
 * number, so the run continues with fewer. */
static enum pst_status start_workers(struct crew *crew, struct pst_frame *frame, struct pst_error *error)
{
    size_t jobs = frame->common.jobs;
    pthread_mutex_lock(&crew->lock);
    while (crew->count < jobs && start_worker(crew, frame))
        continue;
    bool complete = crew->count == jobs || crew->status != PST_OK; /* before one of them ends the run */
    pthread_mutex_unlock(&crew->lock);
    if (complete)
        return PST_OK;
    pst_fail(error, PST_TRY_AGAIN, "--jobs %zu: only %zu could be started", jobs, crew->count);
    if (crew->count == 0)
        return PST_TRY_AGAIN;
    pst_say(&frame->run, "%s", error->message);
    return PST_OK;
}

/*
 * Waits until all threads have ended. Returns false if one is left that waits for input and cannot be woken.
 */
static bool wait_for_workers(struct crew *crew, struct pst_reader *reader)
{
    bool told = false;
    pthread_mutex_lock(&crew->lock);
    while (crew->working > 0) {
        bool alone = reader != NULL && crew->closed && crew->reading && crew->working == 1;
        if (alone && !told && !(told = pst_reader_interrupt(reader)))
            break;
        pthread_cond_wait(&crew->change, &crew->lock);
    }
    bool all = crew->working == 0;
    for (size_t i = 0; i < crew->count; i++) {
        if (crew->workers[i].ended) /* it does not need the lock any more */
            pthread_join(crew->workers[i].thread, NULL);
        else
            pthread_detach(crew->workers[i].thread);
    }
    pthread_mutex_unlock(&crew->lock);
    return all;
}

static void free_crew(struct crew *crew, const struct pst_frame *frame)
{
    for (size_t i = 0; i < crew->count; i++)
        free_worker(&crew->workers[i], frame->stage);
    pthread_mutex_destroy(&crew->lock);
    pthread_cond_destroy(&crew->change);
    pthread_cond_destroy(&crew->call);
    free(crew->self);
    free(crew);
}

/* A crew with room for so many jobs. Returns NULL if memory is short. */
static struct crew *new_crew(const struct pst_frame *frame, size_t jobs, struct pst_error *error)
{
    size_t size = frame->stage->size;
    struct crew *crew = pst_allocate(1, sizeof *crew + jobs * sizeof(struct worker), error);
    if (crew == NULL)
        return NULL;
    crew->self = pst_allocate(1, size + 1, error);
    if (crew->self == NULL) {
        free(crew);
        return NULL;
    }
    memcpy(crew->self, frame->run.self, size);
    crew->wanted = jobs;
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->change, NULL);
    pthread_cond_init(&crew->call, NULL);
    return crew;
}

/* Lets the workers work to the end. */
static enum pst_status end_crew(struct crew *crew, struct pst_frame *frame, struct pst_error *error)
{
    frame->abandoned = !wait_for_workers(crew, frame->streams.reader);
    enum pst_status status = crew->status;
    *error = crew->error;
    if (frame->abandoned)
        frame->left_to_thread = crew;
    else
        free_crew(crew, frame);
    return status;
}

enum pst_status pst_jobs_pass(struct pst_frame *frame, struct pst_error *error)
{
    struct crew *crew = new_crew(frame, frame->common.jobs, error);
    if (crew == NULL)
        return PST_TRY_AGAIN;
    enum pst_status status = start_workers(crew, frame, error);
    if (status == PST_OK)
        return end_crew(crew, frame, error);
    free_crew(crew, frame);
    return status;
}

/* ---- without --jobs ------------------------------------------------------------------------------------ */

bool pst_may_add_jobs(const struct pst_frame *frame)
{
    const struct pst_common *common = &frame->common;
    return (frame->stage->traits & PST_PARALLEL) != 0 && common->jobs == 0 && common->threads == 0 &&
           pst_processors() > 1;
}

/* Passes batches in this thread while one job is enough. */
static enum pst_status pass_with_one(struct pst_job *job, struct pst_idle *idle, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    while (status == PST_OK && pst_idle_jobs(idle) == 1) {
        status = pst_job_read(job, error);
        if (status == PST_OK)
            status = pst_job_finish(job, error);
    }
    return status;
}

static void end_job(const struct pst_frame *frame, struct pst_job *job)
{
    if (frame->stage->leave != NULL)
        frame->stage->leave(&job->run);
    pst_job_free(job);
}

/* Ends the job of this thread, if others take its place. Returns whether they do. */
static bool hand_over(struct crew *crew, struct pst_frame *frame, struct pst_job *job)
{
    pthread_mutex_lock(&crew->lock);
    settle_number(crew, frame);
    bool started = crew->count > 0;
    if (started)
        end_job(frame, job);
    pthread_mutex_unlock(&crew->lock);
    return started;
}

enum pst_status pst_jobs_add(struct pst_frame *frame, struct pst_error *error)
{
    struct crew *crew = new_crew(frame, pst_processors(), error);
    struct pst_job job = { .run = frame->run };
    enum pst_status status = PST_OK;
    if (crew == NULL)
        return PST_TRY_AGAIN;
    crew->adapts = true;
    pst_idle_start(&crew->idle);
    while (status == PST_OK) {
        status = pass_with_one(&job, &crew->idle, error);
        if (status == PST_OK && hand_over(crew, frame, &job))
            return end_crew(crew, frame, error);
    }
    end_job(frame, &job);
    free_crew(crew, frame);
    return status;
}
