/* The pictures of a list: a file a line, and behind it its label, if there are any. */
#include "lib/data/pictures/pictures.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Cuts a line into path and label: at the first TAB, or, if there is none, at the last blank. Returns the
 * label; NULL: none. */
static char *cut(char *line)
{
    char *at = strchr(line, '\t');
    at = at != NULL ? at : strrchr(line, ' ');
    if (at == NULL)
        return NULL;
    *at = '\0';
    for (char *end = at; end > line && end[-1] == ' ';)
        *--end = '\0';
    return at + 1 + strspn(at + 1, " \t");
}

static enum pst_status take_line(struct pst_pictures *pictures, char *line, size_t length,
                                 struct pst_error *error)
{
    if (strlen(line) != length)
        return pst_fail(error, PST_BAD_DATA, "there is a NUL in it: is it a list of pictures?");
    while (length > 0 && strchr("\r\n \t", line[length - 1]) != NULL)
        line[--length] = '\0';
    if (length == 0 || line[0] == '#')
        return PST_OK;
    char *label = cut(line);
    void *copy = NULL;
    if (*line == '\0')
        return pst_fail(error, PST_BAD_DATA, "there is no path before the label");
    enum pst_status status = pst_pictures_add(pictures, line, error);
    if (status == PST_OK && label != NULL)
        status = pst_pictures_allocate(pictures, strlen(label) + 1, &copy, error);
    if (status != PST_OK)
        return status;
    struct pst_picture_file *file = &pictures->files[pictures->count - 1];
    file->label = copy != NULL ? strcpy(copy, label) : NULL;
    if ((file->label == NULL) != (pictures->files[0].label == NULL))
        return pst_fail(error, PST_BAD_DATA, "it has %s label, but the first picture has %s",
                        label == NULL ? "no" : "a", label == NULL ? "one" : "none");
    return PST_OK;
}

enum pst_status pst_pictures_of_list(struct pst_pictures *pictures, struct pst_error *error)
{
    int fd;
    enum pst_status status = pst_file_open(pictures->path, &fd, error);
    if (status != PST_OK)
        return status;
    FILE *file = fdopen(fd, "r");
    if (file == NULL) {
        close(fd);
        return pst_fail(error, PST_TRY_AGAIN, "%s: out of memory", pictures->path);
    }
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t length;
    while (status == PST_OK && (length = getline(&line, &room, file)) >= 0) {
        number++;
        status = take_line(pictures, line, (size_t)length, error);
        if (status != PST_OK)
            status = pst_fail_at(error, "%s, line %zu", pictures->path, number);
        else if (pst_stop_signal() != 0)
            status = pst_fail(error, PST_STOPPED, "stopped by a signal");
    }
    if (status == PST_OK && !feof(file))
        status = pst_fail(error, pst_shortage_or(PST_IO_ERROR), "%s: cannot be read behind line %zu: %s",
                          pictures->path, number, strerror(errno));
    free(line);
    fclose(file);
    return status;
}
