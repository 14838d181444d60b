/* Signals that only set a mark: for programs that save something before they stop, and for reports. */
#include "pipestill/base.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

/* Handlers may use them, and threads look at them. */
static atomic_int received, asked;

/*
 * The second signal ends the program at once, except SIGHUP: when a terminal is closed, the kernel and the
 * shell send one each, and the program has to save something after the first.
 */
static void mark(int number)
{
    if (received == 0) {
        received = number;
    } else if (number != SIGHUP) {
        signal(number, SIG_DFL);
        raise(number);
    }
}

static void mark_question(int number)
{
    (void)number;
    asked = 1;
}

static void handle(int number, void (*handler)(int), unsigned flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = (int)flags;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

void pst_stop_on_signals(void)
{
    /* Without SA_RESTART, so that a read that waits returns. */
    handle(SIGINT, mark, 0);
    handle(SIGTERM, mark, 0);
    struct sigaction before;
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) /* nohup ignores it */
        handle(SIGHUP, mark, 0);
}

void pst_report_on_signal(void)
{
    handle(SIGUSR1, mark_question, SA_RESTART);
}

bool pst_report_asked(void)
{
    bool was_asked = asked != 0;
    asked = 0;
    return was_asked;
}

int pst_stop_signal(void)
{
    return received;
}
