/* Stopping by signal: a mark instead of sudden death, for programs that have something to save. */
#include "pipestill/base.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t received;

static void mark(int number)
{
    received = number;
}

void pst_stop_on_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = mark;
    /* No SA_RESTART: a read that waits must return. The second signal finds the default action. */
    action.sa_flags = (int)SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int pst_stop_signal(void)
{
    return received;
}
