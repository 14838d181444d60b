/* Streams in memory: with them a test or a fuzzer of the rooms above takes ten lines. */
#include "lib/transport/transport.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

struct memory_input {
    struct pst_input input;
    const char *bytes; /* borrowed */
    size_t left;
};

struct memory_output {
    struct pst_output output;
    struct pst_buffer *buffer; /* borrowed */
    size_t *size;              /* borrowed */
};

static enum pst_status read_memory(struct pst_input *input, void *bytes, size_t size, size_t *got,
                                   struct pst_error *error)
{
    (void)error;
    struct memory_input *memory = (struct memory_input *)input;
    if (memory->left == 0)
        return PST_END;
    *got = size < memory->left ? size : memory->left;
    memcpy(bytes, memory->bytes, *got);
    memory->bytes += *got;
    memory->left -= *got;
    return PST_OK;
}

static void close_input(struct pst_input *input)
{
    free(input);
}

static const struct pst_input_operations input_operations = { .read = read_memory, .close = close_input };

enum pst_status pst_input_from_memory(struct pst_input **input, const void *bytes, size_t size,
                                      struct pst_error *error)
{
    struct memory_input *memory =
        pst_endpoint_new(sizeof *memory, offsetof(struct memory_input, input.name), "memory", error);
    if (memory == NULL)
        return PST_TRY_AGAIN;
    memory->input.operations = &input_operations;
    memory->bytes = bytes;
    memory->left = size;
    *input = &memory->input;
    return PST_OK;
}

static enum pst_status append(struct memory_output *memory, const struct iovec *part, struct pst_error *error)
{
    size_t size = *memory->size;
    size_t needed = size + part->iov_len;
    if (needed > memory->buffer->capacity) {
        enum pst_status status = pst_buffer_reserve(memory->buffer, 2 * needed, size, error);
        if (status != PST_OK)
            return status;
    }
    if (part->iov_len > 0)
        memcpy((char *)memory->buffer->data + size, part->iov_base, part->iov_len);
    *memory->size = needed;
    return PST_OK;
}

static enum pst_status write_memory(struct pst_output *output, const struct iovec *parts, size_t count,
                                    struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < count && status == PST_OK; i++)
        status = append((struct memory_output *)output, &parts[i], error);
    return status;
}

static enum pst_status finish_memory(struct pst_output *output, struct pst_error *error)
{
    (void)output;
    (void)error;
    return PST_OK;
}

static void close_output(struct pst_output *output)
{
    free(output);
}

static const struct pst_output_operations output_operations = {
    .write = write_memory,
    .finish = finish_memory,
    .close = close_output,
};

enum pst_status pst_output_to_memory(struct pst_output **output, struct pst_buffer *buffer, size_t *size,
                                     struct pst_error *error)
{
    struct memory_output *memory =
        pst_endpoint_new(sizeof *memory, offsetof(struct memory_output, output.name), "memory", error);
    if (memory == NULL)
        return PST_TRY_AGAIN;
    memory->output.operations = &output_operations;
    memory->buffer = buffer;
    memory->size = size;
    *size = 0;
    *output = &memory->output;
    return PST_OK;
}
