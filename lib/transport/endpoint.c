/* Endpoints: which transport an endpoint belongs to, and the calls that every transport has. */
#include "lib/transport/transport.h"

#include <stdio.h>
#include <string.h>

/* The file transport takes what no scheme before it has taken. */
static const struct pst_transport *const transports[] = {
    &pst_zeromq_transports[0], &pst_zeromq_transports[1], &pst_zeromq_transports[2],
    &pst_zeromq_transports[3], &pst_file_transport,
};

/* Whether a name is meant as an endpoint of a kind other than a file, as far as its first letters tell. */
static bool looks_like_link(const char *name)
{
    static const char *const beginnings[] = { "listen:", "tcp:", "ipc:", "mem:" };
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    }
    return false;
}

static const struct pst_transport *find_transport(const char *endpoint, struct pst_error *error)
{
    bool path = endpoint[0] == '.' || endpoint[0] == '/';
    bool file = path || (strstr(endpoint, "://") == NULL && !looks_like_link(endpoint));
    for (size_t i = 0; i < sizeof transports / sizeof *transports; i++) {
        size_t length = strlen(transports[i]->scheme);
        if (strncmp(endpoint, transports[i]->scheme, length) == 0 && (length > 0 || file))
            return transports[i];
    }
    pst_fail(
        error, PST_USAGE,
        "%s: unknown kind of endpoint; known are -, a file's name, tcp://host:port, ipc://path, and listen: "
        "before these two; a file of this name is ./%s",
        endpoint, endpoint);
    return NULL;
}

enum pst_status pst_input_open(struct pst_input **input, const char *endpoint,
                               const struct pst_link_settings *settings, struct pst_error *error)
{
    const struct pst_transport *transport = find_transport(endpoint, error);
    return transport == NULL ? PST_USAGE : transport->open_input(input, endpoint, settings, error);
}

enum pst_status pst_output_open(struct pst_output **output, const char *endpoint,
                                const struct pst_link_settings *settings, struct pst_error *error)
{
    const struct pst_transport *transport = find_transport(endpoint, error);
    return transport == NULL ? PST_USAGE : transport->open_output(output, endpoint, settings, error);
}

void *pst_endpoint_new(size_t size, size_t name_at, const char *name, struct pst_error *error)
{
    char *endpoint = pst_allocate(1, size, error);
    if (endpoint != NULL)
        snprintf(endpoint + name_at, sizeof((struct pst_input *)0)->name, "%s", name);
    return endpoint;
}

enum pst_status pst_input_read(struct pst_input *input, void *bytes, size_t size, size_t *got,
                               struct pst_error *error)
{
    double before = pst_seconds();
    enum pst_status status = input->operations->read(input, bytes, size, got, error);
    input->waited += pst_seconds() - before;
    return status;
}

bool pst_input_size(const struct pst_input *input, uint64_t *bytes)
{
    return input->operations->size != NULL && input->operations->size(input, bytes);
}

enum pst_status pst_input_read_at(struct pst_input *input, uint64_t offset, void *bytes, size_t size,
                                  struct pst_error *error)
{
    double before = pst_seconds();
    enum pst_status status = PST_OK;
    for (size_t done = 0, got = 0; done < size && status == PST_OK; done += got) {
        got = 0;
        status =
            input->operations->read_at(input, offset + done, (char *)bytes + done, size - done, &got, error);
    }
    input->waited += pst_seconds() - before;
    return status;
}

enum pst_status pst_input_finish(struct pst_input *input, struct pst_error *error)
{
    return input->operations->finish == NULL ? PST_OK : input->operations->finish(input, error);
}

bool pst_input_interrupt(struct pst_input *input)
{
    if (input->operations->interrupt == NULL)
        return false;
    input->operations->interrupt(input);
    return true;
}

void pst_input_close(struct pst_input *input)
{
    if (input != NULL)
        input->operations->close(input);
}

enum pst_status pst_output_write(struct pst_output *output, const struct iovec *parts, size_t count,
                                 struct pst_error *error)
{
    double before = pst_seconds();
    enum pst_status status = output->operations->write(output, parts, count, error);
    output->waited += pst_seconds() - before;
    return status;
}

enum pst_status pst_output_finish(struct pst_output *output, struct pst_error *error)
{
    return output->operations->finish(output, error);
}

void pst_output_close(struct pst_output *output)
{
    if (output != NULL)
        output->operations->close(output);
}
