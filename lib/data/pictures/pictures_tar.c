/* The pictures of a tar file. A packed one can only be read from beginning to end, so the pictures' bytes are
 * kept; of a plain one, the places where they begin. */
#include "lib/data/pictures/picture.h"
#include "lib/data/pictures/pictures.h"
#include "lib/data/pictures/tar.h"

#include <string.h>

/* Takes "." and empty parts out of a path, in place. */
static void shorten(char *path)
{
    char *to = path;
    for (const char *from = path; *from != '\0';) {
        size_t length = strcspn(from, "/");
        if (length > 0 && !(length == 1 && from[0] == '.')) {
            if (to > path)
                *to++ = '/';
            memmove(to, from, length);
            to += length;
        }
        from += length;
        from += *from == '/';
    }
    *to = '\0';
}

/* Why a member of this kind cannot be taken; NULL: it can. */
static const char *refuse(const struct pst_tar *tar)
{
    if (tar->kind == PST_TAR_LINK)
        return "it is a link, whose bytes are elsewhere; make the file with "
               "'tar --dereference --hard-dereference'";
    if (tar->kind == PST_TAR_SPARSE)
        return "its holes are left out, which is not read; make the file without 'tar --sparse'";
    if (tar->size > PST_PICTURE_MOST_BYTES)
        return "it is too large for a picture";
    return NULL;
}

/* Reads the bytes of a member for their digest, and keeps them if they cannot be read again. */
static enum pst_status read_member(struct pst_pictures *pictures, struct pst_tar *tar,
                                   struct pst_buffer *room, struct pst_error *error)
{
    struct pst_picture_file *file = &pictures->files[pictures->count - 1];
    void *bytes = NULL;
    enum pst_status status = PST_OK;
    file->size = (size_t)tar->size;
    file->at = tar->begin;
    if (tar->packed && file->size >= pictures->memory)
        return pst_fail(
            error, PST_BAD_DATA,
            "%s: %s: it takes %zu bytes, more than --max-memory leaves (%zu); raise it, or unpack "
            "the tar file with gunzip: of a plain one only names are kept",
            tar->path, tar->name, file->size, pictures->memory);
    if (tar->packed) {
        status = pst_pictures_allocate(pictures, file->size + 1, &bytes, error); /* even for 0 bytes */
        file->bytes = bytes;
    } else {
        status = pst_buffer_reserve(room, file->size, 0, error);
        bytes = room->data;
    }
    if (status != PST_OK)
        return pst_fail_at(error, "%s: %s", tar->path, tar->name);
    status = pst_tar_read(tar, bytes, error);
    if (status == PST_OK)
        pst_digest(bytes, file->size, file->digest);
    return status;
}

static enum pst_status take_member(struct pst_pictures *pictures, struct pst_tar *tar,
                                   struct pst_buffer *room, struct pst_error *error)
{
    bool taken;
    if (tar->kind == PST_TAR_OTHER)
        return PST_OK;
    shorten(tar->name);
    enum pst_status status = pst_pictures_choose(tar->name, &taken, error);
    if (status == PST_OK && taken && refuse(tar) != NULL)
        status = pst_fail(error, PST_BAD_DATA, "%s", refuse(tar));
    if (status == PST_OK && taken)
        status = pst_pictures_add(pictures, tar->name, error);
    if (status != PST_OK)
        return pst_fail_at(error, "%s: %s", tar->path, tar->name);
    return taken ? read_member(pictures, tar, room, error) : PST_OK;
}

enum pst_status pst_pictures_of_tar(struct pst_pictures *pictures, struct pst_error *error)
{
    struct pst_tar tar;
    struct pst_buffer room = { 0 };
    enum pst_status status = pst_tar_open(&tar, pictures->root, error);
    bool packed = tar.packed;
    while (status == PST_OK && (status = pst_tar_next(&tar, error)) == PST_OK)
        status = take_member(pictures, &tar, &room, error);
    pst_tar_close(&tar);
    pst_buffer_free(&room);
    if (status != PST_END)
        return status;
    return packed ? PST_OK : pst_file_open(pictures->root, &pictures->fd, error);
}
