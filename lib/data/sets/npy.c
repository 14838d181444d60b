/* npy: samples and labels from pairs of NumPy's files. */
#include "lib/data/arrays/npy.h"
#include "lib/data/arrays/pairs.h"

static const struct pst_option options[] = {
    PST_PAIRS_OPTIONS(0),
    { 0 },
};

static enum pst_status read_pair(struct pst_pair *pair, size_t *memory, const void *how,
                                 struct pst_error *error)
{
    (void)how;
    enum pst_status status = pst_npy_read(&pair->samples, pair->samples_path, memory, error);
    return status == PST_OK && pair->labels_path != NULL
               ? pst_npy_read(&pair->labels, pair->labels_path, memory, error)
               : status;
}

static enum pst_status open_npy(struct pst_dataset *dataset, const struct pst_dataset_request *request,
                                struct pst_error *error)
{
    if (request->count == 0)
        return pst_fail(error, PST_USAGE, "which files? npy:SAMPLES,LABELS");
    struct pst_pairs *own = dataset->own = pst_allocate(1, sizeof *own, error);
    enum pst_status status =
        own == NULL ? PST_TRY_AGAIN : pst_pairs_add_arguments(own, request, NULL, "npy", error);
    return status == PST_OK
               ? pst_pairs_open(dataset, read_pair, NULL, request->settings, request->max_memory, error)
               : status;
}

const struct pst_dataset_type pst_dataset_npy = {
    .name = "npy",
    .help = "NumPy arrays, also larger than memory",
    .arguments = "SAMPLES[,LABELS]",
    .most_arguments = 4096,
    .settings = { options, sizeof(struct pst_pairs_meaning), NULL },
    .recognises = pst_npy_recognises,
    .open = open_npy,
    .get = pst_pairs_get,
    .place = pst_pairs_place,
    .close = pst_pairs_close,
};
