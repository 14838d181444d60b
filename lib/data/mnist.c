/* Finds MNIST, or any set that uses its file names, and opens it. */
#include "pipestill/data.h"

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
 * Returns false where there is none.
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

/* Finds the pair of files in a folder. */
static bool find_pair(const char *folder, bool test, char images[PATH_SIZE], char labels[PATH_SIZE])
{
    return find_file(folder, test ? "t10k-images" : "train-images", "idx3-ubyte", images) &&
           find_file(folder, test ? "t10k-labels" : "train-labels", "idx1-ubyte", labels);
}

static bool find_in_usual_places(bool test, char images[PATH_SIZE], char labels[PATH_SIZE])
{
    const char *home = getenv("HOME");
    char own[PATH_SIZE] = "";
    if (home != NULL && snprintf(own, sizeof own, "%s/.local/share/mnist", home) >= PATH_SIZE)
        own[0] = '\0';
    const char *const places[] = { "data/mnist", own, "/usr/local/share/mnist", "/usr/share/mnist" };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (*places[i] != '\0' && find_pair(places[i], test, images, labels))
            return true;
    return false;
}

enum pst_status pst_dataset_open_mnist(struct pst_dataset *dataset, bool test, struct pst_error *error)
{
    *dataset = (struct pst_dataset){ 0 };
    char images[PATH_SIZE], labels[PATH_SIZE];
    const char *folder = getenv("MNIST_DIR");
    const char *part = test ? "t10k" : "train";
    if (folder != NULL && *folder != '\0') {
        if (!find_pair(folder, test, images, labels))
            return pst_fail(
                error, PST_NO_INPUT,
                "MNIST is not in MNIST_DIR=%s: %s-images-idx3-ubyte and %s-labels-idx1-ubyte, plain "
                "or .gz, should be there",
                folder, part, part);
    } else if (!find_in_usual_places(test, images, labels)) {
        return pst_fail(error, PST_NO_INPUT,
                        "MNIST is not found in ./data/mnist, ~/.local/share/mnist, /usr/local/share/mnist or "
                        "/usr/share/mnist: set MNIST_DIR to the folder with %s-images-idx3-ubyte and "
                        "%s-labels-idx1-ubyte, plain or .gz",
                        part, part);
    }
    enum pst_status status = pst_dataset_open_idx(dataset, images, labels, CLASSES, error);
    if (status == PST_OK)
        memcpy(dataset->name, "mnist", sizeof "mnist");
    return status;
}
