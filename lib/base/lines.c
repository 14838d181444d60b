/* Text files, line by line. */
#include "pipestill/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Hands on a line without its end. */
static enum pst_status take_line(char *line, size_t length, pst_take_line *take, void *context,
                                 struct pst_error *error)
{
    if (strlen(line) != length)
        return pst_fail(error, PST_BAD_DATA, "there is a NUL in it: is it a text file?");
    while (length > 0 && strchr("\r\n \t", line[length - 1]) != NULL)
        line[--length] = '\0';
    return take(context, line, error);
}

enum pst_status pst_file_lines(const char *path, pst_take_line *take, void *context, struct pst_error *error)
{
    int fd;
    enum pst_status status = pst_file_open(path, &fd, error);
    if (status != PST_OK)
        return status;
    FILE *file = fdopen(fd, "r");
    if (file == NULL) {
        close(fd);
        return pst_fail(error, PST_TRY_AGAIN, "%s: out of memory", path);
    }
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t length;
    while (status == PST_OK && (length = getline(&line, &room, file)) >= 0) {
        number++;
        if (take_line(line, (size_t)length, take, context, error) != PST_OK)
            status = pst_fail_at(error, "%s, line %zu", path, number);
        else if (pst_stop_signal() != 0)
            status = pst_fail(error, PST_STOPPED, "stopped by a signal");
    }
    if (status == PST_OK && !feof(file))
        status = pst_fail(error, pst_shortage_or(PST_IO_ERROR), "%s: cannot be read behind line %zu: %s",
                          path, number, strerror(errno));
    free(line);
    fclose(file);
    return status;
}
