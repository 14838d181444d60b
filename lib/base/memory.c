/* Aligned memory, reused, with every size checked. */
#include "pipestill/base.h"

#include <stdlib.h>
#include <string.h>

bool pst_multiply(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

/* Memory of at least size bytes, or NULL; capacity receives the size rounded up to the alignment. */
static void *aligned(size_t size, size_t *capacity)
{
    if (size > SIZE_MAX - PST_ALIGNMENT)
        return NULL;
    *capacity = (size + PST_ALIGNMENT - 1) / PST_ALIGNMENT * PST_ALIGNMENT;
    if (*capacity == 0)
        *capacity = PST_ALIGNMENT;
    return aligned_alloc(PST_ALIGNMENT, *capacity);
}

enum pst_status pst_buffer_reserve(struct pst_buffer *buffer, size_t size, size_t keep,
                                   struct pst_error *error)
{
    if (size <= buffer->capacity)
        return PST_OK;
    size_t capacity;
    void *data = aligned(size, &capacity);
    if (data == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for %zu bytes", size);
    if (keep > 0)
        memcpy(data, buffer->data, keep);
    free(buffer->data);
    buffer->data = data;
    buffer->capacity = capacity;
    return PST_OK;
}

void pst_buffer_free(struct pst_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct pst_buffer){ 0 };
}

void *pst_allocate(size_t count, size_t size, struct pst_error *error)
{
    size_t bytes, capacity;
    void *memory = pst_multiply(count, size, &bytes) ? aligned(bytes, &capacity) : NULL;
    if (memory == NULL) {
        pst_fail(error, PST_TRY_AGAIN, "out of memory for %zu items of %zu bytes", count, size);
        return NULL;
    }
    memset(memory, 0, capacity);
    return memory;
}

void *pst_grown(void *array, size_t *room, size_t count, size_t size, struct pst_error *error)
{
    size_t wanted = *room == 0 ? 16 : 2 * *room, bytes;
    if (count < *room)
        return array;
    void *grown = pst_multiply(wanted, size, &bytes) ? realloc(array, bytes) : NULL;
    if (grown == NULL) {
        pst_fail(error, PST_TRY_AGAIN, "out of memory for %zu items of %zu bytes", wanted, size);
        return NULL;
    }
    *room = wanted;
    return grown;
}
