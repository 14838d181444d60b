/* Addresses: libzmq accepts some that cannot mean any host; these are refused here. */
#include "pipestill/linux.h"

#include "lib/transport/socket.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Whether a host has an address of version 4 of the Internet protocol. */
static bool has_ipv4(const char *host)
{
    struct addrinfo *found = NULL, hints = { .ai_family = AF_INET };
    bool has = getaddrinfo(host, NULL, &hints, &found) == 0;
    if (has)
        freeaddrinfo(found);
    return has;
}

/*
 * Looks at tcp://host:port and finds the host; libzmq would try an unknown one for ever and say nothing. Of a
 * host with addresses of both versions it takes one only, which must be the one that the listener has: 4.
 */
static enum pst_status check_tcp(const char *address, bool listens, bool *ipv4, struct pst_error *error)
{
    const char *host = address + strlen("tcp://"), *colon = strrchr(host, ':');
    uint64_t port;
    bool any = strncmp(host, "*:", 2) == 0;
    if (colon == NULL || colon == host || !pst_parse_u64(colon + 1, 1, 65535, &port) || colon - host > 200 ||
        (any && !listens) || strchr(host, ';') != NULL)
        return pst_fail(error, PST_USAGE, "%s: is not tcp://host:port, with a port from 1 to 65535", address);
    char name[256];
    bool bracketed = host[0] == '[' && colon[-1] == ']';
    snprintf(name, sizeof name, "%.*s", (int)(colon - host) - 2 * bracketed, host + bracketed);
    if (any)
        return PST_OK;
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(name, NULL, NULL, &found);
    if (failure != 0)
        return pst_fail(error, PST_UNAVAILABLE, "%s: the host is not known: %s", address,
                        gai_strerror(failure));
    freeaddrinfo(found);
    *ipv4 = has_ipv4(name);
    return PST_OK;
}

/*
 * Whether a program listens on a path. Only a refused connection tells that none does. One that is not
 * accepted for now comes of a listener who is busy, whose queue is full; it must not be waited for.
 */
static bool is_in_use(const struct sockaddr_un *name)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)name, sizeof *name) != 0 &&
                   (errno == ECONNREFUSED || errno == ENOENT);
    if (fd >= 0)
        close(fd);
    return !refused;
}

/*
 * libzmq takes a listener's path whatever is there: a file would be gone, and another listener's peers would
 * come here. So only what a listener left behind is taken.
 */
static enum pst_status check_ipc(const char *address, bool listens, struct pst_error *error)
{
    const char *path = address + strlen("ipc://");
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    if (path[0] == '\0' || path[0] == '*' || strlen(path) >= sizeof name.sun_path)
        return pst_fail(error, PST_USAGE, "%s: is not ipc://path, with a path of 1 to %zu bytes", address,
                        sizeof name.sun_path - 1);
    if (path[0] == '@')
        return pst_fail(
            error, PST_USAGE,
            "%s: an abstract socket has no permissions, so everyone on this machine could connect; "
            "give a path",
            address);
    struct stat status;
    if (!listens || lstat(path, &status) != 0)
        return PST_OK;
    if (!S_ISSOCK(status.st_mode))
        return pst_fail(error, PST_USAGE, "%s: there is a file of this name already", address);
    memcpy(name.sun_path, path, strlen(path) + 1);
    return is_in_use(&name)
               ? pst_fail(error, PST_TRY_AGAIN, "%s: the address is in use by another program", address)
               : PST_OK;
}

enum pst_status pst_address_check(const char *address, bool listens, bool *ipv4, struct pst_error *error)
{
    *ipv4 = false;
    if (strncmp(address, "tcp://", 6) == 0)
        return check_tcp(address, listens, ipv4, error);
    if (strncmp(address, "ipc://", 6) == 0)
        return check_ipc(address, listens, error);
    return pst_fail(error, PST_USAGE, "%s: is neither tcp://host:port nor ipc://path", address);
}
