/* idx.h: IDX files. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_ARRAYS_IDX_H
#define PIPESTILL_LIB_DATA_ARRAYS_IDX_H

#include "lib/data/arrays/pairs.h"

/* Whether a file that begins with these bytes is an IDX file. */
bool pst_idx_recognises(const unsigned char *start, size_t size);

/*
 * Reads an IDX file (LeCun, Cortes, Burges: the MNIST database), plain or gzip. Memory grows with what is
 * read, so a false header takes no more than the file has. The digest is of the whole file, unpacked.
 * memory: bytes that it may take, unpacked; what it takes is subtracted.
 * Returns PST_OK; PST_NO_INPUT; PST_BAD_DATA (magic, type, sizes, too short, too long, damaged gzip; the
 * message names file and offset); PST_IO_ERROR; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_idx_read(struct pst_array *array, const char *path, size_t *memory,
                                         struct pst_error *error);

/* Reads a pair of IDX files; see pst_pair_reader. */
pst_pair_reader pst_idx_read_pair;

#endif
