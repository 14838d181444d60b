/* Whether a set is like what a model or a recording was made from. */
#include "pipestill/data.h"

#include <stdlib.h>
#include <string.h>

/* The same number of categories, under the same names. */
static bool same_categories(const struct pst_column *a, const struct pst_column *b)
{
    bool same = a->categories == b->categories;
    for (size_t i = 0; same && i < a->categories; i++)
        same = strcmp(a->category[i], b->category[i]) == 0;
    return same;
}

static enum pst_status compare_columns(const struct pst_dataset *dataset, const struct pst_likeness *like,
                                       struct pst_error *error)
{
    if (dataset->columns != like->columns)
        return pst_fail(error, PST_BAD_DATA, "%s has %zu columns of inputs, but %s has %zu", like->name,
                        like->columns, dataset->name, dataset->columns);
    for (size_t i = 0; i < like->columns; i++) {
        const struct pst_column *has = &dataset->column[i], *wants = &like->column[i];
        if (strcmp(has->name, wants->name) != 0)
            return pst_fail(error, PST_BAD_DATA, "column %zu is '%.60s' in %s, but '%.60s' in %s", i + 1,
                            wants->name, like->name, has->name, dataset->name);
        if (!same_categories(has, wants))
            return pst_fail(error, PST_BAD_DATA, "column '%.60s' has other categories in %s than in %s",
                            has->name, dataset->name, like->name);
    }
    return PST_OK;
}

/* what: "class" or "output". */
static enum pst_status compare_names(const struct pst_dataset *dataset, const struct pst_likeness *like,
                                     const char *what, const char *const *has, const char *const *wants,
                                     size_t count, struct pst_error *error)
{
    for (size_t i = 0; has != NULL && wants != NULL && i < count; i++)
        if (strcmp(has[i], wants[i]) != 0)
            return pst_fail(error, PST_BAD_DATA, "%s %zu is '%.60s' in %s, but '%.60s' in %s", what, i,
                            wants[i], like->name, has[i], dataset->name);
    return PST_OK;
}

static enum pst_status compare_classes(struct pst_dataset *dataset, const struct pst_likeness *like,
                                       struct pst_error *error)
{
    if (dataset->label_kind != PST_LABELS_CLASS)
        return PST_OK;
    if (like->classes == 0 && like->outputs > 0)
        return pst_fail(error, PST_BAD_DATA, "labels of %s are classes, which those of %s are not",
                        dataset->name, like->name);
    if (like->classes == 0)
        return PST_OK;
    if (dataset->classes > like->classes)
        return pst_fail(error, PST_BAD_DATA, "%s has %zu classes, but %s has %zu", like->name, like->classes,
                        dataset->name, dataset->classes);
    enum pst_status status = compare_names(dataset, like, "class", dataset->class_names, like->class_names,
                                           dataset->classes, error);
    if (status != PST_OK || dataset->classes == like->classes)
        return status;
    dataset->classes = like->classes; /* the set has no sample of the last ones */
    free((void *)dataset->class_names);
    dataset->class_names = NULL;
    if (like->class_names == NULL)
        return PST_OK;
    dataset->class_names = pst_names_copy(like->class_names, like->classes, error);
    return dataset->class_names != NULL ? PST_OK : PST_TRY_AGAIN;
}

static enum pst_status compare_outputs(const struct pst_dataset *dataset, const struct pst_likeness *like,
                                       struct pst_error *error)
{
    size_t outputs = dataset->label_width > 0 ? dataset->label_width : 1;
    if (dataset->label_kind != PST_LABELS_NUMBERS && dataset->label_kind != PST_LABELS_BITS)
        return PST_OK;
    if (like->classes > 0 || (like->outputs > 0 && like->outputs != outputs))
        return pst_fail(error, PST_BAD_DATA, "%s predicts %zu %s, but %s has %zu numbers or bits a label",
                        like->name, like->classes > 0 ? like->classes : like->outputs,
                        like->classes > 0 ? "classes" : "numbers or bits", dataset->name, outputs);
    return compare_names(dataset, like, "output", dataset->output_names, like->output_names, outputs, error);
}

static enum pst_status copy_standard(struct pst_standard *copy, const struct pst_standard *standard,
                                     struct pst_error *error)
{
    enum pst_status status = pst_standard_new(copy, standard->channels, error);
    if (status == PST_OK)
        memcpy(copy->mean, standard->mean, 2 * standard->channels * sizeof *standard->mean);
    return status;
}

/* compare_outputs has checked that the number of outputs fits. */
static enum pst_status take_targets(struct pst_dataset *dataset, const struct pst_likeness *like,
                                    struct pst_error *error)
{
    size_t outputs = dataset->label_width > 0 ? dataset->label_width : 1;
    if (dataset->label_kind != PST_LABELS_NUMBERS || like->targets.channels != outputs)
        return PST_OK;
    return copy_standard(&dataset->targets, &like->targets, error);
}

static enum pst_status take_standard(struct pst_dataset *dataset, const struct pst_likeness *like,
                                     struct pst_error *error)
{
    const struct pst_standard *wanted = &like->standard;
    if (wanted->channels == 0)
        return PST_OK;
    if (wanted->channels != pst_dataset_channels(dataset))
        return pst_fail(error, PST_BAD_DATA, "%s standardises %zu channels or columns, but %s has %zu",
                        like->name, wanted->channels, dataset->name, pst_dataset_channels(dataset));
    return copy_standard(&dataset->standard, wanted, error);
}

/* Numbers that were made otherwise have the same shape, but another meaning. */
static enum pst_status compare_making(const struct pst_dataset *dataset, const struct pst_likeness *like,
                                      struct pst_error *error)
{
    if (like->made == NULL || strcmp(like->made, dataset->made) == 0)
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA,
                    "%s learned from '%.150s', but %s is '%.150s': give the same options", like->name,
                    like->made, dataset->name, dataset->made);
}

enum pst_status pst_dataset_compare(struct pst_dataset *dataset, const struct pst_likeness *like,
                                    struct pst_error *error)
{
    enum pst_status status = compare_making(dataset, like, error);
    if (status == PST_OK)
        status = compare_columns(dataset, like, error);
    if (status == PST_OK)
        status = compare_classes(dataset, like, error);
    if (status == PST_OK)
        status = compare_outputs(dataset, like, error);
    if (status == PST_OK)
        status = take_targets(dataset, like, error);
    return status == PST_OK ? take_standard(dataset, like, error) : status;
}
