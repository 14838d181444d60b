/* The pictures of a folder and of the folders below it; symbolic links are followed. */
#include "lib/data/pictures/pictures.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A folder on the way down, to notice a folder within itself. */
struct level {
    const struct level *above;
    dev_t device;
    ino_t number;
};

/* The path that is looked at: the root, and what is below it. */
struct walk {
    struct pst_pictures *pictures;
    size_t root; /* bytes of the root, and of the slash behind it */
    char path[PATH_MAX];
};

static enum pst_status enter(struct walk *walk, const struct level *above, struct pst_error *error);

/* Takes the file or folder at the path. */
static enum pst_status look(struct walk *walk, const struct level *level, struct pst_error *error)
{
    struct stat status;
    bool taken;
    if (stat(walk->path, &status) != 0) {
        if (pst_pictures_choose(walk->path + walk->root, &taken, NULL) == PST_OK && !taken)
            return PST_OK; /* a link to nothing, not named as a picture */
        return pst_fail(error, pst_shortage_or(PST_NO_INPUT), "%s: %s", walk->path, strerror(errno));
    }
    if (S_ISDIR(status.st_mode))
        return enter(walk, &(struct level){ level, status.st_dev, status.st_ino }, error);
    enum pst_status result = pst_pictures_choose(walk->path + walk->root, &taken, error);
    if (result == PST_OK && taken && !S_ISREG(status.st_mode))
        result = pst_fail(error, PST_BAD_DATA, "it is not a regular file");
    if (result == PST_OK && taken)
        result = pst_pictures_add(walk->pictures, walk->path + walk->root, error);
    return result == PST_OK ? PST_OK : pst_fail_at(error, "%s", walk->path);
}

static enum pst_status read_folder(struct walk *walk, const struct level *level, DIR *folder,
                                   struct pst_error *error)
{
    size_t length = strlen(walk->path);
    enum pst_status status = PST_OK;
    while (status == PST_OK) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL && errno != 0)
            return pst_fail(error, pst_shortage_or(PST_IO_ERROR), "%s: %s", walk->path, strerror(errno));
        if (entry == NULL)
            break;
        if (entry->d_name[0] == '.')
            continue;
        size_t room = sizeof walk->path - length;
        if (pst_stop_signal() != 0)
            status = pst_fail(error, PST_STOPPED, "stopped by a signal");
        else if ((size_t)snprintf(walk->path + length, room, "/%s", entry->d_name) >= room)
            status = pst_fail(error, PST_NO_INPUT, "%.200s…: the names of its folders are too long together",
                              walk->path);
        else
            status = look(walk, level, error);
        walk->path[length] = '\0';
    }
    return status;
}

static enum pst_status enter(struct walk *walk, const struct level *level, struct pst_error *error)
{
    for (const struct level *above = level->above; above != NULL; above = above->above)
        if (above->device == level->device && above->number == level->number)
            return pst_fail(error, PST_BAD_DATA, "%s: this folder leads back to one that it lies in",
                            walk->path);
    DIR *folder = opendir(walk->path);
    if (folder == NULL)
        return pst_fail(error, pst_shortage_or(PST_NO_INPUT), "%s: this folder cannot be read: %s",
                        walk->path, strerror(errno));
    enum pst_status status = read_folder(walk, level, folder, error);
    closedir(folder);
    return status;
}

enum pst_status pst_pictures_of_folder(struct pst_pictures *pictures, struct pst_error *error)
{
    struct stat status;
    struct walk walk = { .pictures = pictures, .root = strlen(pictures->root) + 1 };
    if ((size_t)snprintf(walk.path, sizeof walk.path, "%s", pictures->root) >= sizeof walk.path)
        return pst_fail(error, PST_NO_INPUT, "the folder's name is too long");
    if (stat(walk.path, &status) != 0)
        return pst_fail(error, PST_NO_INPUT, "%s: %s", walk.path, strerror(errno));
    return enter(&walk, &(struct level){ NULL, status.st_dev, status.st_ino }, error);
}
