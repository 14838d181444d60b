/* Arrays as files hold them: elements in C order, of either byte order, in memory or in the file. */
#include "lib/data/arrays/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum pst_status pst_extent_read(const struct pst_extent *extent, uint64_t from, void *bytes, size_t size,
                                struct pst_error *error)
{
    if (extent->bytes != NULL) {
        memcpy(bytes, extent->bytes + from, size);
        return PST_OK;
    }
    for (size_t got = 0; got < size;) {
        off_t at = (off_t)(extent->at + from + got);
        ssize_t more = pread(extent->fd, (uint8_t *)bytes + got, size - got, at);
        if (more == 0)
            return pst_fail(error, PST_BAD_DATA, "the file ends at byte %lld, and was longer before",
                            (long long)at);
        if (more < 0 && errno != EINTR)
            return pst_fail(error, PST_IO_ERROR, "it cannot be read at byte %lld: %s", (long long)at,
                            strerror(errno));
        got += more > 0 ? (size_t)more : 0;
    }
    return PST_OK;
}

size_t pst_array_width(const struct pst_array *array)
{
    size_t width = 1;
    for (size_t i = 1; i < array->rank; i++)
        width *= array->shape[i];
    return width;
}

static void swap_bytes(void *elements, size_t count, size_t size)
{
    uint16_t *two = elements;
    uint32_t *four = elements;
    uint64_t *eight = elements;
    for (size_t i = 0; i < count && size == 2; i++)
        two[i] = __builtin_bswap16(two[i]);
    for (size_t i = 0; i < count && size == 4; i++)
        four[i] = __builtin_bswap32(four[i]);
    for (size_t i = 0; i < count && size == 8; i++)
        eight[i] = __builtin_bswap64(eight[i]);
}

static enum pst_status check_booleans(const uint8_t *bytes, size_t first, size_t count,
                                      struct pst_error *error)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] > 1)
            return pst_fail(error, PST_BAD_DATA, "element %zu is a bool, but its byte is %u", first + i,
                            bytes[i]);
    return PST_OK;
}

enum pst_status pst_array_read(const struct pst_array *array, size_t first, size_t count, void *elements,
                               struct pst_error *error)
{
    size_t size = pst_element_size(array->element);
    enum pst_status status =
        pst_extent_read(&array->elements, (uint64_t)first * size, elements, count * size, error);
    if (status != PST_OK)
        return status;
    if (array->swapped)
        swap_bytes(elements, count, size);
    return array->boolean ? check_booleans(elements, first, count, error) : PST_OK;
}

void pst_array_free(struct pst_array *array)
{
    free(array->block);
    if (array->owns_fd)
        close(array->elements.fd);
    *array = (struct pst_array){ 0 };
}
