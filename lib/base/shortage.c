/* Shortage of memory in libraries that do not report it: jansson gets a mark, OpenBLAS a check beforehand. */
#include "pipestill/linux.h"

#include "pipestill/base.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

static atomic_bool ran_short;

void pst_mark_shortage(void)
{
    atomic_store(&ran_short, true);
}

void *pst_marking_malloc(size_t size)
{
    void *memory = malloc(size);
    if (memory == NULL)
        pst_mark_shortage();
    return memory;
}

bool pst_memory_ran_short(void)
{
    return atomic_load(&ran_short);
}

enum pst_status pst_check_memory(struct pst_error *error)
{
    return pst_memory_ran_short() ? pst_fail(error, PST_TRY_AGAIN, "out of memory") : PST_OK;
}

enum pst_status pst_shortage_or(enum pst_status usual)
{
    return errno == ENOMEM || errno == EMFILE || errno == ENFILE ? PST_TRY_AGAIN : usual;
}

enum pst_status pst_check_blas_memory(size_t threads, struct pst_error *error)
{
    const size_t buffer = (size_t)128 << 20; /* OpenBLAS's BUFFER_SIZE; mostly address space */
    size_t size;
    void *memory = pst_multiply(threads, buffer, &size)
                       ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                       : MAP_FAILED;
    if (memory == MAP_FAILED)
        return pst_fail(
            error, PST_TRY_AGAIN,
            "out of memory: OpenBLAS needs %zu MiB of address space for each of %zu threads; raise the "
            "limit (ulimit -v)",
            buffer >> 20, threads);
    munmap(memory, size);
    return PST_OK;
}
