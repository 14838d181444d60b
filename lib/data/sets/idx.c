/* idx: samples and labels from pairs of IDX files. */
#include "lib/data/arrays/idx.h"

struct settings {
    const char *images, *labels; /* lists of files */
    struct pst_pairs_meaning meaning;
};

static const struct pst_option options[] = {
    { 0, "images", PST_STRING, offsetof(struct settings, images),
      "IDX files of samples, plain or .gz; several are one set", .metavar = "FILE,...", .silent = true,
      .files = PST_FILE_READ | PST_FILE_LIST },
    { 0, "labels", PST_STRING, offsetof(struct settings, labels),
      "IDX files of their labels, one for each of these", .metavar = "FILE,...", .silent = true,
      .files = PST_FILE_READ | PST_FILE_LIST },
    PST_PAIRS_OPTIONS(offsetof(struct settings, meaning)),
    { 0 },
};

static enum pst_status open_idx(struct pst_dataset *dataset, const struct pst_dataset_request *request,
                                struct pst_error *error)
{
    const struct settings *settings = request->settings;
    if (settings->images == NULL && request->count == 0)
        return pst_fail(error, PST_USAGE, "which files? idx:IMAGES,LABELS or --images FILE --labels FILE");
    if (settings->images != NULL && request->count > 0)
        return pst_fail(error, PST_USAGE, "--images and idx:%s name the images twice", request->arguments[0]);
    struct pst_pairs *own = dataset->own = pst_allocate(1, sizeof *own, error);
    if (own == NULL)
        return PST_TRY_AGAIN;
    const char *labels = settings->labels;
    enum pst_status status =
        settings->images != NULL
            ? pst_pairs_add_lists(own, settings->images, labels != NULL ? labels : "", error)
            : pst_pairs_add_arguments(own, request, labels, "idx", error);
    return status == PST_OK ? pst_pairs_open(dataset, pst_idx_read_pair, NULL, &settings->meaning,
                                             request->max_memory, error)
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
    .get = pst_pairs_get,
    .place = pst_pairs_place,
    .close = pst_pairs_close,
};
