/*
 * Reads IDX files: two zero bytes, a type, a rank, then a big-endian 32-bit size for each dimension, then the
 * elements in C order. zlib reads plain files and gzip alike.
 */
#include "lib/data/arrays/idx.h"
#include "lib/data/gzip.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define FIRST_RESERVE ((size_t)1 << 20)
#define LARGEST_READ ((size_t)1 << 20) /* gzread counts in unsigned int */

struct source {
    gzFile file;
    const char *path;
    size_t size; /* bytes that the header announces for the whole file, unpacked */
};

/* Finds the elements that a type byte stands for. Returns whether there are any. */
static bool find_element(uint8_t type, enum pst_element *element)
{
    static const struct {
        uint8_t type;
        enum pst_element element;
    } types[] = { { 0x08, PST_ELEMENT_U8 },  { 0x09, PST_ELEMENT_I8 },  { 0x0B, PST_ELEMENT_I16 },
                  { 0x0C, PST_ELEMENT_I32 }, { 0x0D, PST_ELEMENT_F32 }, { 0x0E, PST_ELEMENT_F64 } };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        *element = types[i].element;
        if (types[i].type == type)
            return true;
    }
    return false;
}

bool pst_idx_recognises(const unsigned char *start, size_t size)
{
    enum pst_element element;
    return size > 4 && start[0] == 0 && start[1] == 0 && find_element(start[2], &element) && start[3] >= 1 &&
           start[3] <= PST_ARRAY_MAX_RANK;
}

/* Reads up to size bytes; at: how many were read before. got is less than size only at the end of the file.
 */
static enum pst_status read_some(const struct source *source, uint8_t *bytes, size_t size, size_t at,
                                 size_t *got, struct pst_error *error)
{
    *got = 0;
    while (*got < size) {
        size_t want = size - *got < LARGEST_READ ? size - *got : LARGEST_READ;
        int count = gzread(source->file, bytes + *got, (unsigned)want);
        if (count < 0)
            return pst_gzip_failure(source->file, source->path, at + *got, error);
        if (count == 0)
            break;
        *got += (size_t)count;
    }
    int code; /* zlib gives what a gzip file has, and only then an error if it is cut short */
    gzerror(source->file, &code);
    return *got < size && code == Z_BUF_ERROR ? pst_gzip_failure(source->file, source->path, at + *got, error)
                                              : PST_OK;
}

static enum pst_status too_short(const struct source *source, size_t end, size_t promised,
                                 struct pst_error *error)
{
    return pst_fail(error, PST_BAD_DATA, "%s: too short: it ends at byte %zu, but must have %zu",
                    source->path, end, promised);
}

/* Says what the file is instead. bytes: its first four, which were read. */
static enum pst_status not_idx(const struct source *source, const uint8_t *bytes, struct pst_error *error)
{
    uint8_t start[PST_FILE_START];
    size_t got = 0;
    memcpy(start, bytes, 4);
    enum pst_status status = read_some(source, start + 4, sizeof start - 4, 4, &got, error);
    const char *is = status == PST_OK ? pst_wrong_file(PST_IDX_FILE, start, 4 + got) : NULL;
    if (is != NULL)
        return pst_fail(error, PST_BAD_DATA, "%s: not an IDX file, but %s", source->path, is);
    return pst_fail(error, PST_BAD_DATA, "%s: not an IDX file: it begins with %02x %02x instead of 00 00",
                    source->path, bytes[0], bytes[1]);
}

/* Reads the magic number and the sizes into bytes [4 + 4 · PST_ARRAY_MAX_RANK]. */
static enum pst_status read_header(struct pst_array *array, const struct source *source, uint8_t *bytes,
                                   struct pst_error *error)
{
    size_t got;
    enum pst_status status = read_some(source, bytes, 4, 0, &got, error);
    if (status != PST_OK)
        return status;
    if (got < 4)
        return too_short(source, got, 4, error);
    if (bytes[0] != 0 || bytes[1] != 0)
        return not_idx(source, bytes, error);
    if (!find_element(bytes[2], &array->element))
        return pst_fail(error, PST_BAD_DATA,
                        "%s: element type %02x at byte 2; there are 08, 09, 0b, 0c, 0d and 0e", source->path,
                        bytes[2]);
    array->rank = bytes[3];
    if (array->rank < 1 || array->rank > PST_ARRAY_MAX_RANK)
        return pst_fail(error, PST_BAD_DATA, "%s: %zu dimensions at byte 3; 1 to %d are read", source->path,
                        array->rank, PST_ARRAY_MAX_RANK);
    array->header = 4 + 4 * array->rank;
    status = read_some(source, bytes + 4, 4 * array->rank, 4, &got, error);
    if (status == PST_OK && got < 4 * array->rank)
        return too_short(source, 4 + got, array->header, error);
    return status;
}

/* Decodes the sizes and computes that of the whole file. */
static enum pst_status decode_shape(struct pst_array *array, struct source *source, const uint8_t *bytes,
                                    struct pst_error *error)
{
    size_t size = pst_element_size(array->element);
    for (size_t i = 0; i < array->rank; i++) {
        const uint8_t *at = bytes + 4 + 4 * i;
        array->shape[i] = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
        if (array->shape[i] == 0)
            return pst_fail(error, PST_BAD_DATA, "%s: a dimension of 0 at byte %zu", source->path, 4 + 4 * i);
        if (!pst_multiply(size, array->shape[i], &size))
            return pst_fail(
                error, PST_BAD_DATA,
                "%s: damaged: the sizes up to byte %zu multiply to more bytes than memory can have",
                source->path, 8 + 4 * i);
    }
    if (size > SIZE_MAX / 2)
        return pst_fail(error, PST_BAD_DATA,
                        "%s: damaged: the sizes in its header multiply to more bytes than memory can have",
                        source->path);
    source->size = array->header + size;
    return PST_OK;
}

/* Reads the elements. Memory doubles when full; realloc moves pages, not bytes, once it is large. */
static enum pst_status read_elements(struct pst_array *array, const struct source *source,
                                     const uint8_t *header, struct pst_error *error)
{
    size_t capacity = 0, filled = array->header;
    while (filled < source->size) {
        capacity = capacity == 0 ? FIRST_RESERVE : 2 * capacity;
        capacity = capacity < source->size ? capacity : source->size;
        uint8_t *grown = realloc(array->block, capacity);
        if (grown == NULL)
            return pst_fail(error, PST_TRY_AGAIN, "%s: out of memory for %zu bytes", source->path, capacity);
        array->block = grown;
        size_t got;
        enum pst_status status = read_some(source, grown + filled, capacity - filled, filled, &got, error);
        if (status != PST_OK)
            return status;
        filled += got;
        if (filled < capacity)
            return too_short(source, filled, source->size, error);
    }
    if (array->block != NULL) /* there is at least one element */
        memcpy(array->block, header, array->header);
    return PST_OK;
}

/* Nothing may follow the elements. zlib checks gzip's own checksum only in a read beyond them. */
static enum pst_status check_end(const struct source *source, struct pst_error *error)
{
    uint8_t byte;
    size_t got;
    enum pst_status status = read_some(source, &byte, 1, source->size, &got, error);
    if (status == PST_OK && got > 0)
        return pst_fail(error, PST_BAD_DATA, "%s: too long: more follows after the last element, at byte %zu",
                        source->path, source->size);
    return status;
}

/* Fills in where the elements are, and the digest of the whole file. */
static void describe(struct pst_array *array, const struct source *source)
{
    array->swapped = true;
    array->elements = (struct pst_extent){ .bytes = (const uint8_t *)array->block + array->header,
                                           .size = source->size - array->header };
    pst_digest(array->block, source->size, array->digest);
}

enum pst_status pst_idx_read(struct pst_array *array, const char *path, size_t *memory,
                             struct pst_error *error)
{
    *array = (struct pst_array){ 0 };
    int fd;
    enum pst_status status = pst_file_open(path, &fd, error);
    if (status != PST_OK)
        return status;
    struct source source = { .file = gzdopen(fd, "rb"), .path = path };
    if (source.file == NULL) {
        close(fd);
        return pst_fail(error, PST_TRY_AGAIN, "%s: out of memory", path);
    }
    uint8_t header[4 + 4 * PST_ARRAY_MAX_RANK];
    status = read_header(array, &source, header, error);
    if (status == PST_OK)
        status = decode_shape(array, &source, header, error);
    if (status == PST_OK && source.size > *memory)
        status = pst_fail(error, PST_BAD_DATA,
                          "%s: its header announces %zu bytes, more than --max-memory leaves (%zu)", path,
                          source.size, *memory);
    if (status == PST_OK)
        status = read_elements(array, &source, header, error);
    if (status == PST_OK)
        status = check_end(&source, error);
    gzclose(source.file);
    if (status != PST_OK) {
        pst_array_free(array);
        return status;
    }
    describe(array, &source);
    *memory -= source.size;
    return PST_OK;
}

enum pst_status pst_idx_read_pair(struct pst_pair *pair, size_t *memory, const void *how,
                                  struct pst_error *error)
{
    (void)how;
    enum pst_status status = pst_idx_read(&pair->samples, pair->samples_path, memory, error);
    if (status == PST_OK && pair->samples.rank < 2)
        return pst_fail(error, PST_BAD_DATA, "%s: one dimension at byte 3, so labels rather than images",
                        pair->samples_path);
    return status == PST_OK && pair->labels_path != NULL
               ? pst_idx_read(&pair->labels, pair->labels_path, memory, error)
               : status;
}
