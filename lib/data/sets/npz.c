/* npz: samples and labels from the arrays in one file, as numpy.savez writes it. */
#include "lib/data/arrays/npy.h"
#include "lib/data/arrays/pairs.h"
#include "lib/data/arrays/zip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings {
    const char *x, *y, *weight; /* names of arrays; NULL: the usual ones, and no weights */
    struct pst_pairs_meaning meaning;
};

static const struct pst_option options[] = {
    { 0, "x", PST_STRING, offsetof(struct settings, x), "the array of samples in an npz file",
      .metavar = "NAME", .silent = true },
    { 0, "y", PST_STRING, offsetof(struct settings, y), "the array of labels in an npz file; -: none",
      .metavar = "NAME", .silent = true },
    PST_WEIGHT_OPTION(offsetof(struct settings, weight)),
    PST_PAIRS_OPTIONS(offsetof(struct settings, meaning)),
    { 0 },
};

/* What a pair's reader needs. */
struct how {
    const struct settings *settings;
    bool test;
};

/* ---- names of arrays ----------------------------------------------------------------------------------- */

enum { MOST_NAME = 256 };

/* The names under which arrays are looked for, in this order. */
static const char *const samples_names[] = {
    "x_train", "X_train", "x", "X", "data", "images", "arr_0", NULL
};
static const char *const labels_names[] = { "y_train", "Y_train", "y",      "Y",     "labels",
                                            "label",   "targets", "target", "arr_1", NULL };
static const char *const test_samples_names[] = { "x_test", "X_test", NULL };
static const char *const test_labels_names[] = { "y_test", "Y_test", NULL };

static const struct pst_zip_member *find_array(const struct pst_zip *zip, const char *name)
{
    char member[MOST_NAME];
    return snprintf(member, sizeof member, "%s.npy", name) < (int)sizeof member ? pst_zip_find(zip, member)
                                                                                : NULL;
}

/* The names of an archive's arrays, as many as there is room for: "x, y". Returns how many there are. */
static size_t list_arrays(const struct pst_zip *zip, char *text, size_t size)
{
    size_t count = 0, used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < zip->count; i++) {
        size_t length = strlen(zip->members[i].name);
        if (length < 4 || strcmp(zip->members[i].name + length - 4, ".npy") != 0)
            continue;
        count++;
        if (used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%.*s", used > 0 ? ", " : "",
                                     (int)length - 4, zip->members[i].name);
    }
    return count;
}

/* The only array of an archive; NULL if there is not exactly one. */
static const struct pst_zip_member *only_array(const struct pst_zip *zip)
{
    char text[MOST_NAME];
    if (list_arrays(zip, text, sizeof text) != 1)
        return NULL;
    return find_array(zip, text);
}

/*
 * Chooses an array. named: by the user; NULL: the first of the usual names. member: receives it; NULL if it
 * is not there under a usual name.
 */
static enum pst_status choose(const struct pst_zip *zip, const char *named, const char *const *usual,
                              const struct pst_zip_member **member, struct pst_error *error)
{
    char list[200];
    *member = NULL;
    if (named == NULL) {
        for (size_t i = 0; usual[i] != NULL && *member == NULL; i++)
            *member = find_array(zip, usual[i]);
        return PST_OK;
    }
    *member = find_array(zip, named);
    if (*member != NULL)
        return PST_OK;
    (void)list_arrays(zip, list, sizeof list);
    return pst_fail(error, PST_BAD_DATA, "there is no array '%s' in it, but %s", named, list);
}

static enum pst_status choose_samples(const struct pst_zip *zip, const struct how *how,
                                      const struct pst_zip_member **member, struct pst_error *error)
{
    char list[200];
    enum pst_status status =
        choose(zip, how->settings->x, how->test ? test_samples_names : samples_names, member, error);
    if (status == PST_OK && *member == NULL && !how->test)
        *member = only_array(zip);
    if (status != PST_OK || *member != NULL)
        return status;
    if (list_arrays(zip, list, sizeof list) == 0)
        return pst_fail(error, PST_BAD_DATA, "there is no array in it, as NAME.npy");
    return how->test ? pst_fail(error, PST_USAGE, "it has no test part, x_test; it has %s: --x NAME", list)
                     : pst_fail(error, PST_USAGE, "which array holds the samples? It has %s: --x NAME", list);
}

/* Labels are looked for, but need not be there. */
static enum pst_status choose_labels(const struct pst_zip *zip, const struct how *how,
                                     const struct pst_zip_member **member, struct pst_error *error)
{
    const char *named = how->settings->y;
    *member = NULL;
    return named != NULL && strcmp(named, "-") == 0
               ? PST_OK
               : choose(zip, named, how->test ? test_labels_names : labels_names, member, error);
}

/* ---- arrays -------------------------------------------------------------------------------------------- */

/* Reads an array. file: the archive's name. path: receives the array's name for messages; owned. */
static enum pst_status read_array(const struct pst_zip *zip, const struct pst_zip_member *member,
                                  const char *file, struct pst_array *array, char **path, size_t *memory,
                                  struct pst_error *error)
{
    size_t size = strlen(file) + strlen(member->name) + 3;
    char *text = *path = pst_allocate(1, size, error);
    if (text == NULL)
        return PST_TRY_AGAIN;
    snprintf(text, size, "%s: %s", file, member->name);
    text[size - 1 - strlen(".npy")] = '\0';
    enum pst_status status = pst_zip_read(zip, member, array, memory, error);
    if (status == PST_OK)
        status = pst_npy_open(array, memory, error);
    if (status != PST_OK && error != NULL)
        (void)pst_fail_at(error, "%s", text);
    return status;
}

/* Reads the arrays of a pair from an archive that is open. file: its name. */
static enum pst_status read_arrays(const struct pst_zip *zip, const char *file, struct pst_pair *pair,
                                   size_t *memory, const struct how *how, struct pst_error *error)
{
    const struct pst_zip_member *x = NULL, *y = NULL, *weights = NULL;
    enum pst_status status = choose_samples(zip, how, &x, error);
    if (status == PST_OK)
        status = choose_labels(zip, how, &y, error);
    if (status == PST_OK && how->settings->weight != NULL)
        status = choose(zip, how->settings->weight, NULL, &weights, error);
    if (status == PST_OK && (x == y || x == weights))
        status = pst_fail(error, PST_USAGE, "the samples and %s are the same array",
                          x == y ? "their labels" : "their weights");
    if (status != PST_OK)
        return error == NULL ? status : pst_fail_at(error, "%s", file);
    status = read_array(zip, x, file, &pair->samples, &pair->samples_path, memory, error);
    if (status == PST_OK && y != NULL)
        status = read_array(zip, y, file, &pair->labels, &pair->labels_path, memory, error);
    if (status == PST_OK && weights != NULL)
        status = read_array(zip, weights, file, &pair->weights, &pair->weights_path, memory, error);
    return status;
}

static enum pst_status read_pair(struct pst_pair *pair, size_t *memory, const void *how,
                                 struct pst_error *error)
{
    struct pst_zip zip;
    enum pst_status status = pst_zip_open(&zip, pair->samples_path, error);
    if (status != PST_OK)
        return status;
    char *file = pair->samples_path;
    pair->samples_path = NULL;
    status = read_arrays(&zip, file, pair, memory, how, error);
    free(file);
    pst_zip_close(&zip);
    return status;
}

/* ---- the type ------------------------------------------------------------------------------------------ */

static enum pst_status open_npz(struct pst_dataset *dataset, const struct pst_dataset_request *request,
                                struct pst_error *error)
{
    const struct settings *settings = request->settings;
    struct how how = { .settings = settings, .test = request->test };
    if (request->count == 0)
        return pst_fail(error, PST_USAGE, "which file? npz:FILE");
    struct pst_pairs *own = dataset->own = pst_allocate(1, sizeof *own, error);
    enum pst_status status = own == NULL ? PST_TRY_AGAIN : PST_OK;
    for (size_t i = 0; i < request->count && status == PST_OK; i++)
        status = pst_pairs_add(own, request->arguments[i], NULL, error);
    if (status == PST_OK)
        status = pst_pairs_open(dataset, read_pair, &how, &settings->meaning, request->max_memory, error);
    if (status != PST_OK)
        return status;
    const char *slash = strrchr(request->arguments[0], '/');
    snprintf(dataset->name, sizeof dataset->name, "%s", slash != NULL ? slash + 1 : request->arguments[0]);
    pst_make_plain(dataset->name);
    return PST_OK;
}

/* A zip archive whose first member is an array. */
static bool recognises(const unsigned char *start, size_t size)
{
    enum { LOCAL = 30 };
    size_t length = size > LOCAL ? (size_t)(start[26] | start[27] << 8) : 0;
    return length > 4 && length <= size - LOCAL && memcmp(start, "PK\3\4", 4) == 0 &&
           memcmp(start + LOCAL + length - 4, ".npy", 4) == 0;
}

const struct pst_dataset_type pst_dataset_npz = {
    .name = "npz",
    .help = "arrays in a file that numpy.savez has written",
    .arguments = "FILE",
    .most_arguments = 4096,
    .has_test_part = true,
    .settings = { options, sizeof(struct settings), NULL },
    .recognises = recognises,
    .open = open_npz,
    .get = pst_pairs_get,
    .place = pst_pairs_place,
    .close = pst_pairs_close,
};
