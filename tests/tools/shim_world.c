/*
 * An LD_PRELOAD library that changes what the system answers:
 *
 *   SHIM_FLOCK=NUMBER    flock fails with this errno, as on file systems without locks
 *   SHIM_HOSTS=1         the host twofold.test has the addresses 127.0.0.1 and ::1
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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
