/* A file that is still being written, read as it grows. */
#include "pipestill/linux.h"

#include "lib/transport/transport.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct follow_input {
    struct pst_input input;
    int fd;
    double patience;
    bool locked; /* its writer holds a lock until it ends: the file is a NAME.part */
};

/* How long a reader sleeps before it looks again: short beside a batch of a slow teacher. */
#define PAUSE_NANOSECONDS 20000000

/* Sleeps a little; false if a signal stops the stage. */
static bool pause_briefly(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NANOSECONDS }, NULL);
    return pst_stop_signal() == 0;
}

enum lock { LOCK_FREE, LOCK_HELD, LOCK_UNKNOWN /* the file system has no locks */ };

/* Whether a writer holds the lock of a file. */
static enum lock ask_lock(int fd)
{
    if (flock(fd, LOCK_SH | LOCK_NB) != 0)
        return errno == EWOULDBLOCK || errno == EINTR ? LOCK_HELD : LOCK_UNKNOWN;
    flock(fd, LOCK_UN);
    return LOCK_FREE;
}

/* Whether the writer's lock is gone, and with it the writer. */
static bool writer_has_gone(const struct follow_input *follow)
{
    return follow->locked && ask_lock(follow->fd) == LOCK_FREE;
}

static enum pst_status read_follow(struct pst_input *input, void *bytes, size_t size, size_t *got,
                                   struct pst_error *error)
{
    const struct follow_input *follow = (const struct follow_input *)input;
    double since = pst_seconds();
    for (;;) {
        bool last = writer_has_gone(follow); /* checked before the read, so that its last bytes are read */
        ssize_t count = read(follow->fd, bytes, size);
        if (count > 0) {
            *got = (size_t)count;
            return PST_OK;
        }
        if (count < 0 && errno != EINTR)
            return pst_fail(error, PST_IO_ERROR, "%s: cannot be read: %s", input->name, strerror(errno));
        if (last)
            return PST_END;
        if (pst_seconds() - since > follow->patience)
            return pst_fail(error, PST_UNAVAILABLE,
                            "%s: has not grown for %g s; has its writer gone? (--peer-timeout)", input->name,
                            follow->patience);
        if (!pause_briefly())
            return pst_fail(error, PST_STOPPED, "%s: stopped by a signal", input->name);
    }
}

static void close_follow(struct pst_input *input)
{
    close(((struct follow_input *)input)->fd);
    free(input);
}

static const struct pst_input_operations operations = { .read = read_follow, .close = close_follow };

/* ---- opening ----------------------------------------------------------------------------------------- */

/* Whether the open file holds nothing yet. */
static bool is_empty(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_size == 0;
}

/*
 * Opens NAME.part if a writer holds its lock, or may be writing it without one; -1 with ENOENT if there is
 * none. A writer makes the file first and then locks it, so one that is empty and without a lock is looked at
 * once more after a pause.
 */
static int open_growing(const char *part)
{
    for (int attempt = 0;; attempt++) {
        int fd = open(part, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || ask_lock(fd) != LOCK_FREE)
            return fd;
        bool again = attempt == 0 && is_empty(fd);
        close(fd);
        if (!again || !pause_briefly()) {
            errno = ENOENT;
            return -1;
        }
    }
}

/* Opens what a dead writer left in NAME.part; -1 with ENOENT if that is nothing. */
static int open_leftover(const char *part)
{
    int fd = open(part, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && is_empty(fd)) {
        close(fd);
        errno = ENOENT;
        return -1;
    }
    return fd;
}

/* Opens NAME, unless a writer has just begun NAME.part, which will replace it: -1 with ENOENT then, too. */
static int open_whole(const char *path, const char *part)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), newer = fd < 0 ? -1 : open_growing(part);
    if (newer < 0)
        return fd;
    close(newer);
    close(fd);
    errno = ENOENT;
    return -1;
}

/*
 * Opens NAME.part while it is being written, otherwise NAME, otherwise what a dead writer left; -1 with
 * ENOENT if there is none. The whole file may get its name in between, so it tries twice.
 */
static int open_either(const char *path, const char *part, bool *locked)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        *locked = true;
        int fd = open_growing(part);
        if (fd >= 0 || errno != ENOENT)
            return fd;
        *locked = false;
        fd = open_whole(path, part);
        if (fd >= 0 || errno != ENOENT)
            return fd;
    }
    *locked = true;
    return open_leftover(part);
}

/* Seconds since a file was written last; 0 if that is not known. */
static double age_of(int fd)
{
    struct stat status;
    struct timespec now;
    if (fstat(fd, &status) != 0 || clock_gettime(CLOCK_REALTIME, &now) != 0)
        return 0;
    double age = difftime(now.tv_sec, status.st_mtim.tv_sec);
    return age > 0 ? age : 0;
}

static enum pst_status open_when_there(struct follow_input *follow, const char *path, const char *part,
                                       struct pst_error *error)
{
    double since = pst_seconds();
    while ((follow->fd = open_either(path, part, &follow->locked)) < 0) {
        if (errno != ENOENT)
            return pst_fail(error, pst_shortage_or(PST_NO_INPUT), "%s: cannot be opened: %s", path,
                            strerror(errno));
        if (pst_seconds() - since > follow->patience)
            return pst_fail(error, PST_NO_INPUT,
                            "%s: neither it nor %s appeared within %g s (--peer-timeout)", path, part,
                            follow->patience);
        if (!pause_briefly())
            return pst_fail(error, PST_STOPPED, "%s: stopped by a signal", path);
    }
    return PST_OK;
}

enum pst_status pst_input_follow(struct pst_input **input, const char *path, double patience, double *age,
                                 struct pst_error *error)
{
    struct follow_input *follow =
        pst_endpoint_new(sizeof *follow, offsetof(struct follow_input, input.name), path, error);
    size_t size = strlen(path) + sizeof ".part";
    char *part = malloc(size);
    if (follow == NULL || part == NULL) {
        free(follow);
        free(part);
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    }
    snprintf(part, size, "%s.part", path);
    follow->input.operations = &operations;
    follow->input.grows = true;
    follow->patience = patience;
    enum pst_status status = open_when_there(follow, path, part, error);
    free(part);
    *age = status == PST_OK && !follow->locked ? age_of(follow->fd) : 0;
    if (status == PST_OK)
        *input = &follow->input;
    else
        free(follow);
    return status;
}
