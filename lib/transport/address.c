/* Addresses: libzmq accepts some that name no host; these are refused here. */
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

static enum pst_status not_known(const char *text, int failure, struct pst_error *error)
{
    return pst_fail(error, failure == EAI_MEMORY ? PST_TRY_AGAIN : PST_UNAVAILABLE,
                    "%s: the host is not known: %s", text,
                    failure == EAI_SYSTEM ? strerror(errno) : gai_strerror(failure));
}

/*
 * libzmq binds to numbers only, and to one of them. If a host has addresses of both versions, that is the
 * first of version 4, which connecting sockets try first.
 */
static enum pst_status settle_number(struct pst_address *address, const struct addrinfo *found,
                                     const char *port, struct pst_error *error)
{
    char host[NI_MAXHOST];
    while (found != NULL && address->ipv4 && found->ai_family != AF_INET)
        found = found->ai_next;
    if (found == NULL)
        return not_known(address->text, EAI_NONAME, error);
    int failure = getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST);
    if (failure != 0)
        return not_known(address->text, failure, error);
    snprintf(address->text, sizeof address->text, address->ipv4 ? "tcp://%s:%s" : "tcp://[%s]:%s", host,
             port);
    return PST_OK;
}

/* Checks tcp://host:port and finds the host: libzmq would try an unknown one for ever, without an error. */
static enum pst_status check_tcp(struct pst_address *address, bool listens, struct pst_error *error)
{
    const char *host = address->text + strlen("tcp://"), *colon = strrchr(host, ':');
    uint64_t port;
    bool any = strncmp(host, "*:", 2) == 0;
    if (colon == NULL || colon == host || !pst_parse_u64(colon + 1, 1, 65535, &port) || colon - host > 200 ||
        (any && !listens) || strchr(host, ';') != NULL)
        return pst_fail(error, PST_USAGE, "%s: is not tcp://host:port, with a port from 1 to 65535",
                        address->text);
    char name[256], digits[8];
    bool bracketed = host[0] == '[' && colon[-1] == ']';
    snprintf(name, sizeof name, "%.*s", (int)(colon - host) - 2 * bracketed, host + bracketed);
    snprintf(digits, sizeof digits, "%u", (unsigned)port);
    if (any) {
        address->ipv6 = true;
        return PST_OK;
    }
    struct addrinfo *found = NULL, hints = { .ai_socktype = SOCK_STREAM };
    int failure = getaddrinfo(name, NULL, &hints, &found);
    if (failure != 0)
        return not_known(address->text, failure, error);
    for (const struct addrinfo *one = found; one != NULL; one = one->ai_next) {
        address->ipv4 = address->ipv4 || one->ai_family == AF_INET;
        address->ipv6 = address->ipv6 || one->ai_family == AF_INET6;
    }
    enum pst_status status = listens ? settle_number(address, found, digits, error) : PST_OK;
    freeaddrinfo(found);
    return status;
}

/*
 * Whether a program listens on a path. A refused connection shows that none does. If a busy listener's queue
 * is full, the connection is not accepted at once; the socket does not block, so this does not wait.
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
 * libzmq replaces whatever is at a listener's path: a file would be lost, and another listener's peers would
 * connect here. So only a socket that a listener left behind is replaced.
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

enum pst_status pst_address_check(struct pst_address *address, const char *text, bool listens,
                                  struct pst_error *error)
{
    *address = (struct pst_address){ 0 };
    if (strlen(text) >= sizeof address->text)
        return pst_fail(error, PST_USAGE, "%.100s…: the address is too long", text);
    memcpy(address->text, text, strlen(text) + 1);
    if (strncmp(text, "tcp://", 6) == 0)
        return check_tcp(address, listens, error);
    if (strncmp(text, "ipc://", 6) == 0)
        return check_ipc(text, listens, error);
    return pst_fail(error, PST_USAGE, "%s: is neither tcp://host:port nor ipc://path", text);
}
