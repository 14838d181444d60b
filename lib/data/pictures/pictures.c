/* The files of pictures, from all sources: memory for their names and bytes, and reading them. */
#include "lib/data/pictures/pictures.h"

#include "lib/data/pictures/picture.h"
#include "lib/data/pictures/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES ((size_t)1 << 20)

struct pst_picture_block {
    struct pst_picture_block *next;
    size_t used, room;
    unsigned char bytes[];
};

/* ---- memory ------------------------------------------------------------------------------------------ */

static enum pst_status take_memory(struct pst_pictures *pictures, size_t size, struct pst_error *error)
{
    if (size > pictures->memory)
        return pst_fail(error, PST_BAD_DATA, "it takes %zu bytes, more than --max-memory leaves (%zu)", size,
                        pictures->memory);
    pictures->memory -= size;
    return PST_OK;
}

enum pst_status pst_pictures_allocate(struct pst_pictures *pictures, size_t size, void **memory,
                                      struct pst_error *error)
{
    struct pst_picture_block *block = pictures->blocks;
    enum pst_status status = take_memory(pictures, size, error);
    if (status != PST_OK)
        return status;
    if (block == NULL || size > block->room - block->used) {
        size_t room = size > BLOCK_BYTES / 4 ? size : BLOCK_BYTES;
        block = malloc(sizeof *block + room);
        if (block == NULL)
            return pst_fail(error, PST_TRY_AGAIN, "out of memory for %zu bytes", room);
        *block = (struct pst_picture_block){ .next = pictures->blocks, .room = room };
        pictures->blocks = block;
    }
    *memory = block->bytes + block->used;
    block->used += size;
    return PST_OK;
}

enum pst_status pst_pictures_add(struct pst_pictures *pictures, const char *path, struct pst_error *error)
{
    size_t length = strlen(path) + 1;
    void *copy = NULL;
    struct pst_picture_file *grown =
        pst_grown(pictures->files, &pictures->room, pictures->count, sizeof *grown, error);
    if (grown == NULL)
        return PST_TRY_AGAIN;
    pictures->files = grown;
    enum pst_status status = take_memory(pictures, sizeof *pictures->files, error);
    if (status == PST_OK)
        status = pst_pictures_allocate(pictures, length, &copy, error);
    if (copy == NULL)
        return status;
    memcpy(copy, path, length);
    pictures->files[pictures->count++] = (struct pst_picture_file){ .path = copy, .below = copy };
    return PST_OK;
}

void pst_pictures_close(struct pst_pictures *pictures)
{
    if (pictures->path == NULL && pictures->root == NULL) /* it was never opened */
        return;
    for (struct pst_picture_block *block = pictures->blocks, *next; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    free(pictures->files);
    free(pictures->path);
    free(pictures->root);
    if (pictures->fd >= 0)
        close(pictures->fd);
    *pictures = (struct pst_pictures){ .fd = -1 };
}

/* ---- which files are pictures -------------------------------------------------------------------------- */

static bool has_ending(const char *path, const char *const *endings)
{
    const char *dot = strrchr(path, '.');
    while (dot != NULL && *endings != NULL)
        if (strcasecmp(dot, *endings++) == 0)
            return true;
    return false;
}

static bool is_hidden(const char *path)
{
    return path[0] == '.' || strstr(path, "/.") != NULL;
}

enum pst_status pst_pictures_choose(const char *path, bool *taken, struct pst_error *error)
{
    static const char *const ours[] = { ".png", ".jpg", ".jpeg", ".ppm", ".pgm", ".pnm", NULL };
    static const char *const others[] = { ".webp", ".bmp", ".gif", ".tif", ".tiff", ".heic", ".avif", NULL };
    *taken = !is_hidden(path) && has_ending(path, ours);
    if (*taken || is_hidden(path) || !has_ending(path, others))
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA,
                    "pictures of this kind are not read; PNG, JPEG, PPM and PGM are, so convert it");
}

/* ---- reading ----------------------------------------------------------------------------------------- */

void pst_pictures_place(const struct pst_pictures *pictures, size_t index, char *text, size_t size)
{
    const char *path = pictures->files[index].path;
    bool whole = path[0] == '/' && pictures->source == PST_PICTURES_LIST;
    snprintf(text, size, "%s%s%s", whole ? "" : pictures->root,
             whole                                  ? ""
             : pictures->source == PST_PICTURES_TAR ? ": "
                                                    : "/",
             path);
    pst_make_plain(text);
}

static enum pst_status read_exactly(int fd, uint64_t at, void *bytes, size_t size, struct pst_error *error)
{
    unsigned char *to = bytes;
    while (size > 0) {
        ssize_t got = pread(fd, to, size, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return pst_fail(error, PST_IO_ERROR, "cannot be read: %s", strerror(errno));
        if (got == 0)
            return pst_fail(error, PST_BAD_DATA, "it ends early: it has changed since it was opened");
        to += got;
        at += (uint64_t)got;
        size -= (size_t)got;
    }
    return PST_OK;
}

/* Reads a file that is one picture. Its size must not have changed. */
static enum pst_status read_file(const struct pst_picture_file *file, const char *path,
                                 struct pst_buffer *room, size_t *size, struct pst_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (fd < 0)
        return pst_fail(error, pst_shortage_or(PST_NO_INPUT), "cannot be opened: %s", strerror(errno));
    enum pst_status result = PST_OK;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        result = pst_fail(error, PST_BAD_DATA, "it is not a regular file");
    else if (status.st_size > (off_t)PST_PICTURE_MOST_BYTES)
        result = pst_fail(error, PST_BAD_DATA, "it has %lld bytes; pictures of at most %zu are read",
                          (long long)status.st_size, PST_PICTURE_MOST_BYTES);
    else if (file->digest[0] != '\0' && (size_t)status.st_size != file->size)
        result = pst_fail(error, PST_BAD_DATA, "it has changed since it was opened: %lld bytes, not %zu",
                          (long long)status.st_size, file->size);
    *size = (size_t)status.st_size;
    if (result == PST_OK)
        result = pst_buffer_reserve(room, *size, 0, error);
    if (result == PST_OK)
        result = read_exactly(fd, 0, room->data, *size, error);
    close(fd);
    return result;
}

enum pst_status pst_pictures_read(const struct pst_pictures *pictures, size_t index, struct pst_buffer *room,
                                  const uint8_t **bytes, size_t *size, struct pst_error *error)
{
    const struct pst_picture_file *file = &pictures->files[index];
    enum pst_status status = PST_OK;
    *bytes = file->bytes;
    *size = file->size;
    if (*bytes != NULL)
        return PST_OK;
    if (pictures->source == PST_PICTURES_TAR) {
        status = pst_buffer_reserve(room, *size, 0, error);
        if (status == PST_OK)
            status = read_exactly(pictures->fd, file->at, room->data, *size, error);
    } else {
        char path[PATH_MAX];
        bool whole = file->path[0] == '/';
        int length =
            snprintf(path, sizeof path, "%s%s%s", whole ? "" : pictures->root, whole ? "" : "/", file->path);
        if (length >= (int)sizeof path)
            return pst_fail(error, PST_NO_INPUT, "its name is too long");
        status = read_file(file, path, room, size, error);
    }
    *bytes = room->data;
    return status;
}

/* ---- opening ----------------------------------------------------------------------------------------- */

/* What a path is: a folder, a tar file, or otherwise a list. */
static enum pst_status find_source(const char *path, enum pst_picture_source *source, struct pst_error *error)
{
    struct stat status;
    unsigned char start[PST_FILE_START];
    if (stat(path, &status) != 0)
        return pst_fail(error, pst_shortage_or(PST_NO_INPUT), "%s: %s", path, strerror(errno));
    *source = PST_PICTURES_FOLDER;
    if (S_ISDIR(status.st_mode))
        return PST_OK;
    size_t size = pst_file_start(path, start, sizeof start);
    bool gzip = size > 2 && start[0] == 0x1f && start[1] == 0x8b;
    *source = gzip || pst_tar_recognises(start, size) ? PST_PICTURES_TAR : PST_PICTURES_LIST;
    return PST_OK;
}

/* The root of a path: the folder of a list, otherwise the path without slashes at its end. */
static char *root_of(const char *path, enum pst_picture_source source)
{
    const char *slash = strrchr(path, '/');
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (source != PST_PICTURES_LIST)
        return strndup(path, length);
    return slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

enum pst_status pst_pictures_open(struct pst_pictures *pictures, const char *path, size_t max_memory,
                                  struct pst_error *error)
{
    *pictures = (struct pst_pictures){ .fd = -1, .memory = max_memory == 0 ? SIZE_MAX : max_memory };
    enum pst_status status = find_source(path, &pictures->source, error);
    if (status != PST_OK)
        return status;
    pictures->path = strdup(path);
    pictures->root = root_of(path, pictures->source);
    if (pictures->path == NULL || pictures->root == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the names of files");
    if (pictures->source == PST_PICTURES_LIST)
        status = pst_pictures_of_list(pictures, error);
    else if (pictures->source == PST_PICTURES_TAR)
        status = pst_pictures_of_tar(pictures, error);
    else
        status = pst_pictures_of_folder(pictures, error);
    if (status == PST_OK && pictures->count == 0)
        return pst_fail(error, PST_BAD_DATA, "%s: there is no picture in it: PNG, JPEG, PPM or PGM", path);
    if (status == PST_OK && pictures->source != PST_PICTURES_LIST)
        status = pst_pictures_arrange(pictures, error);
    return status;
}
