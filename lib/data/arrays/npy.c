/* NPY files: a magic number, a version, the length of a header, the header, and then the elements. */
#include "lib/data/arrays/npy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAGIC "\x93NUMPY"

enum { MAGIC_BYTES = 6, VERSION_BYTES = 2, BLOCK = 1 << 20 };

bool pst_npy_recognises(const unsigned char *start, size_t size)
{
    return size > MAGIC_BYTES && memcmp(start, MAGIC, MAGIC_BYTES) == 0;
}

static enum pst_status too_short(uint64_t end, uint64_t promised, struct pst_error *error)
{
    return pst_fail(error, PST_BAD_DATA, "too short: it ends at byte %llu, but must have %llu",
                    (unsigned long long)end, (unsigned long long)promised);
}

static enum pst_status not_npy(const struct pst_extent *file, struct pst_error *error)
{
    uint8_t start[PST_FILE_START];
    size_t size = file->size < sizeof start ? (size_t)file->size : sizeof start;
    enum pst_status status = pst_extent_read(file, 0, start, size, error);
    const char *is = status == PST_OK ? pst_wrong_file(PST_FOREIGN_FILE, start, size) : NULL;
    if (status != PST_OK)
        return status;
    return pst_fail(error, PST_BAD_DATA, "not an NPY file%s%s", is != NULL ? ", but " : "",
                    is != NULL ? is : ": it does not begin with \\x93NUMPY");
}

/* Finds the header's text. first: receives its place. size: its bytes. */
static enum pst_status find_header(const struct pst_extent *file, size_t *first, size_t *size,
                                   struct pst_error *error)
{
    uint8_t start[MAGIC_BYTES + VERSION_BYTES + 4] = { 0 };
    size_t got = file->size < sizeof start ? (size_t)file->size : sizeof start;
    enum pst_status status = pst_extent_read(file, 0, start, got, error);
    if (status != PST_OK)
        return status;
    if (memcmp(start, MAGIC, got < MAGIC_BYTES ? got : MAGIC_BYTES) != 0)
        return not_npy(file, error);
    if (got < sizeof start)
        return too_short(got, sizeof start, error);
    const uint8_t *length = start + MAGIC_BYTES + VERSION_BYTES;
    unsigned version = start[MAGIC_BYTES], minor = start[MAGIC_BYTES + 1];
    if (version < 1 || version > 3 || minor != 0)
        return pst_fail(error, PST_BAD_DATA, "version %u.%u at byte 6; 1.0, 2.0 and 3.0 are read", version,
                        minor);
    *first = MAGIC_BYTES + VERSION_BYTES + (version == 1 ? 2 : 4);
    *size = (size_t)length[0] | (size_t)length[1] << 8;
    if (version > 1)
        *size |= (size_t)length[2] << 16 | (size_t)length[3] << 24;
    if (*size > PST_NPY_MOST_HEADER)
        return pst_fail(error, PST_BAD_DATA, "a header of %zu bytes at byte 8; at most %u are read", *size,
                        PST_NPY_MOST_HEADER);
    return *first + *size <= file->size ? PST_OK : too_short(file->size, *first + *size, error);
}

/* The elements must fill the rest of the file. */
static enum pst_status check_size(const struct pst_array *array, uint64_t file, struct pst_error *error)
{
    size_t size = pst_element_size(array->element);
    for (size_t i = 0; i < array->rank; i++)
        if (!pst_multiply(size, array->shape[i], &size) || size > SIZE_MAX / 2)
            return pst_fail(error, PST_BAD_DATA,
                            "damaged: the sizes in its header multiply to more bytes than memory can have");
    if (file - array->header < size)
        return too_short(file, array->header + size, error);
    if (file - array->header > size)
        return pst_fail(error, PST_BAD_DATA, "too long: more follows after the last element, at byte %zu",
                        array->header + size);
    return PST_OK;
}

/* ---- Fortran order ------------------------------------------------------------------------------------- */

/* The place in a sample, in C order, of the element with this number in Fortran order. */
static size_t place_of(const struct pst_array *array, size_t column)
{
    size_t place = 0, step = pst_array_width(array);
    for (size_t i = 1; i < array->rank; i++) {
        step /= array->shape[i];
        place += column % array->shape[i] * step;
        column /= array->shape[i];
    }
    return place;
}

/* Spreads elements so that they stand `step` elements apart. */
static void spread(const uint8_t *from, size_t count, size_t size, size_t step, uint8_t *to)
{
#define SPREAD(bytes)                                     \
    for (size_t i = 0; i < count && size == (bytes); i++) \
    memcpy(to + i * step * (bytes), from + i * (bytes), (bytes))
    SPREAD(1);
    SPREAD(2);
    SPREAD(4);
    SPREAD(8);
}

/* Puts elements into C order, one column of `rows` samples after another, so that these stay in a cache. */
static enum pst_status put_in_order(const struct pst_array *array, uint8_t *column, size_t rows, uint8_t *to,
                                    struct pst_error *error)
{
    size_t width = pst_array_width(array), size = pst_element_size(array->element), samples = array->shape[0];
    enum pst_status status = PST_OK;
    for (size_t first = 0; first < samples; first += rows) {
        size_t some = samples - first < rows ? samples - first : rows;
        for (size_t i = 0; i < width && status == PST_OK; i++) {
            status = pst_extent_read(&array->elements, (uint64_t)(i * samples + first) * size, column,
                                     some * size, error);
            if (status == PST_OK)
                spread(column, some, size, width, to + (first * width + place_of(array, i)) * size);
        }
        if (status != PST_OK)
            return status;
    }
    return PST_OK;
}

/* Replaces an array's elements by a block of memory. */
static void hold(struct pst_array *array, uint8_t *block, size_t size)
{
    struct pst_array made = *array;
    pst_array_free(array);
    *array = made;
    array->owns_fd = false;
    array->block = block;
    array->elements = (struct pst_extent){ .bytes = block, .size = size };
}

/* Replaces the elements by a copy in C order. before: bytes of memory that they have taken so far. */
static enum pst_status turn(struct pst_array *array, size_t before, size_t *memory, struct pst_error *error)
{
    size_t bytes = (size_t)array->elements.size, samples = array->shape[0];
    size_t rows = BLOCK / (bytes / samples) < 64 ? 64 : BLOCK / (bytes / samples);
    rows = rows < samples ? rows : samples;
    if (bytes > *memory)
        return pst_fail(error, PST_BAD_DATA,
                        "in Fortran order, which is turned in memory: it takes %zu bytes, more than "
                        "--max-memory leaves (%zu); numpy.ascontiguousarray makes it C order",
                        bytes, *memory);
    uint8_t *turned = pst_allocate(1, bytes, error);
    uint8_t *column = turned == NULL ? NULL : pst_allocate(rows, pst_element_size(array->element), error);
    enum pst_status status =
        column == NULL ? PST_TRY_AGAIN : put_in_order(array, column, rows, turned, error);
    free(column);
    if (status != PST_OK) {
        free(turned);
        return status;
    }
    hold(array, turned, bytes);
    array->header = 0;
    *memory = *memory - bytes + before;
    return PST_OK;
}

/* ---- an array ------------------------------------------------------------------------------------------ */

/* The digest is over a text such as "f32 [3, 4]\n" and then the elements. */
static enum pst_status digest(struct pst_array *array, struct pst_error *error)
{
    char kind[64 + 24 * PST_ARRAY_MAX_RANK];
    size_t length = (size_t)snprintf(kind, sizeof kind, "%s [",
                                     array->boolean ? "bool" : pst_element_name(array->element));
    for (size_t i = 0; i < array->rank; i++)
        length += (size_t)snprintf(kind + length, sizeof kind - length, "%s%zu", i == 0 ? "" : ", ",
                                   array->shape[i]);
    length += (size_t)snprintf(kind + length, sizeof kind - length, "]\n");
    size_t size = pst_element_size(array->element), count = (size_t)array->elements.size / size;
    size_t most = count < BLOCK / size ? count : BLOCK / size;
    uint8_t *block = pst_allocate(most, size, error);
    enum pst_status status = block == NULL ? PST_TRY_AGAIN : PST_OK;
    struct pst_digest_state state;
    pst_digest_start(&state);
    pst_digest_add(&state, kind, length);
    for (size_t at = 0, some; at < count && status == PST_OK; at += some) {
        some = count - at < most ? count - at : most;
        status = pst_array_read(array, at, some, block, error);
        if (status == PST_OK)
            pst_digest_add(&state, block, some * size);
    }
    free(block);
    pst_digest_finish(&state, array->digest);
    return status;
}

/*
 * Reads the elements into memory if they take at most a quarter of what is left: a sample then needs no
 * system call, which takes as long as all other work.
 */
static enum pst_status keep(struct pst_array *array, size_t *memory, struct pst_error *error)
{
    size_t size = (size_t)array->elements.size;
    if (array->elements.bytes != NULL || size > *memory / 4)
        return PST_OK;
    uint8_t *kept = pst_allocate(1, size, error);
    enum pst_status status =
        kept == NULL ? PST_TRY_AGAIN : pst_extent_read(&array->elements, 0, kept, size, error);
    if (status != PST_OK) {
        free(kept);
        return status;
    }
    hold(array, kept, size);
    *memory -= size;
    return PST_OK;
}

enum pst_status pst_npy_open(struct pst_array *array, size_t *memory, struct pst_error *error)
{
    char text[PST_NPY_MOST_HEADER];
    struct pst_extent *file = &array->elements;
    size_t first = 0, size = 0, before = file->bytes != NULL ? (size_t)file->size : 0;
    bool fortran = false;
    enum pst_status status = find_header(file, &first, &size, error);
    if (status == PST_OK)
        status = pst_extent_read(file, first, text, size, error);
    if (status == PST_OK)
        status = pst_npy_parse(array, &fortran, text, size, first, error);
    if (status != PST_OK)
        return status;
    array->header = first + size;
    status = check_size(array, file->size, error);
    if (status != PST_OK)
        return status;
    if (file->bytes != NULL)
        file->bytes += array->header;
    file->at += array->header;
    file->size -= array->header;
    if (fortran && pst_array_width(array) > 1)
        status = turn(array, before, memory, error);
    if (status == PST_OK)
        status = keep(array, memory, error);
    return status == PST_OK ? digest(array, error) : status;
}

enum pst_status pst_npy_read(struct pst_array *array, const char *path, size_t *memory,
                             struct pst_error *error)
{
    *array = (struct pst_array){ 0 };
    struct stat stat;
    enum pst_status status = pst_file_open(path, &array->elements.fd, error);
    if (status != PST_OK)
        return status;
    array->owns_fd = true;
    if (fstat(array->elements.fd, &stat) != 0)
        status = pst_fail(error, PST_IO_ERROR, "%s", strerror(errno));
    array->elements.size = status == PST_OK ? (uint64_t)stat.st_size : 0;
    if (status == PST_OK)
        status = pst_npy_open(array, memory, error);
    if (status == PST_OK)
        return PST_OK;
    pst_array_free(array);
    if (error != NULL)
        (void)pst_fail_at(error, "%s", path);
    return status;
}
