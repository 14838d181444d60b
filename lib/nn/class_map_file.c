/* Maps of classes from files, and from the words of a command line. */
#include "lib/nn/class_map.h"

#include <errno.h>
#include <stdio.h>
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

enum pst_status pst_class_map_read(struct pst_class_map *map, const struct pst_classes *old, const char *path,
                                   const char *set, const char *dustbin, struct pst_error *error)
{
    char *text = NULL;
    size_t size;
    enum pst_status status = read_text(path, &text, &size, error);
    if (status == PST_OK)
        status = pst_class_map_parse_set(map, old, text, size, path, true, set, dustbin, error);
    free(text);
    return status;
}

enum pst_status pst_class_map_named(struct pst_class_map *map, const struct pst_classes *old,
                                    const char *text, const char *option, const char *dustbin,
                                    struct pst_error *error)
{
    if (text[0] != '@')
        return pst_class_map_parse(map, old, text, strlen(text), option, false, dustbin, error);
    const char *colon = strrchr(text, ':');
    char *path = strdup(text + 1);
    if (path == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    if (colon != NULL)
        path[colon - text - 1] = '\0';
    enum pst_status status =
        path[0] == '\0' || (colon != NULL && colon[1] == '\0')
            ? pst_fail(error, PST_USAGE, "%s: '%.200s' is neither @FILE nor @FILE:SET", option, text)
            : pst_class_map_read(map, old, path, colon != NULL ? colon + 1 : NULL, dustbin, error);
    free(path);
    return status;
}

char *pst_class_map_numbers(const struct pst_class_map *map)
{
    struct pst_text text;
    FILE *out = pst_text_open(&text);
    const char *between = "";
    for (size_t i = 0; out != NULL && i < map->from; i++)
        if (map->new_of[i] >= 0) {
            fprintf(out, "%s%zu", between, i);
            between = ",";
        }
    return pst_text_close(&text);
}
