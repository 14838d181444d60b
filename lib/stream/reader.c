/*
 * Reading a stream, and checking all of it. A message's metadata comes before its data and has its own
 * checksum, so every size is checked before memory is reserved for it.
 */
#include "lib/stream/reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum pst_status pst_reader_new(struct pst_reader **reader, struct pst_input *input, size_t max_message,
                               struct pst_error *error)
{
    *reader = calloc(1, sizeof **reader);
    if (*reader == NULL) {
        pst_input_close(input);
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a reader");
    }
    pst_source_open(&(*reader)->source, input);
    (*reader)->max_message = max_message;
    return PST_OK;
}

void pst_reader_free(struct pst_reader *reader)
{
    if (reader == NULL)
        return;
    pst_source_close(&reader->source);
    pst_header_free(&reader->header);
    pst_buffer_free(&reader->envelope.meta);
    pst_zstd_unpacker_free(reader->unpacker);
    free(reader->crcs);
    free(reader->places);
    free(reader);
}

/* Puts the place in front of an error: the input, the byte, and the batch that should come there. */
static enum pst_status fail_here(struct pst_reader *reader, const char *what, struct pst_error *error)
{
    return pst_fail_at(error, "%s, byte %" PRIu64 ", %s %" PRIu64, reader->source.input->name,
                       reader->source.offset, what, reader->next_seq);
}

static enum pst_status bad(struct pst_error *error, const char *what)
{
    return pst_fail(error, PST_BAD_DATA, "%s", what);
}

/* ---- header ------------------------------------------------------------------------------------------ */

/* If the input is not a stream, its first bytes, which are still in the buffer, may tell what it is. */
static enum pst_status fail_start(const struct pst_source_buffer *source, struct pst_error *error)
{
    bool from_start = source->offset == source->at;
    const char *is = from_start ? pst_wrong_file(PST_STREAM_FILE, source->bytes, source->end) : NULL;
    return is == NULL ? PST_BAD_DATA : pst_fail(error, PST_BAD_DATA, "not a pipestill stream, but %s", is);
}

static enum pst_status read_header(struct pst_reader *reader, struct pst_error *error)
{
    enum pst_status status =
        pst_envelope_take(&reader->source, &reader->envelope, reader->max_message, error);
    if (status == PST_END)
        return bad(error, "empty: not even a header came; did the stage before fail?");
    if (status == PST_BAD_DATA)
        return fail_start(&reader->source, error);
    if (status != PST_OK)
        return status;
    if (reader->envelope.kind != PST_HEADER_MESSAGE)
        return bad(error, "the stream does not begin with a header");
    json_t *object = pst_unpack_json(reader->envelope.meta.data, reader->envelope.meta_size);
    if (object == NULL)
        return bad(error,
                   "the header's metadata is not one map of values that JSON has, or has too many parts");
    status = pst_header_from_json(&reader->header, object, error);
    json_decref(object);
    if (status != PST_OK)
        return status;
    reader->id_index = pst_header_find(&reader->header, "id");
    reader->next_seq = reader->header.first;
    reader->crcs = pst_allocate(reader->header.tensor_count, sizeof *reader->crcs, error);
    reader->places = pst_allocate(reader->header.tensor_count, sizeof *reader->places, error);
    if (reader->crcs == NULL || reader->places == NULL)
        return PST_TRY_AGAIN;
    return reader->header.encoding == PST_ZSTD ? pst_zstd_unpacker_new(&reader->unpacker, error) : PST_OK;
}

enum pst_status pst_reader_header(struct pst_reader *reader, struct pst_header *header,
                                  struct pst_error *error)
{
    *header = (struct pst_header){ 0 };
    enum pst_status status = read_header(reader, error);
    if (status == PST_BAD_DATA)
        return pst_fail_at(error, "%s, byte %" PRIu64, reader->source.input->name, reader->source.offset);
    return status == PST_OK ? pst_header_copy(header, &reader->header, error) : status;
}

/* ---- batches ----------------------------------------------------------------------------------------- */

/* Whether n samples of all tensors stay within the limit for a message. */
static bool fits(const struct pst_reader *reader, uint64_t n)
{
    size_t total = 0;
    for (size_t i = 0; i < reader->header.tensor_count; i++) {
        size_t bytes;
        if (!pst_multiply(n, reader->header.tensors[i].sample_bytes, &bytes) ||
            bytes > reader->max_message - total)
            return false;
        total += bytes;
    }
    return n <= reader->max_message;
}

/* Takes the head of a tensor's bin, and notes where its bytes begin. bytes: receives their number. */
static enum pst_status take_bin(struct pst_reader *reader, size_t n, size_t index, size_t *bytes,
                                struct pst_error *error)
{
    const struct pst_tensor_spec *spec = &reader->header.tensors[index];
    uint64_t size = 0;
    enum pst_status status = pst_take_token(&reader->source, PST_TOKEN_BIN, &size, error);
    if (status != PST_OK)
        return status;
    size_t content = n * spec->sample_bytes;
    if (reader->header.encoding == PST_ZSTD
            ? size == 0 || size > pst_zstd_most(content) || size < pst_zstd_least(content)
            : size != content)
        return pst_fail(error, PST_BAD_DATA, "tensor '%s' has %" PRIu64 " bytes; its shape asks for %zu",
                        spec->name, size, content);
    *bytes = (size_t)size;
    reader->places[index] = reader->source.offset;
    return PST_OK;
}

/* Takes the contents of a tensor's bin. bytes: their number, from its head. */
static enum pst_status take_contents(struct pst_reader *reader, size_t index, const struct pst_tensor *tensor,
                                     size_t bytes, struct pst_error *error)
{
    if (reader->header.encoding == PST_PLAIN)
        return pst_source_take(&reader->source, tensor->data, bytes, error);
    void *frame;
    enum pst_status status = pst_zstd_room(reader->unpacker, bytes, &frame, error);
    if (status == PST_OK)
        status = pst_source_take(&reader->source, frame, bytes, error);
    if (status != PST_OK)
        return status;
    status = pst_zstd_unpack(reader->unpacker, bytes, tensor->data, tensor->bytes, error);
    return status == PST_OK ? PST_OK
                            : pst_fail_at(error, "damaged: tensor '%s'", reader->header.tensors[index].name);
}

static enum pst_status take_tensor(struct pst_reader *reader, struct pst_batch *batch, size_t index,
                                   struct pst_error *error)
{
    const struct pst_tensor_spec *spec = &reader->header.tensors[index];
    struct pst_tensor *tensor = &batch->tensors[index];
    size_t bytes = 0;
    enum pst_status status = take_bin(reader, batch->n, index, &bytes, error);
    if (status == PST_OK)
        status = pst_buffer_reserve(&tensor->memory, batch->n * spec->sample_bytes, 0, error);
    if (status != PST_OK)
        return status;
    tensor->data = tensor->memory.data;
    tensor->bytes = batch->n * spec->sample_bytes;
    status = take_contents(reader, index, tensor, bytes, error);
    if (status != PST_OK)
        return status;
    tensor->crc = pst_crc32c(0, tensor->data, tensor->bytes);
    tensor->crc_known = true;
    if (tensor->crc != reader->crcs[index])
        return pst_fail(error, PST_BAD_DATA, "damaged: the checksum of tensor '%s' does not fit", spec->name);
    return PST_OK;
}

/* A batch's metadata, and its data up to the first bin. */
static enum pst_status take_batch_head(struct pst_reader *reader, uint64_t *seq, uint64_t *epoch, uint64_t *n,
                                       struct pst_error *error)
{
    uint64_t run = 0, count = 0;
    struct pst_meta_field fields[] = {
        { .name = "seq", .numbers = seq },
        { .name = "epoch", .numbers = epoch },
        { .name = "n", .numbers = n },
        { .name = "crcs",
          .numbers = reader->crcs,
          .list = true,
          .length = reader->header.tensor_count,
          .most = UINT32_MAX },
        { .name = "run", .numbers = &run, .optional = true },
    };
    if (!pst_meta_take(reader->envelope.meta.data, reader->envelope.meta_size, fields, 5))
        return bad(
            error,
            "the batch's metadata lacks seq, epoch, n or crcs, or one of them is not as the format says");
    reader->of_another_run = fields[4].seen && run != pst_run_mark(&reader->header);
    if (reader->of_another_run)
        return bad(error, "a batch of another run than the header's; two streams in one file?");
    reader->beyond_limit = *n >= 1 && !fits(reader, *n);
    if (*n < 1 || reader->beyond_limit)
        return pst_fail(error, PST_BAD_DATA,
                        "%" PRIu64 " samples are none, or exceed the limit of %zu bytes (--max-message)", *n,
                        reader->max_message);
    enum pst_status status = pst_take_key(&reader->source, "data", error);
    if (status == PST_OK)
        status = pst_take_token(&reader->source, PST_TOKEN_ARRAY, &count, error);
    if (status == PST_OK && count != reader->header.tensor_count)
        return bad(error, "the batch does not hold the tensors that the header declares");
    return status;
}

static enum pst_status read_batch(struct pst_reader *reader, struct pst_batch *batch, struct pst_error *error)
{
    uint64_t seq = 0, epoch = 0, n = 0;
    enum pst_status status = take_batch_head(reader, &seq, &epoch, &n, error);
    if (status == PST_OK && seq != reader->next_seq)
        return pst_fail(error, PST_BAD_DATA, "batch %" PRIu64 " came, a %s", seq,
                        seq > reader->next_seq ? "gap" : "repeat");
    if (status == PST_OK)
        status = pst_batch_follow(batch, &reader->header, error);
    batch->seq = seq;
    batch->epoch = epoch;
    batch->n = n;
    for (size_t i = 0; i < reader->header.tensor_count && status == PST_OK; i++)
        status = take_tensor(reader, batch, i, error);
    if (status != PST_OK)
        return status;
    reader->next_seq++;
    pst_trailer_count(&reader->so_far, batch, reader->envelope.crc, reader->id_index);
    return PST_OK;
}

/* ---- trailer ----------------------------------------------------------------------------------------- */

static enum pst_status read_trailer(struct pst_reader *reader, struct pst_error *error)
{
    struct pst_trailer said;
    if (!pst_trailer_take(reader->envelope.meta.data, reader->envelope.meta_size, &said))
        return bad(
            error,
            "the trailer's metadata lacks batches, samples or a checksum, or one of them is not a number");
    enum pst_status status = pst_trailer_check(&said, &reader->so_far, error);
    if (status != PST_OK)
        return status;
    if (reader->source.input->grows)
        return pst_input_finish(reader->source.input, error);
    struct pst_token token;
    status = pst_source_token(&reader->source, &token, error);
    if (status == PST_OK)
        return bad(error, "something follows the trailer; two streams in one file?");
    return status == PST_END ? pst_input_finish(reader->source.input, error) : status;
}

enum pst_status pst_reader_next(struct pst_reader *reader, struct pst_batch *batch, struct pst_error *error)
{
    enum pst_status status =
        pst_envelope_take(&reader->source, &reader->envelope, reader->max_message, error);
    if (status == PST_END)
        status = bad(error, "truncated: the stream ends without a trailer; did the stage before fail?");
    else if (status == PST_OK && reader->envelope.kind == PST_BATCH_MESSAGE)
        status = read_batch(reader, batch, error);
    else if (status == PST_OK && reader->envelope.kind == PST_TRAILER_MESSAGE) {
        status = read_trailer(reader, error);
        if (status == PST_OK)
            return PST_END;
    } else if (status == PST_OK)
        status = bad(error, "a second header");
    return status == PST_BAD_DATA ? fail_here(reader, "batch", error) : status;
}

const struct pst_trailer *pst_reader_trailer(const struct pst_reader *reader)
{
    return &reader->so_far;
}

double pst_reader_waited(const struct pst_reader *reader)
{
    return reader->source.input->waited;
}

bool pst_reader_interrupt(struct pst_reader *reader)
{
    return pst_input_interrupt(reader->source.input);
}

/* ---- places in a file ---------------------------------------------------------------------------------- */

void pst_reader_goto(struct pst_reader *reader, uint64_t offset, uint64_t seq)
{
    pst_source_goto(&reader->source, offset);
    reader->next_seq = seq;
}

enum pst_status pst_reader_fetch(struct pst_reader *reader, uint64_t offset, uint64_t bytes, uint64_t seq,
                                 struct pst_error *error)
{
    reader->next_seq = seq;
    return pst_source_fetch(&reader->source, offset, bytes, error);
}

enum pst_status pst_reader_skim(struct pst_reader *reader, struct pst_skimmed *message,
                                struct pst_error *error)
{
    *message = (struct pst_skimmed){ .begin = reader->source.offset };
    reader->beyond_limit = reader->of_another_run = false;
    enum pst_status status =
        pst_envelope_take(&reader->source, &reader->envelope, reader->max_message, error);
    if (status != PST_OK)
        return status;
    message->kind = reader->envelope.kind;
    if (message->kind == PST_BATCH_MESSAGE)
        status = take_batch_head(reader, &message->seq, &message->epoch, &message->n, error);
    for (size_t i = 0; message->kind == PST_BATCH_MESSAGE && i < reader->header.tensor_count; i++) {
        size_t bytes = 0;
        if (status == PST_OK)
            status = take_bin(reader, message->n, i, &bytes, error);
        if (status == PST_OK)
            pst_source_skip(&reader->source, bytes);
    }
    message->end = reader->source.offset;
    return status;
}

/* ---- parcels ------------------------------------------------------------------------------------------- */

/* Reads the one batch and checks that only the trailer follows. */
static enum pst_status read_the_only_batch(struct pst_reader *reader, struct pst_header *header,
                                           struct pst_batch *batch, struct pst_error *error)
{
    enum pst_status status = pst_reader_header(reader, header, error);
    if (status == PST_OK)
        status = pst_reader_next(reader, batch, error);
    if (status != PST_OK)
        return status == PST_END ? pst_fail(error, PST_BAD_DATA, "a parcel without a batch") : status;
    struct pst_batch second = { 0 };
    status = pst_reader_next(reader, &second, error);
    pst_batch_free(&second);
    if (status == PST_OK)
        return pst_fail(error, PST_BAD_DATA, "a parcel with more than one batch");
    return status == PST_END ? PST_OK : status;
}

enum pst_status pst_parcel_open(const void *bytes, size_t size, size_t max_message, struct pst_header *header,
                                struct pst_batch *batch, struct pst_error *error)
{
    struct pst_input *input;
    struct pst_reader *reader;
    *header = (struct pst_header){ 0 };
    enum pst_status status = pst_input_from_memory(&input, bytes, size, error);
    if (status == PST_OK)
        status = pst_reader_new(&reader, input, max_message, error);
    if (status != PST_OK)
        return status;
    status = read_the_only_batch(reader, header, batch, error);
    pst_reader_free(reader);
    if (status != PST_OK)
        pst_header_free(header);
    return status;
}
