/* The classes of pictures: named by their folders, or by a list. */
#include "lib/data/pictures/image_set.h"

#include <stdlib.h>
#include <string.h>

/* A class and its name; sorted by name, to be found. */
struct named {
    const char *name;
    int32_t class;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* Whether all labels of a list are numbers of classes. largest: receives the largest. */
static bool are_numbers(const struct pst_pictures *pictures, uint64_t *largest)
{
    *largest = 0;
    for (size_t i = 0; i < pictures->count; i++) {
        uint64_t number;
        if (!pst_parse_u64(pictures->files[i].label, 0, PST_MAX_CLASSES - 1, &number))
            return false;
        *largest = number > *largest ? number : *largest;
    }
    return true;
}

static enum pst_status take_numbers(const struct pst_image_set *set, struct pst_dataset *dataset,
                                    size_t classes)
{
    const struct pst_picture_file *files = set->pictures.files + set->first;
    dataset->classes = classes;
    for (size_t i = 0; i < dataset->samples; i++)
        ((int32_t *)dataset->labels)[i] = (int32_t)strtol(files[i].label, NULL, 10);
    return PST_OK;
}

/* Lists the names of all parts once each, sorted. names: room for all pictures. Returns how many there are.
 */
static size_t list_names(const struct pst_pictures *pictures, struct named *names)
{
    size_t count = 0, different = 0;
    for (size_t i = 0; i < pictures->count; i++) {
        const char *label = pictures->files[i].label;
        if (label != NULL && (count == 0 || label != names[count - 1].name)) /* neighbours mostly share it */
            names[count++].name = label;
    }
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++)
        if (different == 0 || strcmp(names[i].name, names[different - 1].name) != 0)
            names[different++] = names[i];
    for (size_t i = 0; i < different; i++)
        names[i].class = (int32_t)i;
    return different;
}

/* The names of a model's classes, sorted. */
static void list_like(const struct pst_likeness *like, struct named *names)
{
    for (size_t i = 0; i < like->classes; i++)
        names[i] = (struct named){ like->class_names[i], (int32_t)i };
    qsort(names, like->classes, sizeof *names, compare_names);
}

static enum pst_status name_classes(struct pst_dataset *dataset, const struct named *names, size_t count,
                                    struct pst_error *error)
{
    const char **list = pst_allocate(count, sizeof *list, error);
    if (list == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < count; i++)
        list[names[i].class] = names[i].name;
    dataset->classes = count;
    dataset->class_names = pst_names_copy(list, count, error);
    free((void *)list);
    return dataset->class_names == NULL ? PST_TRY_AGAIN : PST_OK;
}

static enum pst_status find_classes(const struct pst_image_set *set, struct pst_dataset *dataset,
                                    const struct named *names, const char *whose, struct pst_error *error)
{
    const struct pst_picture_file *files = set->pictures.files + set->first;
    for (size_t i = 0; i < dataset->samples; i++) {
        const struct named wanted = { .name = files[i].label },
                           *found = bsearch(&wanted, names, dataset->classes, sizeof *names, compare_names);
        if (found == NULL)
            return pst_fail(error, PST_BAD_DATA, "%s: class '%.60s' of '%.150s' is none of %s's",
                            set->pictures.path, files[i].label, files[i].path, whose);
        ((int32_t *)dataset->labels)[i] = found->class;
    }
    return PST_OK;
}

static enum pst_status check_names(const struct pst_image_set *set, const struct named *names, size_t count,
                                   struct pst_error *error)
{
    for (size_t i = 0; i < count; i++)
        if (!pst_is_utf8(names[i].name))
            return pst_fail(error, PST_BAD_DATA, "%s: the name of class '%.60s' is not UTF-8",
                            set->pictures.path, names[i].name);
    return count <= PST_MAX_CLASSES ? PST_OK
                                    : pst_fail(error, PST_BAD_DATA, "%s: %zu classes; there may be %u",
                                               set->pictures.path, count, PST_MAX_CLASSES);
}

enum pst_status pst_image_set_label(const struct pst_image_set *set, struct pst_dataset *dataset,
                                    const struct pst_likeness *like, struct pst_error *error)
{
    const struct pst_pictures *pictures = &set->pictures;
    bool named = like != NULL && like->classes > 0 && like->class_names != NULL;
    uint64_t largest;
    if (pictures->files[set->first].label == NULL)
        return PST_OK;
    dataset->label_kind = PST_LABELS_CLASS;
    dataset->labels = pst_allocate(dataset->samples, sizeof(int32_t), error);
    if (dataset->labels == NULL)
        return PST_TRY_AGAIN;
    if (!named && pictures->source == PST_PICTURES_LIST && are_numbers(pictures, &largest))
        return take_numbers(set, dataset, (size_t)largest + 1);
    size_t count = named ? like->classes : pictures->count;
    struct named *names = pst_allocate(count, sizeof *names, error);
    if (names == NULL)
        return PST_TRY_AGAIN;
    if (named)
        list_like(like, names);
    else
        count = list_names(pictures, names);
    enum pst_status status = check_names(set, names, count, error);
    if (status == PST_OK)
        status = name_classes(dataset, names, count, error);
    if (status == PST_OK)
        status = find_classes(set, dataset, names, named ? like->name : pictures->path, error);
    free(names);
    return status;
}
