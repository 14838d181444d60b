/* Memory that is short, by LD_PRELOAD: the SHIM_MALLOC-th time that memory is asked for there is none. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static long asked, wanted = -1;

static bool is_short(void)
{
    const char *number = wanted < 0 ? getenv("SHIM_MALLOC") : NULL;
    if (wanted < 0)
        wanted = number == NULL ? 0 : atol(number);
    if (wanted == 0 || __atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED) != wanted)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return is_short() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return is_short() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return is_short() ? NULL : __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return is_short() ? NULL : __libc_memalign(alignment, size);
}
