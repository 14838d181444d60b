/* Texts that are written while the stream is read, and appear when they are whole. */
#include "stages/decoder/decoder.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum pst_status text_file_open(struct pst_run *run, struct text_file *file, const char *path,
                               struct pst_error *error)
{
    if (path == NULL)
        return PST_OK;
    enum pst_status status = pst_atomic_open(&file->file, path, PST_LEFTOVER_REPLACE, error);
    if (status != PST_OK)
        return status;
    file->path = path;
    if (file->file.unlocked)
        pst_say_unlocked(run, path);
    int fd = dup(file->file.fd);
    file->out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file->out != NULL)
        return PST_OK;
    if (fd >= 0)
        close(fd);
    return pst_fail(error, PST_TRY_AGAIN, "%s: %s", path, strerror(errno));
}

enum pst_status text_file_commit(struct text_file *file, struct pst_error *error)
{
    if (file->out == NULL)
        return PST_OK;
    bool failed = ferror(file->out) != 0;
    errno = 0;
    failed = fclose(file->out) != 0 || failed;
    file->out = NULL;
    if (failed)
        return pst_fail(error, PST_IO_ERROR, "%s: cannot be written: %s", file->path,
                        errno != 0 ? strerror(errno) : "a write failed before");
    return pst_atomic_commit(&file->file, error);
}

void text_file_abandon(struct text_file *file)
{
    if (file->out != NULL)
        fclose(file->out);
    pst_atomic_abandon(&file->file, false);
    *file = (struct text_file){ 0 };
}
