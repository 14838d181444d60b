/* pairs.h: sets that are pairs of arrays, of samples and of their labels. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_ARRAYS_PAIRS_H
#define PIPESTILL_LIB_DATA_ARRAYS_PAIRS_H

#include "lib/data/arrays/array.h"

/* Samples and their labels. */
struct pst_pair {
    char *samples_path, *labels_path; /* names for messages; labels_path: NULL if there are none; owned */
    char *weights_path;               /* likewise, of the samples' weights */
    struct pst_array samples, labels, weights;
    size_t first; /* number of its first sample */
};

/* What a set of pairs owns. */
struct pst_pairs {
    size_t memory; /* bytes that the files may still take */
    size_t count;
    struct pst_pair *pairs; /* [count]; owned */
    size_t channels;        /* the last dimension of a sample, which is moved to the front; 0: none is */
    void *sample;           /* as its file has it, before channels are moved; owned */
};

/* What the arrays mean. */
struct pst_pairs_meaning {
    struct pst_label_meaning labels;
    double scale, offset; /* scale 0: 1/255 for bytes, 1 for others */
    bool channels_last;   /* the last dimension of a sample is its channels */
};

/* The options of a meaning at a place in the settings. */
#define PST_PAIRS_OPTIONS(place)                                                                  \
    PST_CLASSES_OPTION((place) + offsetof(struct pst_pairs_meaning, labels.classes)),             \
        PST_FIRST_LABEL_OPTION((place) + offsetof(struct pst_pairs_meaning, labels.first_label)), \
        PST_REGRESSION_OPTION((place) + offsetof(struct pst_pairs_meaning, labels.regression)),   \
        { .name = "one-hot",                                                                      \
          .type = PST_FLAG,                                                                       \
          .at = (place) + offsetof(struct pst_pairs_meaning, labels.one_hot),                     \
          .help = "a row of labels is one class: the place of its 1",                             \
          .excludes = "regression" },                                                             \
        { .name = "scale",                                                                        \
          .type = PST_DOUBLE,                                                                     \
          .at = (place) + offsetof(struct pst_pairs_meaning, scale),                              \
          .help = "an element e stands for scale * e + offset; 0: 1/255 for bytes, else 1",       \
          .least = -1e30,                                                                         \
          .most = 1e30 },                                                                         \
        { .name = "offset",                                                                       \
          .type = PST_DOUBLE,                                                                     \
          .at = (place) + offsetof(struct pst_pairs_meaning, offset),                             \
          .help = "see --scale",                                                                  \
          .least = -1e30,                                                                         \
          .most = 1e30 },                                                                         \
    {                                                                                             \
        .name = "channels-last", .type = PST_FLAG,                                                \
        .at = (place) + offsetof(struct pst_pairs_meaning, channels_last),                        \
        .help = "the last dimension of a sample is its channels; it is moved to the front"        \
    }

/*
 * Reads the arrays of a pair, which has their names. memory: bytes that it may take; what it takes is
 * subtracted. how: the settings of the type.
 */
typedef enum pst_status pst_pair_reader(struct pst_pair *pair, size_t *memory, const void *how,
                                        struct pst_error *error);

/*
 * Opens the pairs in dataset->own, a struct pst_pairs, as one set. how: handed to the reader.
 * Returns what a type's open returns.
 */
PST_CHECKED enum pst_status pst_pairs_open(struct pst_dataset *dataset, pst_pair_reader *read,
                                           const void *how, const struct pst_pairs_meaning *meaning,
                                           size_t max_memory, struct pst_error *error);

/* Adds a pair. labels: NULL if there are none. Both are copied. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_pairs_add(struct pst_pairs *own, const char *samples, const char *labels,
                                          struct pst_error *error);

/*
 * Adds the pairs of two lists of files, which may have one name with a comma in it. labels: "": there are
 * none. Returns PST_OK; PST_USAGE if one list is longer; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_pairs_add_lists(struct pst_pairs *own, const char *samples,
                                                const char *labels, struct pst_error *error);

/*
 * Adds the pairs that arguments name, SAMPLES or SAMPLES,LABELS. labels: the labels of a single one, if they
 * are named apart; NULL. type: its name, for messages. Returns PST_OK, PST_USAGE or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_pairs_add_arguments(struct pst_pairs *own,
                                                    const struct pst_dataset_request *request,
                                                    const char *labels, const char *type,
                                                    struct pst_error *error);

/* The functions of a type whose sets are pairs. */
enum pst_status pst_pairs_get(const struct pst_dataset *dataset, size_t index, void *elements,
                              struct pst_error *error);
void pst_pairs_place(const struct pst_dataset *dataset, size_t index, char *text, size_t size);
void pst_pairs_close(struct pst_dataset *dataset);

#endif
