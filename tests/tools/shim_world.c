/*
 * An LD_PRELOAD library that changes what the system answers:
 *
 *   SHIM_FLOCK=NUMBER    flock fails with this errno, as on file systems without locks
 *   SHIM_HOSTS=1         the host twofold.test has the addresses 127.0.0.1 and ::1
 *   SHIM_IDLE=N          there are N processors, always idle; the process has used all of them in every other
 *                        0.4 seconds, and nothing in between
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

int flock(int fd, int operation)
{
    const char *number = getenv("SHIM_FLOCK");
    if (number != NULL) {
        errno = atoi(number);
        return -1;
    }
    int (*real)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "flock");
    return real(fd, operation);
}

typedef int resolver(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    resolver *real = (resolver *)dlsym(RTLD_NEXT, "getaddrinfo");
    if (getenv("SHIM_HOSTS") == NULL || host == NULL || strcmp(host, "twofold.test") != 0)
        return real(host, service, hints, found);
    bool only_4 = hints != NULL && hints->ai_family == AF_INET,
         only_6 = hints != NULL && hints->ai_family == AF_INET6;
    if (only_4 || only_6)
        return real(only_4 ? "127.0.0.1" : "::1", service, hints, found);
    int failure = real("127.0.0.1", service, hints, found);
    return failure != 0 ? failure : real("::1", service, hints, &(*found)->ai_next);
}

/* ---- idle processors ----------------------------------------------------------------------------------- */

static int processors(void)
{
    const char *number = getenv("SHIM_IDLE");
    return number == NULL ? 0 : atoi(number);
}

static double now(void)
{
    struct timespec at;
    int (*real)(clockid_t, struct timespec *) =
        (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    real(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
    int (*real)(pid_t, size_t, cpu_set_t *) =
        (int (*)(pid_t, size_t, cpu_set_t *))dlsym(RTLD_NEXT, "sched_getaffinity");
    if (processors() == 0)
        return real(pid, size, set);
    CPU_ZERO_S(size, set);
    for (int i = 0; i < processors(); i++)
        CPU_SET_S((size_t)i, size, set);
    return 0;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int (*real)(clockid_t, struct timespec *) =
        (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    if (clock != CLOCK_PROCESS_CPUTIME_ID || processors() == 0)
        return real(clock, time);
    double at = now(), period = 0.8, whole = (double)(long)(at / period), rest = at - whole * period;
    double used = processors() * (whole * period / 2 + (rest < period / 2 ? rest : period / 2));
    time->tv_sec = (time_t)used;
    time->tv_nsec = (long)(1e9 * (used - (double)time->tv_sec));
    return 0;
}

static int open_stat(void)
{
    int file = memfd_create("stat", MFD_CLOEXEC);
    for (int i = 0; file >= 0 && i < processors(); i++)
        dprintf(file, "cpu%d 0 0 0 %.0f 0\n", i, now() * (double)sysconf(_SC_CLK_TCK));
    if (file >= 0)
        lseek(file, 0, SEEK_SET);
    return file;
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    int mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(rest, int) : 0;
    va_end(rest);
    if (processors() > 0 && strcmp(path, "/proc/stat") == 0)
        return open_stat();
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    return real(path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));
