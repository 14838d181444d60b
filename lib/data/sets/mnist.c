/* mnist: MNIST, or any set with its file names, in one of several folders. */
#include "lib/data/arrays/idx.h"
#include "lib/data/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLASSES 10
#define PATH_SIZE 4096

/*
 * Finds a file in a folder under one of its usual names, "train-images-idx3-ubyte" with a hyphen or a dot
 * before "idx", plain or .gz.
 * begin, end: "train-images" and "idx3-ubyte". path: receives the name.
 * Returns false if there is none.
 */
static bool find_file(const char *folder, const char *begin, const char *end, char path[PATH_SIZE])
{
    for (const char *separator = "-."; *separator != '\0'; separator++) {
        for (int gzip = 0; gzip < 2; gzip++) {
            int length =
                snprintf(path, PATH_SIZE, "%s/%s%c%s%s", folder, begin, *separator, end, gzip ? ".gz" : "");
            if (length < PATH_SIZE && access(path, R_OK) == 0)
                return true;
        }
    }
    return false;
}

/* Finds the pair of files in a folder, or where torchvision puts them below it. */
static bool find_pair(const char *folder, bool test, char images[PATH_SIZE], char labels[PATH_SIZE])
{
    static const char *const below[] = { "", "/MNIST/raw", "/raw" };
    char place[PATH_SIZE];
    for (size_t i = 0; i < sizeof below / sizeof *below; i++)
        if (snprintf(place, sizeof place, "%s%s", folder, below[i]) < PATH_SIZE &&
            find_file(place, test ? "t10k-images" : "train-images", "idx3-ubyte", images) &&
            find_file(place, test ? "t10k-labels" : "train-labels", "idx1-ubyte", labels))
            return true;
    return false;
}

/* The files of a part. */
struct pair {
    bool test;
    char images[PATH_SIZE], labels[PATH_SIZE];
};

static bool is_in(const char *folder, void *found)
{
    struct pair *pair = found;
    return find_pair(folder, pair->test, pair->images, pair->labels);
}

/* Finds the pair in the folder that is named, in that of MNIST_DIR, or in the usual places. */
static enum pst_status find_mnist(const struct pst_dataset_request *request, struct pair *pair,
                                  struct pst_error *error)
{
    static const char *const usual[] = { "data/mnist",           "data",
                                         "~/.local/share/mnist", "/usr/local/share/mnist",
                                         "/usr/share/mnist",     NULL };
    const struct pst_places places = {
        .title = "MNIST",
        .variable = "MNIST_DIR",
        .usual = usual,
        .files = request->test ? "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte (plain or .gz)"
                               : "train-images-idx3-ubyte and train-labels-idx1-ubyte (plain or .gz)",
        .below = " or in MNIST/raw below",
        .is_in = is_in,
    };
    pair->test = request->test;
    return pst_find_place(&places, request->count > 0 ? request->arguments[0] : NULL, pair, error);
}

static enum pst_status open_mnist(struct pst_dataset *dataset, const struct pst_dataset_request *request,
                                  struct pst_error *error)
{
    struct pair pair;
    struct pst_pairs *own = dataset->own = pst_allocate(1, sizeof *own, error);
    if (own == NULL)
        return PST_TRY_AGAIN;
    enum pst_status status = find_mnist(request, &pair, error);
    if (status == PST_OK)
        status = pst_pairs_add(own, pair.images, pair.labels, error);
    if (status == PST_OK)
        status = pst_pairs_open(dataset, pst_idx_read_pair, NULL,
                                &(struct pst_pairs_meaning){ .labels.classes = CLASSES }, request->max_memory,
                                error);
    strcpy(dataset->name, "mnist");
    return status;
}

const struct pst_dataset_type pst_dataset_mnist = {
    .name = "mnist",
    .help = "handwritten digits, from $MNIST_DIR or one of the usual places",
    .arguments = "FOLDER",
    .most_arguments = 1,
    .has_test_part = true,
    .open = open_mnist,
    .get = pst_pairs_get,
    .place = pst_pairs_place,
    .close = pst_pairs_close,
};
