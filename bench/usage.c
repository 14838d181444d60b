/*
 * usage.c: runs a command and appends one line to a file: the command's wall time, user and system CPU time,
 * all in seconds, and the most memory that it held at a time, in KiB. Put it before each stage of a pipeline
 * to measure the stages separately.
 */
#include "pipestill/linux.h"

#include "pipestill/base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

static int fail(const char *what, int code)
{
    fprintf(stderr, "usage: %s: %s\n", what, strerror(errno));
    return code;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: usage FILE COMMAND [argument …]\n", stderr);
        return PST_USAGE;
    }
    double begun = pst_seconds();
    pid_t child = fork();
    if (child < 0)
        return fail("fork", PST_TRY_AGAIN);
    if (child == 0) {
        execvp(argv[2], argv + 2);
        _exit(fail(argv[2], 127));
    }
    int status;
    struct rusage used;
    if (wait4(child, &status, 0, &used) != child)
        return fail("wait4", PST_IO_ERROR);
    double wall = pst_seconds() - begun;
    FILE *file = fopen(argv[1], "a");
    if (file == NULL)
        return fail(argv[1], PST_IO_ERROR);
    fprintf(file, "%.6f %.6f %.6f %ld\n", wall, seconds(used.ru_utime), seconds(used.ru_stime),
            used.ru_maxrss);
    if (fclose(file) != 0)
        return fail(argv[1], PST_IO_ERROR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
