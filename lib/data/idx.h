/* idx.h: one IDX file in memory. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_IDX_H
#define PIPESTILL_LIB_DATA_IDX_H

#include "pipestill/data.h"

#define PST_IDX_MAX_RANK (PST_MAX_IMAGE_RANK + 1) /* samples, then the shape of one */

/* The content of an IDX file of u8 elements. {0} is empty. */
struct pst_idx {
    uint8_t *content; /* the whole file, uncompressed; owned */
    size_t size;      /* bytes of the content */
    size_t header;    /* bytes before the first element */
    size_t rank;      /* 1 … PST_IDX_MAX_RANK */
    size_t shape[PST_IDX_MAX_RANK];
};

/*
 * Reads an IDX file (LeCun, Cortes, Burges: the MNIST database), plain or gzip. Memory grows with what is
 * read, so a header that lies takes no more than the file has.
 * Returns PST_OK; PST_NO_INPUT; PST_BAD_DATA (magic, type, sizes, too short, too long, damaged gzip; the
 * message names file and offset); PST_IO_ERROR; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_idx_read(struct pst_idx *idx, const char *path, struct pst_error *error);

/* Frees what an IDX file holds and makes it {0}. */
void pst_idx_free(struct pst_idx *idx);

#endif
