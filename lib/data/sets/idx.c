/* idx: samples and labels from pairs of IDX files. */
#include "lib/data/idx.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
    const char *images, *labels; /* lists of files */
    struct pst_idx_meaning meaning;
};

static const struct pst_option options[] = {
    { 0, "images", PST_STRING, offsetof(struct settings, images),
      "IDX files of samples, plain or .gz; several are one set", .metavar = "FILE,...", .silent = true,
      .files = PST_FILE_READ | PST_FILE_LIST },
    { 0, "labels", PST_STRING, offsetof(struct settings, labels), "IDX files of their labels, as many",
      .metavar = "FILE,...", .silent = true, .files = PST_FILE_READ | PST_FILE_LIST },
    PST_CLASSES_OPTION(offsetof(struct settings, meaning.classes)),
    PST_FIRST_LABEL_OPTION(offsetof(struct settings, meaning.first_label)),
    { 0, "scale", PST_DOUBLE, offsetof(struct settings, meaning.scale),
      "an element e stands for scale e + offset; 0: 1/255 for bytes, 1 for others", .least = -1e30,
      .most = 1e30 },
    { 0, "offset", PST_DOUBLE, offsetof(struct settings, meaning.offset), "see --scale", .least = -1e30,
      .most = 1e30 },
    { 0 },
};

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
static enum pst_status add_pair(struct pst_idx_set *own, const char **images, const char **labels,
                                struct pst_error *error)
{
    char *image = take_name(images), *label = **labels != '\0' ? take_name(labels) : NULL;
    enum pst_status status = image == NULL ? pst_fail(error, PST_TRY_AGAIN, "out of memory for a name")
                                           : pst_idx_set_add(own, image, label, error);
    free(image);
    free(label);
    return status;
}

/* The files of --images and --labels. */
static enum pst_status add_listed(struct pst_idx_set *own, const struct settings *settings,
                                  struct pst_error *error)
{
    const char *images = settings->images, *labels = settings->labels != NULL ? settings->labels : "";
    bool labelled = *labels != '\0';
    enum pst_status status = PST_OK;
    while (*images != '\0' && status == PST_OK) {
        if (labelled && *labels == '\0')
            return pst_fail(error, PST_USAGE, "--images names more files than --labels");
        status = add_pair(own, &images, &labels, error);
    }
    if (status == PST_OK && *labels != '\0')
        return pst_fail(error, PST_USAGE, "--labels names more files than --images");
    return status;
}

/* The files of arguments, IMAGES or IMAGES,LABELS; of a single one the labels may also be an option. */
static enum pst_status add_arguments(struct pst_idx_set *own, const struct pst_dataset_request *request,
                                     struct pst_error *error)
{
    const struct settings *settings = request->settings;
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < request->count && status == PST_OK; i++) {
        const char *images = request->arguments[i];
        const char *labels = images + strlen(images);
        bool pair = access(images, F_OK) != 0 && strchr(images, ',') != NULL;
        if (pair && settings->labels != NULL)
            return pst_fail(error, PST_USAGE, "--labels and idx:%s name the labels twice", images);
        if (pair)
            labels = strchr(images, ',') + 1;
        else if (request->count == 1 && settings->labels != NULL)
            labels = settings->labels;
        else if (settings->labels != NULL)
            return pst_fail(error, PST_USAGE, "name the labels behind the images: idx:IMAGES,LABELS");
        status = add_pair(own, &images, &labels, error);
        if (status == PST_OK && *labels != '\0')
            return pst_fail(error, PST_USAGE, "%s: one file of images has one of labels",
                            request->arguments[i]);
    }
    return status;
}

static enum pst_status open_idx(struct pst_dataset *dataset, const struct pst_dataset_request *request,
                                struct pst_error *error)
{
    const struct settings *settings = request->settings;
    if (settings->meaning.first_label != floor(settings->meaning.first_label))
        return pst_fail(error, PST_USAGE, "--first-label: %g is not a whole number",
                        settings->meaning.first_label);
    if (settings->images == NULL && request->count == 0)
        return pst_fail(error, PST_USAGE, "which files? idx:IMAGES,LABELS or --images FILE --labels FILE");
    if (settings->images != NULL && request->count > 0)
        return pst_fail(error, PST_USAGE, "--images and idx:%s name the images twice", request->arguments[0]);
    struct pst_idx_set *own = dataset->own = pst_allocate(1, sizeof *own, error);
    if (own == NULL)
        return PST_TRY_AGAIN;
    enum pst_status status =
        settings->images != NULL ? add_listed(own, settings, error) : add_arguments(own, request, error);
    return status == PST_OK ? pst_idx_set_open(dataset, &settings->meaning, request->max_memory, error)
                            : status;
}

const struct pst_dataset_type pst_dataset_idx = {
    .name = "idx",
    .help = "IDX files, plain or .gz, of any element type",
    .arguments = "IMAGES[,LABELS]",
    .most_arguments = 4096,
    .named_by = "images",
    .settings = { options, sizeof(struct settings), NULL },
    .recognises = pst_idx_recognises,
    .open = open_idx,
    .get = pst_idx_set_get,
    .place = pst_idx_set_place,
    .close = pst_idx_set_close,
};
