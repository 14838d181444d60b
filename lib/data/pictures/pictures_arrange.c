/* Part of the set and class of each picture, by its folders; and the order of all. */
#include "lib/data/pictures/pictures.h"

#include <stdlib.h>
#include <string.h>

/* The folders that parts have, in the order in which they are preferred. */
static const char *const part_folders[] = { "train", "test", "val", "validation" };
#define PARTS (sizeof part_folders / sizeof *part_folders)

/* The number of the part folder that a path begins with, or PARTS. */
static size_t part_folder(const char *path)
{
    size_t length = strcspn(path, "/"), i = 0;
    while (i < PARTS && !(path[length] == '/' && strlen(part_folders[i]) == length &&
                          strncmp(path, part_folders[i], length) == 0))
        i++;
    return i;
}

/* Bytes of the folders that all pictures of a tar file share. Folders of parts do not count, and each picture
 * must have one more folder. */
static size_t common_folders(const struct pst_pictures *pictures)
{
    const char *first = pictures->files[0].path;
    size_t common = 0;
    while (true) {
        size_t next = common + strcspn(first + common, "/");
        if (first[next] != '/' || part_folder(first + common) < PARTS)
            return common;
        next++;
        for (size_t i = 0; i < pictures->count; i++) {
            const char *path = pictures->files[i].path;
            if (strncmp(path, first, next) != 0 || strchr(path + next, '/') == NULL)
                return common;
        }
        common = next;
    }
}

/* Finds the parts: there are some if there is a folder train and one of the others, or only train. */
static enum pst_status find_parts(struct pst_pictures *pictures, bool *parts, struct pst_error *error)
{
    size_t counts[PARTS + 1] = { 0 }, outside = 0;
    for (size_t i = 0; i < pictures->count; i++) {
        size_t folder = part_folder(pictures->files[i].below);
        counts[folder]++;
        outside = folder == PARTS ? i : outside;
    }
    size_t test = 1;
    while (test < PARTS && counts[test] == 0)
        test++;
    *parts = counts[0] > 0 && (test < PARTS || counts[PARTS] == 0);
    if (*parts && counts[PARTS] > 0)
        return pst_fail(error, PST_BAD_DATA, "%s: '%s' lies neither in the folder train nor in %s",
                        pictures->path, pictures->files[outside].path, part_folders[test]);
    for (size_t i = 0; *parts && i < pictures->count; i++) {
        struct pst_picture_file *file = &pictures->files[i];
        size_t folder = part_folder(file->below);
        file->part = folder == 0 ? PST_PICTURE_TRAIN : folder == test ? PST_PICTURE_TEST : PST_PICTURE_OTHER;
        file->below += strcspn(file->below, "/") + 1;
    }
    return PST_OK;
}

/* Orders paths as if the slash were before all other characters. */
static int compare_paths(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b)
        a++, b++;
    int x = *a == '/' ? 1 : *a == '\0' ? 0 : (unsigned char)*a + 2;
    int y = *b == '/' ? 1 : *b == '\0' ? 0 : (unsigned char)*b + 2;
    return x - y;
}

static int compare_files(const void *a, const void *b)
{
    const struct pst_picture_file *x = a, *y = b;
    return x->part != y->part ? x->part - y->part : compare_paths(x->below, y->below);
}

/* The first folder is the class. Pictures that follow each other share its name. */
static enum pst_status name_class(struct pst_pictures *pictures, size_t index, struct pst_error *error)
{
    struct pst_picture_file *file = &pictures->files[index];
    const struct pst_picture_file *before = index > 0 ? file - 1 : file;
    size_t length = strcspn(file->below, "/");
    void *name = NULL;
    if (file->below[length] == '\0')
        return PST_OK;
    if (before->label != NULL && strncmp(before->label, file->below, length) == 0 &&
        before->label[length] == '\0') {
        file->label = before->label;
        return PST_OK;
    }
    enum pst_status status = pst_pictures_allocate(pictures, length + 1, &name, error);
    if (name == NULL)
        return status;
    char *label = memcpy(name, file->below, length);
    label[length] = '\0';
    file->label = label;
    return PST_OK;
}

/* In each part all pictures lie in folders of classes, or none does; and no picture is there twice. */
static enum pst_status check_file(const struct pst_pictures *pictures, size_t index, struct pst_error *error)
{
    const struct pst_picture_file *file = &pictures->files[index], *before = file - 1;
    if (index == 0 || file->part != before->part)
        return PST_OK;
    if ((file->label == NULL) != (before->label == NULL))
        return pst_fail(error, PST_BAD_DATA, "%s: '%s' lies in no folder of a class, but '%s' does",
                        pictures->path, file->label == NULL ? file->path : before->path,
                        file->label == NULL ? before->path : file->path);
    if (strcmp(file->path, before->path) == 0)
        return pst_fail(error, PST_BAD_DATA, "%s: '%s' is there twice", pictures->path, file->path);
    return PST_OK;
}

enum pst_status pst_pictures_arrange(struct pst_pictures *pictures, struct pst_error *error)
{
    size_t common = pictures->source == PST_PICTURES_TAR ? common_folders(pictures) : 0;
    bool parts;
    for (size_t i = 0; i < pictures->count; i++)
        pictures->files[i].below = pictures->files[i].path + common;
    enum pst_status status = find_parts(pictures, &parts, error);
    if (status != PST_OK)
        return status;
    qsort(pictures->files, pictures->count, sizeof *pictures->files, compare_files);
    for (size_t i = 0; i < pictures->count && status == PST_OK; i++) {
        status = name_class(pictures, i, error);
        if (status != PST_OK)
            return pst_fail_at(error, "%s", pictures->path);
        status = check_file(pictures, i, error);
    }
    return status;
}
