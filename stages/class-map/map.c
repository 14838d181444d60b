/* The map that the options ask for. */
#include "stages/class-map/class-map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads a whole file of a bounded size. text: receives it, to be freed. */
static enum pst_status read_text(const char *path, char **text, size_t *size, struct pst_error *error)
{
    struct pst_buffer buffer = { 0 };
    int fd = -1;
    ssize_t got = 1;
    enum pst_status status = pst_file_open(path, &fd, error);
    *size = 0;
    while (status == PST_OK && got > 0) {
        if (*size + 1 >= buffer.capacity)
            status = pst_buffer_reserve(&buffer, 2 * buffer.capacity + 65536, *size, error);
        if (status == PST_OK)
            got = read(fd, (char *)buffer.data + *size, buffer.capacity - *size);
        if (status == PST_OK && got < 0)
            status = pst_fail(error, PST_IO_ERROR, "%s: %s", path, strerror(errno));
        if (status == PST_OK && (*size += (size_t)got) > PST_CLASS_MAP_MOST_BYTES)
            status = pst_fail(error, PST_BAD_DATA, "%s: a map has at most %zu bytes", path,
                              PST_CLASS_MAP_MOST_BYTES);
    }
    if (fd >= 0)
        close(fd);
    *text = buffer.data;
    return status;
}

static enum pst_status read_map(struct class_map *self, const struct pst_classes *old,
                                struct pst_error *error)
{
    char *text = NULL;
    size_t size;
    enum pst_status status = read_text(self->file, &text, &size, error);
    if (status == PST_OK)
        status = pst_class_map_parse(&self->map, old, text, size, self->file, true, self->dustbin, error);
    free(text);
    return status;
}

enum pst_status make_map(struct class_map *self, const struct pst_header *in, struct pst_error *error)
{
    struct class_names own = { 0 }, *old = self->old != NULL ? &self->old_names : &own;
    enum pst_status status = PST_OK;
    bool bare = self->file == NULL && self->list == NULL && self->like == NULL;
    if (self->old == NULL)
        status = self->only_count == 0 ? take_header_names(&own, in, self->in, error) : PST_OK;
    own.classes.count = self->in;
    if (status == PST_OK && bare)
        status = take_header_names(&self->new_names, in, (size_t)in->classes, error);
    if (status == PST_OK && bare && self->new_names.classes.names == NULL)
        status = pst_fail(error, PST_USAGE,
                          "--of: the stream does not name its classes; give --map, --classes "
                          "or --like");
    if (status != PST_OK)
        return status;
    if (self->file != NULL)
        status = read_map(self, &old->classes, error);
    else if (self->list != NULL)
        status = pst_class_map_parse(&self->map, &old->classes, self->list, strlen(self->list), "--classes",
                                     false, self->dustbin, error);
    else
        status = pst_class_map_like(&self->map, &old->classes, &self->new_names.classes,
                                    self->like != NULL ? self->like : "the stream's classes", self->dustbin,
                                    error);
    free_names(&own);
    return status;
}
