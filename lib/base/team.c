/*
 * A team divides rounds over threads. One atomic number holds which run it is and how many rounds are left to
 * take, so that a helper which comes late, because its processor has other work, finds nothing to take, and
 * no thread waits for it. The caller waits only for rounds that were begun.
 */
#include "pipestill/base.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

/* The next run usually comes within microseconds, so a thread looks for it before it sleeps: first with
 * pauses, then for some tenths of a millisecond it lets others have its processor between two looks. So many
 * numbers are worth waking it. */
enum { PAUSES = 1000, LOOKS = PAUSES + 400, NUMBERS = 16384 };

struct helper {
    struct pst_team *team;
    size_t number;
    pthread_t thread;
};

struct pst_team {
    _Atomic uint64_t state; /* the run's number, then 32 bits: how many portions are left to take */
    _Atomic size_t unfinished, sleeping, allowed; /* allowed: helpers that may take part */
    _Atomic bool ending, waiting;                 /* waiting: the caller sleeps */
    pst_round *round;                             /* of this run, as the next three */
    const void *context;
    size_t count, portions;
    size_t threads, most, started;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    struct helper helpers[]; /* [most - 1] */
};

static void wait_after(int look)
{
    if (look >= PAUSES)
        sched_yield();
#if defined(__x86_64__)
    else
        __builtin_ia32_pause();
#endif
}

/* ---- rounds -------------------------------------------------------------------------------------------- */

static size_t left_to_take(const struct pst_team *team)
{
    return (uint32_t)atomic_load(&team->state);
}

/* Takes a portion of the rounds and makes them. Returns false if none is left. */
static bool take_part(struct pst_team *team)
{
    uint64_t state = atomic_load(&team->state);
    do {
        if ((uint32_t)state == 0)
            return false;
    } while (!atomic_compare_exchange_weak(&team->state, &state, state - 1));
    /* From here on the run cannot end, so what it consists of may be read. */
    size_t number = team->portions - (uint32_t)state;
    for (size_t i = number * team->count / team->portions; i < (number + 1) * team->count / team->portions;
         i++)
        team->round(team->context, i);
    if (atomic_fetch_sub(&team->unfinished, 1) == 1 && atomic_load(&team->waiting)) {
        pthread_mutex_lock(&team->lock);
        pthread_cond_signal(&team->done);
        pthread_mutex_unlock(&team->lock);
    }
    return true;
}

static void wait_for_the_rest(struct pst_team *team)
{
    for (int look = 0; look < LOOKS && atomic_load(&team->unfinished) > 0; look++)
        wait_after(look);
    if (atomic_load(&team->unfinished) == 0)
        return;
    pthread_mutex_lock(&team->lock);
    atomic_store(&team->waiting, true);
    while (atomic_load(&team->unfinished) > 0)
        pthread_cond_wait(&team->done, &team->lock);
    atomic_store(&team->waiting, false);
    pthread_mutex_unlock(&team->lock);
}

/* ---- helpers ------------------------------------------------------------------------------------------- */

static bool may_work(const struct helper *helper)
{
    return helper->number < atomic_load(&helper->team->allowed) && left_to_take(helper->team) > 0;
}

/* Returns false if the team ends. */
static bool wait_for_work(const struct helper *helper)
{
    struct pst_team *team = helper->team;
    for (int look = 0; look < LOOKS; look++) {
        if (may_work(helper))
            return true;
        wait_after(look);
    }
    pthread_mutex_lock(&team->lock);
    atomic_fetch_add(&team->sleeping, 1);
    while (!atomic_load(&team->ending) && !may_work(helper))
        pthread_cond_wait(&team->work, &team->lock);
    atomic_fetch_sub(&team->sleeping, 1);
    pthread_mutex_unlock(&team->lock);
    return !atomic_load(&team->ending);
}

static void *help(void *argument)
{
    const struct helper *helper = argument;
    while (wait_for_work(helper))
        while (take_part(helper->team))
            ;
    return NULL;
}

/* Wakes helpers that sleep, no more than there are rounds for. */
static void wake(struct pst_team *team, size_t most)
{
    pthread_mutex_lock(&team->lock);
    for (size_t i = 0; i < most && i < team->started; i++)
        pthread_cond_signal(&team->work);
    pthread_mutex_unlock(&team->lock);
}

/* Starts helpers with all signals blocked, so that the caller's thread gets them. If one cannot be started,
 * there are fewer. */
static void start_helpers(struct pst_team *team)
{
    sigset_t all, before;
    if (team->started + 1 >= team->threads)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (team->started + 1 < team->threads) {
        struct helper *helper = &team->helpers[team->started];
        *helper = (struct helper){ .team = team, .number = team->started };
        if (pthread_create(&helper->thread, NULL, help, helper) != 0)
            break;
        team->started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- the caller ---------------------------------------------------------------------------------------- */

struct pst_team *pst_team_new(size_t most, struct pst_error *error)
{
    struct pst_team *team = pst_allocate(1, sizeof *team + most * sizeof *team->helpers, error);
    if (team == NULL)
        return NULL;
    team->most = most;
    team->threads = 1;
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->work, NULL);
    pthread_cond_init(&team->done, NULL);
    return team;
}

void pst_team_free(struct pst_team *team)
{
    if (team == NULL)
        return;
    atomic_store(&team->ending, true);
    wake(team, team->started);
    for (size_t i = 0; i < team->started; i++)
        pthread_join(team->helpers[i].thread, NULL);
    pthread_cond_destroy(&team->done);
    pthread_cond_destroy(&team->work);
    pthread_mutex_destroy(&team->lock);
    free(team);
}

void pst_team_use(struct pst_team *team, size_t threads)
{
    team->threads = threads < 1 ? 1 : threads < team->most ? threads : team->most;
    atomic_store(&team->allowed, team->threads - 1);
}

size_t pst_team_threads(const struct pst_team *team)
{
    return team == NULL ? 1 : team->threads;
}

size_t pst_team_rounds(const struct pst_team *team, size_t items, size_t numbers)
{
    size_t most = numbers / NUMBERS < items ? numbers / NUMBERS : items, threads = pst_team_threads(team);
    most = most < threads ? most : threads;
    return most > 0 ? most : 1;
}

void pst_parallel(struct pst_team *team, size_t count, pst_round *round, const void *context)
{
    if (team == NULL || team->threads == 1 || count < 2) {
        for (size_t i = 0; i < count; i++)
            round(context, i);
        return;
    }
    start_helpers(team);
    team->round = round;
    team->context = context;
    team->count = count;
    /* More would cost more than an even end is worth. */
    team->portions = count < 32 * team->threads ? count : 16 * team->threads;
    atomic_store(&team->unfinished, team->portions);
    uint64_t run = (atomic_load(&team->state) >> 32) + 1;
    atomic_store(&team->state, run << 32 | team->portions);
    if (atomic_load(&team->sleeping) > 0)
        wake(team, team->portions - 1);
    while (take_part(team))
        ;
    wait_for_the_rest(team);
}
