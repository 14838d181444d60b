/* npy.h: arrays in NumPy's format NPY, versions 1 to 3. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_ARRAYS_NPY_H
#define PIPESTILL_LIB_DATA_ARRAYS_NPY_H

#include "lib/data/arrays/array.h"

#define PST_NPY_MOST_HEADER 10000U /* bytes of a header's text, as NumPy reads it */

/* Whether a file that begins with these bytes is an NPY file. */
bool pst_npy_recognises(const unsigned char *start, size_t size);

/*
 * Reads the text of a header, a dictionary in Python's notation: element, byte order and shape.
 * fortran: receives whether the first index changes fastest. text: [size], not ended. before: bytes of the
 * file in front of it, for messages. Returns PST_OK or PST_BAD_DATA, with the byte.
 */
PST_CHECKED enum pst_status pst_npy_parse(struct pst_array *array, bool *fortran, const char *text,
                                          size_t size, size_t before, struct pst_error *error);

/*
 * Makes an array of the bytes of an NPY file. Elements that take at most a quarter of the memory are read
 * into it. Those in Fortran order are put into C order in memory. All others stay where they are. The digest
 * is of element type, shape and elements, lowest byte first, in C order, so the order of bytes and elements
 * in the file does not count. array: its extent is the whole file, and it owns what holds the bytes; receives
 * all the rest. memory: bytes that it may take; what it takes is subtracted. Returns PST_OK; PST_BAD_DATA;
 * PST_IO_ERROR; PST_TRY_AGAIN. The caller adds the file's name, and frees the array after a failure, too.
 */
PST_CHECKED enum pst_status pst_npy_open(struct pst_array *array, size_t *memory, struct pst_error *error);

/*
 * Opens an NPY file as an array. Returns what pst_npy_open does, and PST_NO_INPUT; the message names the
 * file. On failure nothing is owned.
 */
PST_CHECKED enum pst_status pst_npy_read(struct pst_array *array, const char *path, size_t *memory,
                                         struct pst_error *error);

#endif
