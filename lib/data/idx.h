/* idx.h: IDX files, and sets that are pairs of them. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_IDX_H
#define PIPESTILL_LIB_DATA_IDX_H

#include "pipestill/data.h"

#define PST_IDX_MAX_RANK (PST_MAX_SAMPLE_RANK + 1) /* samples, then the shape of one */

/* ---- one file ---------------------------------------------------------------------------------------- */

/* The content of an IDX file. {0} is empty. */
struct pst_idx {
    uint8_t *content; /* the whole file, uncompressed; owned */
    size_t size;      /* bytes of the content */
    size_t header;    /* bytes before the first element */
    enum pst_element element;
    size_t rank; /* 1 … PST_IDX_MAX_RANK */
    size_t shape[PST_IDX_MAX_RANK];
};

/* Whether a file that begins with these bytes is an IDX file. */
bool pst_idx_recognises(const unsigned char *start, size_t size);

/*
 * Reads an IDX file (LeCun, Cortes, Burges: the MNIST database), plain or gzip. Memory grows with what is
 * read, so a header that lies takes no more than the file has.
 * memory: bytes that it may take, plain as they are kept; what it takes is taken off.
 * Returns PST_OK; PST_NO_INPUT; PST_BAD_DATA (magic, type, sizes, too short, too long, damaged gzip; the
 * message names file and offset); PST_IO_ERROR; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_idx_read(struct pst_idx *idx, const char *path, size_t *memory,
                                         struct pst_error *error);

/* Copies elements, which stand there with their highest byte first. elements: receives [count]. */
void pst_idx_copy(const struct pst_idx *idx, size_t first, size_t count, void *elements);

/* Frees what an IDX file holds and makes it {0}. */
void pst_idx_free(struct pst_idx *idx);

/* ---- pairs of files ---------------------------------------------------------------------------------- */

/* Samples and their labels. */
struct pst_idx_pair {
    char *images_path, *labels_path; /* labels_path: NULL if there are none; owned */
    struct pst_idx images, labels;
    size_t first; /* number of its first sample */
};

/* What a set of pairs of IDX files owns. */
struct pst_idx_set {
    size_t memory; /* bytes that the files may still take */
    size_t count;
    struct pst_idx_pair *pairs; /* [count]; owned */
};

/* How the files are meant. */
struct pst_idx_meaning {
    size_t classes;       /* 0: the largest label plus one */
    double first_label;   /* what the first class is called in the files */
    double scale, offset; /* scale 0: 1/255 for bytes, 1 for others */
};

/*
 * Opens the pairs of files whose paths are in dataset->own as one set. max_memory: as in the request.
 * Returns what a type's open returns.
 */
PST_CHECKED enum pst_status pst_idx_set_open(struct pst_dataset *dataset,
                                             const struct pst_idx_meaning *meaning, size_t max_memory,
                                             struct pst_error *error);

/* Adds a pair. labels: NULL if there are none. Both are copied. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_idx_set_add(struct pst_idx_set *own, const char *images, const char *labels,
                                            struct pst_error *error);

/* The functions of a type whose sets are such. */
enum pst_status pst_idx_set_get(const struct pst_dataset *dataset, size_t index, void *elements,
                                struct pst_error *error);
void pst_idx_set_place(const struct pst_dataset *dataset, size_t index, char *text, size_t size);
void pst_idx_set_close(struct pst_dataset *dataset);

#endif
