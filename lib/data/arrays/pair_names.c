/* The names of pairs of files, as options and arguments give them. */
#include "lib/data/arrays/pairs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum pst_status pst_pairs_add(struct pst_pairs *own, const char *samples, const char *labels,
                              struct pst_error *error)
{
    struct pst_pair *grown = realloc(own->pairs, (own->count + 1) * sizeof *grown);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the names of files");
    own->pairs = grown;
    struct pst_pair *pair = &grown[own->count++];
    *pair = (struct pst_pair){ .samples_path = strdup(samples),
                               .labels_path = labels != NULL ? strdup(labels) : NULL };
    if (pair->samples_path == NULL || (labels != NULL && pair->labels_path == NULL))
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the names of files");
    return PST_OK;
}

/* Takes the first name off a list of files, which may be one file with a comma in its name. NULL: memory is
 * short. */
static char *take_name(const char **list)
{
    size_t length = access(*list, F_OK) == 0 ? strlen(*list) : strcspn(*list, ",");
    char *name = strndup(*list, length);
    *list += length;
    *list += **list == ',';
    return name;
}

/* Adds the next files of two lists as a pair. labels: "": there are none. */
static enum pst_status add_next(struct pst_pairs *own, const char **samples, const char **labels,
                                struct pst_error *error)
{
    bool labelled = **labels != '\0';
    char *sample = take_name(samples), *label = labelled ? take_name(labels) : NULL;
    enum pst_status status = sample == NULL || (labelled && label == NULL)
                                 ? pst_fail(error, PST_TRY_AGAIN, "out of memory for a name")
                                 : pst_pairs_add(own, sample, label, error);
    free(sample);
    free(label);
    return status;
}

enum pst_status pst_pairs_add_lists(struct pst_pairs *own, const char *samples, const char *labels,
                                    struct pst_error *error)
{
    bool labelled = *labels != '\0';
    enum pst_status status = PST_OK;
    while (*samples != '\0' && status == PST_OK) {
        if (labelled && *labels == '\0')
            return pst_fail(error, PST_USAGE, "--images names more files than --labels");
        status = add_next(own, &samples, &labels, error);
    }
    if (status == PST_OK && *labels != '\0')
        return pst_fail(error, PST_USAGE, "--labels names more files than --images");
    return status;
}

enum pst_status pst_pairs_add_arguments(struct pst_pairs *own, const struct pst_dataset_request *request,
                                        const char *apart, const char *type, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < request->count && status == PST_OK; i++) {
        const char *samples = request->arguments[i];
        const char *labels = samples + strlen(samples);
        bool pair = access(samples, F_OK) != 0 && strchr(samples, ',') != NULL;
        if (pair && apart != NULL)
            return pst_fail(error, PST_USAGE, "--labels and %s:%s name the labels twice", type, samples);
        if (pair)
            labels = strchr(samples, ',') + 1;
        else if (request->count == 1 && apart != NULL)
            labels = apart;
        else if (apart != NULL)
            return pst_fail(error, PST_USAGE, "name the labels behind the images: %s:IMAGES,LABELS", type);
        status = add_next(own, &samples, &labels, error);
        if (status == PST_OK && *labels != '\0')
            return pst_fail(error, PST_USAGE, "%s: one file of samples has one of labels",
                            request->arguments[i]);
    }
    return status;
}
