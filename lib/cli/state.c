/*
 * SIGUSR1: one line says what the program is doing. The handler itself prints it, because a stage that waits
 * could not. So it calls only write and the clock, and it reads its figures from here, where each is atomic.
 */
#include "lib/cli/frame.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static struct {
    const char *stage;
    atomic_int doing; /* of enum pst_doing */
    atomic_bool draws;
    _Atomic double began;
    _Atomic uint64_t batches, total_batches, samples, epoch, epochs;
} state;

struct line {
    char text[400];
    size_t length;
};

static void add(struct line *line, const char *text)
{
    for (; *text != '\0' && line->length < sizeof line->text; text++)
        line->text[line->length++] = *text;
}

static void add_number(struct line *line, uint64_t number)
{
    char digits[24] = "";
    size_t at = sizeof digits - 1;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    add(line, digits + at);
}

/* "3 of 5"; the total is left out if it is not known. */
static void add_share(struct line *line, uint64_t part, uint64_t whole)
{
    add_number(line, part);
    if (whole > 0)
        add(line, " of ");
    if (whole > 0)
        add_number(line, whole);
}

static void add_figures(struct line *line)
{
    add(line, "; ");
    add_share(line, atomic_load(&state.batches), atomic_load(&state.total_batches));
    add(line, " batches, epoch ");
    add_share(line, atomic_load(&state.epoch) + 1, atomic_load(&state.epochs));
    add(line, ", ");
    add_number(line, atomic_load(&state.samples));
    add(line, " samples in ");
    add_number(line, (uint64_t)(pst_seconds() - atomic_load(&state.began)));
    add(line, " s");
}

static void print_state(int number)
{
    static const char *const words[] = { [PST_STARTING] = "starting",
                                         [PST_WAITING_FOR_INPUT] = "waiting for input",
                                         [PST_WORKING] = "working",
                                         [PST_WAITING_FOR_OUTPUT] = "waiting for output",
                                         [PST_ENDING] = "ending" };
    int before = errno;
    struct line line = { .length = 0 };
    (void)number;
    if (atomic_load(&state.draws))
        add(&line, "\r\033[K"); /* the progress line is drawn again later */
    add(&line, state.stage);
    add(&line, ": ");
    add(&line, words[atomic_load(&state.doing)]);
    if (atomic_load(&state.began) > 0)
        add_figures(&line);
    add(&line, "\n");
    if (write(STDERR_FILENO, line.text, line.length) < 0) {
        /* nowhere is left to say so */
    }
    errno = before;
}

void pst_state_begin(const char *stage)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = print_state;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    state.stage = stage;
    sigaction(SIGUSR1, &action, NULL);
}

void pst_state_doing(enum pst_doing doing)
{
    atomic_store_explicit(&state.doing, doing, memory_order_relaxed);
}

void pst_state_figures(const struct pst_progress *progress)
{
    atomic_store_explicit(&state.batches, progress->batches, memory_order_relaxed);
    atomic_store_explicit(&state.samples, progress->samples, memory_order_relaxed);
    atomic_store_explicit(&state.epoch, progress->epoch, memory_order_relaxed);
    atomic_store_explicit(&state.total_batches, progress->total_batches, memory_order_relaxed);
    atomic_store_explicit(&state.epochs, progress->epochs, memory_order_relaxed);
    atomic_store_explicit(&state.draws, progress->draws, memory_order_relaxed);
    atomic_store_explicit(&state.began, progress->began, memory_order_relaxed);
}
