/* array.h: arrays of samples or labels as files hold them, in the file or in memory. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_ARRAYS_ARRAY_H
#define PIPESTILL_LIB_DATA_ARRAYS_ARRAY_H

#include "pipestill/data.h"

#define PST_ARRAY_MAX_RANK (PST_MAX_SAMPLE_RANK + 1) /* samples, then the shape of one */

/* Bytes that are read, never written: in memory, or in a part of a file. */
struct pst_extent {
    const uint8_t *bytes; /* NULL: they are in the file */
    int fd;
    uint64_t at; /* where they begin in the file */
    uint64_t size;
};

/*
 * Copies bytes from an extent. from: the place of the first; from + size ≤ the extent's size.
 * Returns PST_OK; PST_IO_ERROR; PST_BAD_DATA if the file has become shorter.
 */
PST_CHECKED enum pst_status pst_extent_read(const struct pst_extent *extent, uint64_t from, void *bytes,
                                            size_t size, struct pst_error *error);

/* An array in C order. {0} is empty. */
struct pst_array {
    enum pst_element element;
    bool boolean; /* of bytes that are 0 or 1 */
    bool swapped; /* an element's highest byte comes first */
    size_t rank;  /* 1 … PST_ARRAY_MAX_RANK */
    size_t shape[PST_ARRAY_MAX_RANK];
    size_t header; /* bytes in front of the elements, for messages; 0: bytes are not as in the file */
    struct pst_extent elements;
    void *block;                  /* holds the extent's bytes; owned */
    bool owns_fd;                 /* the extent's file is to be closed */
    char digest[PST_DIGEST_TEXT]; /* what it is over depends on the type of file */
};

/* Elements of one sample: the product of all sizes but the first. */
size_t pst_array_width(const struct pst_array *array);

/*
 * Reads elements as the machine has them. first + count ≤ elements of the array. elements: aligned for them.
 * Returns PST_OK; PST_BAD_DATA for a boolean that is neither 0 nor 1; what pst_extent_read returns.
 */
PST_CHECKED enum pst_status pst_array_read(const struct pst_array *array, size_t first, size_t count,
                                           void *elements, struct pst_error *error);

/* Frees what an array holds and makes it {0}. */
void pst_array_free(struct pst_array *array);

/* ---- labels in arrays ---------------------------------------------------------------------------------- */

/* What labels mean. */
struct pst_label_meaning {
    size_t classes;     /* 0: the largest label plus one */
    double first_label; /* the label of the first class */
    bool regression;    /* whole numbers are numbers, not classes */
    bool one_hot;       /* a row has its 1 at the place of its class */
};

/*
 * Settles what the labels of a set are: kind and width. Floats are numbers, rows of whole numbers are bits,
 * and single ones are classes. path: names the array in messages.
 * Returns PST_OK; PST_BAD_DATA; PST_USAGE if the meaning does not fit them.
 */
PST_CHECKED enum pst_status pst_labels_describe(struct pst_dataset *dataset, const struct pst_array *labels,
                                                const char *path, const struct pst_label_meaning *meaning,
                                                struct pst_error *error);

/*
 * Writes the labels of an array to those of the set, which has room for them.
 * first: the sample that the array begins with. largest: receives the largest class if it is larger.
 * Returns PST_OK; PST_BAD_DATA, with the label and the sample; what pst_array_read returns.
 */
PST_CHECKED enum pst_status pst_labels_convert(struct pst_dataset *dataset, const struct pst_array *labels,
                                               const char *path, const struct pst_label_meaning *meaning,
                                               size_t first, size_t *largest, struct pst_error *error);

/*
 * Writes the elements of an array of one number for each sample to weights, which are finite and not below 0.
 * weights: receives [shape[0]]. Returns as pst_labels_convert.
 */
PST_CHECKED enum pst_status pst_weights_convert(float *weights, const struct pst_array *array,
                                                const char *path, struct pst_error *error);

#endif
