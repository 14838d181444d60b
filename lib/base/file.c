/* Files that appear under their name only when they are whole: write beside, fsync, rename, fsync the folder.
 */
#include "pipestill/linux.h"

#include "pipestill/base.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum pst_status pst_write_all(int fd, const void *bytes, size_t size, const char *name,
                              struct pst_error *error)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t written = write(fd, at, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno == EPIPE)
            return pst_fail(error, PST_READER_LEFT, "%s: the reader has left", name);
        if (written < 0)
            return pst_fail(error, PST_IO_ERROR, "%s: cannot write: %s", name, strerror(errno));
        at += written;
        size -= (size_t)written;
    }
    return PST_OK;
}

enum pst_status pst_file_open(const char *path, int *fd, struct pst_error *error)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return pst_fail(error, pst_shortage_or(PST_NO_INPUT), "%s: cannot be opened: %s", path,
                        strerror(errno));
    struct stat status;
    if (fstat(*fd, &status) == 0 && S_ISREG(status.st_mode))
        return PST_OK;
    close(*fd);
    *fd = -1;
    return pst_fail(error, PST_BAD_DATA, "%s: is not a regular file", path);
}

/* How long a writer waits at most for readers that follow. */
#define LOCK_SECONDS 10.0

static void forget(struct pst_atomic_file *file)
{
    free(file->path);
    free(file->part);
    *file = (struct pst_atomic_file){ .fd = -1 };
}

static enum pst_status open_direct(struct pst_atomic_file *file, struct pst_error *error)
{
    file->fd = open(file->path, O_WRONLY | O_CLOEXEC);
    return file->fd >= 0
               ? PST_OK
               : pst_fail(error, PST_IO_ERROR, "%s: cannot be written: %s", file->path, strerror(errno));
}

/* Whether the file that is open still has this name. */
static bool has_name(int fd, const char *name)
{
    struct stat opened, named;
    return fstat(fd, &opened) == 0 && lstat(name, &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

/*
 * A reader that follows holds a shared lock for a moment, and many readers may do so by turns. A writer's
 * lock is exclusive, so if a shared lock fails, too, a writer holds the file.
 */
enum pst_status pst_lock_for_writer(int fd)
{
    double since = pst_seconds();
    for (int refused = 0; flock(fd, LOCK_EX | LOCK_NB) != 0;) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return PST_UNAVAILABLE;
        bool shared = flock(fd, LOCK_SH | LOCK_NB) == 0;
        if (shared)
            flock(fd, LOCK_UN);
        refused += !shared;
        if (refused == 3 || pst_seconds() - since > LOCK_SECONDS)
            return PST_TRY_AGAIN;
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    }
    return PST_OK;
}

/* Refuses a NAME.part if writing into it would damage something else. */
static enum pst_status check_part(const struct pst_atomic_file *file, const struct stat *status,
                                  enum pst_leftover leftover, struct pst_error *error)
{
    if (!S_ISREG(status->st_mode))
        return pst_fail(error, PST_IO_ERROR, "%s: is not a regular file; remove it", file->part);
    if (status->st_nlink > 1)
        return pst_fail(error, PST_IO_ERROR, "%s: is a hard link, so the file has another name; remove it",
                        file->part);
    if (leftover == PST_LEFTOVER_REFUSE && status->st_size > 0)
        return pst_fail(
            error, PST_TRY_AGAIN,
            "%s: %lld bytes that an earlier run recorded are here; 'stream-repair %s' makes them whole, "
            "or remove them",
            file->part, (long long)status->st_size, file->part);
    return PST_OK;
}

/*
 * Opens the .part and locks it; only a locked .part is emptied of what a dead writer left. Between open and
 * lock another writer may complete the file or abandon it. Then the locked file is no longer the .part, and
 * may be the whole file, so it is opened again.
 */
static enum pst_status lock_part(struct pst_atomic_file *file, struct pst_error *error)
{
    do {
        if (file->fd >= 0)
            close(file->fd);
        file->fd = open(file->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0666);
        if (file->fd < 0 && errno == ELOOP)
            return pst_fail(error, PST_IO_ERROR, "%s: is a symbolic link; remove it", file->part);
        if (file->fd < 0)
            return pst_fail(error, pst_shortage_or(PST_IO_ERROR), "%s: cannot be written: %s", file->part,
                            strerror(errno));
        enum pst_status locked = pst_lock_for_writer(file->fd);
        file->unlocked = locked == PST_UNAVAILABLE;
        if (locked == PST_TRY_AGAIN)
            return pst_fail(error, PST_TRY_AGAIN, "%s: another process is writing it", file->part);
    } while (!has_name(file->fd, file->part));
    return PST_OK;
}

/* mode: of the file that this one will replace; 0: there is none. */
static enum pst_status open_part(struct pst_atomic_file *file, mode_t mode, enum pst_leftover leftover,
                                 struct pst_error *error)
{
    struct stat status;
    size_t size = strlen(file->path) + sizeof ".part";
    file->part = malloc(size);
    if (file->part == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    snprintf(file->part, size, "%s.part", file->path);
    enum pst_status result = lock_part(file, error);
    if (result == PST_OK && fstat(file->fd, &status) != 0)
        result = pst_fail(error, PST_IO_ERROR, "%s: cannot be looked at: %s", file->part, strerror(errno));
    if (result == PST_OK)
        result = check_part(file, &status, leftover, error);
    if (result != PST_OK)
        return result;
    if (mode != 0 && (status.st_mode & 0777) != mode && fchmod(file->fd, mode) != 0)
        return pst_fail(error, PST_IO_ERROR, "%s: cannot get the mode of %s: %s", file->part, file->path,
                        strerror(errno));
    if (ftruncate(file->fd, 0) != 0)
        return pst_fail(error, PST_IO_ERROR, "%s: cannot be emptied: %s", file->part, strerror(errno));
    return PST_OK;
}

char *pst_real_name(const char *path)
{
    char target[PATH_MAX + 1], *real = realpath(path, NULL);
    size_t length = strlen(path);
    if (real != NULL || errno != ENOENT || length == 0 || path[length - 1] == '/')
        return real;
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
    ssize_t linked = readlink(path, target, sizeof target - 1); /* the target does not exist: no circle */
    char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    char *before = folder == NULL ? NULL : realpath(folder, NULL);
    free(folder);
    if (before == NULL)
        return NULL;
    if (linked >= 0) {
        target[linked] = '\0';
        name = target;
    }
    size_t size = strlen(before) + strlen(name) + 2;
    real = malloc(size);
    if (real != NULL)
        snprintf(real, size, "%s%s%s", name[0] == '/' ? "" : before, name[0] == '/' ? "" : "/", name);
    free(before);
    if (real == NULL || linked < 0)
        return real;
    char *end = pst_real_name(real);
    free(real);
    return end;
}

/* Looks at what has the name, and follows symbolic links: a link such as /dev/stdout must not be replaced.
 * mode: receives that of a file that is to be replaced. */
static enum pst_status find_target(struct pst_atomic_file *file, mode_t *mode, struct pst_error *error)
{
    struct stat status;
    bool exists = stat(file->path, &status) == 0;
    file->direct = exists && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
    if (file->direct)
        return PST_OK;
    if (exists && S_ISDIR(status.st_mode))
        return pst_fail(error, PST_IO_ERROR, "%s: is a directory", file->path);
    char *real = exists ? realpath(file->path, NULL) : pst_real_name(file->path);
    if (real == NULL || (exists && faccessat(AT_FDCWD, real, W_OK, AT_EACCESS) != 0)) {
        enum pst_status failed = pst_fail(error, pst_shortage_or(PST_IO_ERROR), "%s: cannot be written: %s",
                                          file->path, strerror(errno));
        free(real);
        return failed;
    }
    *mode = exists ? status.st_mode & 0777 : 0;
    free(file->path);
    file->path = real;
    return PST_OK;
}

enum pst_status pst_atomic_open(struct pst_atomic_file *file, const char *path, enum pst_leftover leftover,
                                struct pst_error *error)
{
    mode_t mode = 0;
    *file = (struct pst_atomic_file){ .fd = -1 };
    if (strcmp(path, "-") == 0)
        return pst_fail(error, PST_USAGE,
                        "-: this file appears when it is whole, which standard output cannot; a file of this "
                        "name is ./-");
    file->path = strdup(path);
    if (file->path == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    enum pst_status status = find_target(file, &mode, error);
    if (status == PST_OK)
        status = file->direct ? open_direct(file, error) : open_part(file, mode, leftover, error);
    if (status != PST_OK) {
        if (file->fd >= 0)
            close(file->fd);
        forget(file);
    }
    return status;
}

bool pst_sync_folder(const char *path)
{
    char copy[PATH_MAX]; /* a whole file must not fail because memory is short */
    if ((size_t)snprintf(copy, sizeof copy, "%s", path) >= sizeof copy) {
        errno = ENAMETOOLONG;
        return false;
    }
    int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return false;
    bool synced = fsync(folder) == 0 || errno == EINVAL; /* some file systems cannot sync a folder */
    close(folder);
    return synced;
}

enum pst_status pst_atomic_commit(struct pst_atomic_file *file, struct pst_error *error)
{
    enum pst_status status = pst_check_memory(error);
    if (status == PST_OK && !file->direct && (fsync(file->fd) != 0 || rename(file->part, file->path) != 0))
        status = pst_fail(error, PST_IO_ERROR, "%s: cannot be completed: %s; %s holds what was written",
                          file->path, strerror(errno), file->part);
    if (close(file->fd) != 0 && status == PST_OK)
        status = pst_fail(error, PST_IO_ERROR, "%s: cannot be completed: %s", file->path, strerror(errno));
    if (status == PST_OK && !file->direct && !pst_sync_folder(file->path))
        status = pst_fail(error, PST_IO_ERROR, "%s: its folder cannot be written to disk: %s", file->path,
                          strerror(errno));
    forget(file);
    return status;
}

void pst_atomic_abandon(struct pst_atomic_file *file, bool keep_part)
{
    if (file->path == NULL)
        return;
    struct stat status;
    bool empty = fstat(file->fd, &status) == 0 && status.st_size == 0;
    if (!file->direct && (!keep_part || empty))
        unlink(file->part);
    if (file->fd >= 0)
        close(file->fd);
    forget(file);
}
