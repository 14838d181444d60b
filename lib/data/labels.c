/* Labels: what the types of data sets share. */
#include "pipestill/data.h"

#include <stdio.h>
#include <string.h>

size_t pst_dataset_label_bytes(const struct pst_dataset *dataset)
{
    static const size_t sizes[] = { [PST_LABELS_NONE] = 0,
                                    [PST_LABELS_CLASS] = sizeof(int32_t),
                                    [PST_LABELS_NUMBERS] = sizeof(float),
                                    [PST_LABELS_BITS] = 1 };
    return sizes[dataset->label_kind] * (dataset->label_width > 0 ? dataset->label_width : 1);
}

enum pst_status pst_class_of_number(double number, double first_label, size_t classes, int32_t *class,
                                    struct pst_error *error)
{
    double place = number - first_label;
    if (place < 0)
        return pst_fail(error, PST_BAD_DATA,
                        "it is below the first label, %.15g; --first-label says what that is", first_label);
    if (place >= (double)(classes > 0 ? classes : PST_MAX_CLASSES))
        return pst_fail(error, PST_BAD_DATA, "there are %s%zu classes", classes > 0 ? "" : "at most ",
                        classes > 0 ? classes : PST_MAX_CLASSES);
    *class = (int32_t)place;
    return PST_OK;
}

enum pst_status pst_dataset_name_classes(struct pst_dataset *dataset, double first_label,
                                         struct pst_error *error)
{
    enum { ROOM = 24 };
    const char **names = pst_allocate(dataset->classes, sizeof *names + ROOM, error);
    dataset->class_names = names;
    if (names == NULL)
        return PST_TRY_AGAIN;
    char *text = (char *)(names + dataset->classes);
    for (size_t i = 0; i < dataset->classes; i++, text += ROOM) {
        snprintf(text, ROOM, "%.0f", first_label + (double)i);
        names[i] = text;
    }
    return PST_OK;
}

const char *const *pst_names_copy(const char *const *names, size_t count, struct pst_error *error)
{
    size_t bytes = count * sizeof *names + 1;
    for (size_t i = 0; i < count; i++)
        bytes += strlen(names[i]) + 1;
    const char **copy = pst_allocate(1, bytes, error);
    if (copy == NULL)
        return NULL;
    char *text = (char *)(copy + count);
    for (size_t i = 0; i < count; i++) {
        copy[i] = strcpy(text, names[i]);
        text += strlen(text) + 1;
    }
    return copy;
}
