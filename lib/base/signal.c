/* Signals that only set a mark: to stop, for programs that have something to save, and to report. */
#include "pipestill/base.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t received, asked;

/*
 * The second one ends the program at once, whichever the first was. Not SIGHUP: when a terminal is closed,
 * one comes from the kernel and one from the shell, and the first has something to save.
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
    /* No SA_RESTART: a read that waits must return. */
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
