/* Starting and ending a worker's child: in a process group of its own, so that a whole pipeline ends. */
#include "pipestill/linux.h"

#include "lib/pool/command.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void close_pair(int pair[2])
{
    for (int i = 0; i < 2; i++) {
        if (pair[i] >= 0)
            close(pair[i]);
    }
}

/* Starts the child with these three as standard input, output and error. Returns 0 or an errno. */
static int spawn(char **arguments, pid_t *child, int in, int out, int says)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, says, STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGXFSZ);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    int failure = posix_spawnp(child, arguments[0], &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failure;
}

enum pst_status pst_child_start(char **arguments, pid_t *child, int *in, int *out, int *says,
                                struct pst_error *error)
{
    int pipes[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
    int failure = 0;
    for (int i = 0; i < 3 && failure == 0; i++)
        failure = pipe2(pipes[i], O_CLOEXEC) == 0 ? 0 : errno;
    if (failure == 0)
        failure = spawn(arguments, child, pipes[0][0], pipes[1][1], pipes[2][1]);
    if (failure != 0) {
        for (int i = 0; i < 3; i++)
            close_pair(pipes[i]);
        return pst_fail(error, PST_UNAVAILABLE, "%s: cannot be started: %s", arguments[0], strerror(failure));
    }
    close(pipes[0][0]);
    close(pipes[1][1]);
    close(pipes[2][1]);
    *in = pipes[0][1];
    *out = pipes[1][0];
    *says = pipes[2][0];
    return PST_OK;
}

/* Whether the child has ended. It is not reaped, so its exit code can still be read. */
static bool has_ended(pid_t child)
{
    siginfo_t info = { 0 };
    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == child;
}

static void nap(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
}

int pst_child_end(pid_t child, double seconds)
{
    double until = pst_seconds() + seconds;
    while (!has_ended(child) && pst_seconds() < until && pst_stop_signal() == 0)
        nap();
    if (!has_ended(child)) {
        kill(-child, SIGTERM);
        kill(-child, SIGCONT);
        until = pst_seconds() + 1;
        while (!has_ended(child) && pst_seconds() < until)
            nap();
    }
    /* The child itself is not reaped yet, so no other process can have its number. */
    kill(-child, SIGKILL);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
