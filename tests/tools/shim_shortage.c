/*
 * shim_shortage: an LD_PRELOAD library that lets memory run short. After main has begun, the allocation with
 * the number in PST_SHORTAGE fails ("17"), or that one and all later ones ("17+"). The number of allocations
 * is written to the file that PST_SHORTAGE_COUNT names, if the program ends by itself. Random numbers of the
 * system are zeros, so that two runs write the same bytes. The thread with the number in PST_SHORTAGE_THREAD
 * is not started; those of libraries and of children do not count.
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* glibc's own allocator, under the names that are not replaced. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

typedef int main_function(int argc, char **argv, char **environment);
typedef int start_function(main_function *program, int argc, char **argv, void (*begin)(void),
                           void (*end)(void), void (*loader_end)(void), void *stack);
start_function __libc_start_main;

typedef int thread_function(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *),
                            void *argument);

static atomic_ulong allocations, threads;
static unsigned long which, which_thread;
static bool all_later, counting;
static main_function *program_main;

static bool is_short(void)
{
    if (!counting)
        return false;
    unsigned long number = atomic_fetch_add(&allocations, 1) + 1;
    bool fails = which != 0 && (number == which || (all_later && number > which));
    if (fails)
        errno = ENOMEM;
    return fails;
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

void *memalign(size_t alignment, size_t size)
{
    return is_short() ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return is_short() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    void *got = is_short() ? NULL : __libc_memalign(alignment, size);
    if (got == NULL)
        return ENOMEM;
    *memory = got;
    return 0;
}

/* Whether an address is in the program itself, not in a library. */
static bool in_program(const void *address)
{
    Dl_info here, program;
    return counting && dladdr(address, &here) != 0 && dladdr((const void *)program_main, &program) != 0 &&
           here.dli_fbase == program.dli_fbase;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *), void *argument)
{
    thread_function *create;
    void *symbol = dlsym(RTLD_NEXT, "pthread_create");
    memcpy(&create, &symbol, sizeof create);
    if (in_program(__builtin_return_address(0)) && atomic_fetch_add(&threads, 1) + 1 == which_thread)
        return EAGAIN;
    return create(thread, attributes, work, argument);
}

ssize_t getrandom(void *bytes, size_t size, unsigned flags)
{
    (void)flags;
    memset(bytes, 0, size);
    return (ssize_t)size;
}

static int counted_main(int argc, char **argv, char **environment)
{
    const char *text = getenv("PST_SHORTAGE");
    char *end = NULL;
    which = text == NULL ? 0 : strtoul(text, &end, 10);
    all_later = end != NULL && *end == '+';
    text = getenv("PST_SHORTAGE_THREAD");
    which_thread = text == NULL ? 0 : strtoul(text, NULL, 10);
    unsetenv("PST_SHORTAGE_THREAD");
    counting = true;
    return program_main(argc, argv, environment);
}

int __libc_start_main(main_function *program, int argc, char **argv, void (*begin)(void), void (*end)(void),
                      void (*loader_end)(void), void *stack)
{
    start_function *start;
    void *symbol = dlsym(RTLD_NEXT, "__libc_start_main");
    memcpy(&start, &symbol, sizeof start);
    program_main = program;
    return start(counted_main, argc, argv, begin, end, loader_end, stack);
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("PST_SHORTAGE_COUNT");
    int file = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    char text[24];
    int length = snprintf(text, sizeof text, "%lu", (unsigned long)allocations);
    if (file < 0 || write(file, text, (size_t)length) != length)
        return;
    close(file);
}
