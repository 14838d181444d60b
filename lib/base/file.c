/* Files that appear under their name only when they are whole: write beside, fsync, rename, fsync the folder.
 */
#include "pipestill/linux.h"

#include "pipestill/base.h"

#include <errno.h>
#include <libgen.h>
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
        return pst_fail(error, PST_NO_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    struct stat status;
    if (fstat(*fd, &status) == 0 && S_ISREG(status.st_mode))
        return PST_OK;
    close(*fd);
    *fd = -1;
    return pst_fail(error, PST_BAD_DATA, "%s: is not a regular file", path);
}

static void forget(struct pst_atomic_file *file)
{
    free(file->path);
    free(file->part);
    *file = (struct pst_atomic_file){ .fd = -1 };
}

static enum pst_status open_direct(struct pst_atomic_file *file, struct pst_error *error)
{
    file->direct = true;
    file->fd = open(file->path, O_WRONLY | O_CLOEXEC);
    if (file->fd >= 0)
        return PST_OK;
    pst_fail(error, PST_IO_ERROR, "%s: cannot be written: %s", file->path, strerror(errno));
    forget(file);
    return PST_IO_ERROR;
}

/* Whether the file that is open still has this name. */
static bool has_name(int fd, const char *name)
{
    struct stat opened, named;
    return fstat(fd, &opened) == 0 && stat(name, &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

bool pst_lock_for_writer(int fd)
{
    for (int attempt = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; attempt++) {
        if (attempt == 3)
            return false;
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    }
    return true;
}

/*
 * Opens the .part and locks it; only then is what a dead writer left there thrown away. Between the two
 * another writer may have completed the file or given it up: then what is locked is not the .part any more,
 * perhaps even the whole file, and all begins anew.
 */
static enum pst_status open_part(struct pst_atomic_file *file, enum pst_leftover leftover,
                                 struct pst_error *error)
{
    size_t size = strlen(file->path) + sizeof ".part";
    file->part = malloc(size);
    if (file->part == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    snprintf(file->part, size, "%s.part", file->path);
    do {
        if (file->fd >= 0)
            close(file->fd);
        file->fd = open(file->part, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (file->fd < 0)
            return pst_fail(error, PST_IO_ERROR, "%s: cannot be written: %s", file->part, strerror(errno));
        if (!pst_lock_for_writer(file->fd))
            return pst_fail(error, PST_TRY_AGAIN, "%s: another process is writing it", file->part);
    } while (!has_name(file->fd, file->part));
    struct stat status;
    if (leftover == PST_LEFTOVER_REFUSE && fstat(file->fd, &status) == 0 && status.st_size > 0)
        return pst_fail(
            error, PST_TRY_AGAIN,
            "%s: %lld bytes that an earlier run recorded are here; 'stream-repair %s' makes them whole, "
            "or remove them",
            file->part, (long long)status.st_size, file->part);
    if (ftruncate(file->fd, 0) != 0)
        return pst_fail(error, PST_IO_ERROR, "%s: cannot be emptied: %s", file->part, strerror(errno));
    return PST_OK;
}

/* Settles on the file itself where its name is a symbolic link: a link such as /dev/stdout must not be
 * replaced. */
static bool follow_links(struct pst_atomic_file *file)
{
    char *real = realpath(file->path, NULL);
    if (real == NULL)
        return false;
    free(file->path);
    file->path = real;
    return true;
}

enum pst_status pst_atomic_open(struct pst_atomic_file *file, const char *path, enum pst_leftover leftover,
                                struct pst_error *error)
{
    *file = (struct pst_atomic_file){ .fd = -1 };
    if (strcmp(path, "-") == 0)
        return pst_fail(error, PST_USAGE,
                        "-: this file appears when it is whole, which standard output cannot; a file of this "
                        "name is ./-");
    file->path = strdup(path);
    if (file->path == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    struct stat status;
    enum pst_status result = PST_OK;
    if (stat(path, &status) == 0) {
        if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
            return open_direct(file, error);
        if (S_ISDIR(status.st_mode))
            result = pst_fail(error, PST_IO_ERROR, "%s: is a directory", path);
        else if (!follow_links(file))
            result = pst_fail(error, PST_IO_ERROR, "%s: cannot be written: %s", path, strerror(errno));
    }
    if (result == PST_OK)
        result = open_part(file, leftover, error);
    if (result != PST_OK) {
        if (file->fd >= 0)
            close(file->fd);
        forget(file);
    }
    return result;
}

bool pst_sync_folder(const char *path)
{
    char *copy = strdup(path);
    if (copy == NULL)
        return false;
    int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    if (folder < 0)
        return false;
    bool synced = fsync(folder) == 0 || errno == EINVAL; /* some file systems cannot sync a folder */
    close(folder);
    return synced;
}

enum pst_status pst_atomic_commit(struct pst_atomic_file *file, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    if (!file->direct && (fsync(file->fd) != 0 || rename(file->part, file->path) != 0))
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
