/*
 * Writing a stream. Every message is a map with its keys in this order: "kind", "meta" (MessagePack in a
 * bin), "crc" (CRC-32C of meta) and, in a batch, "data" (one bin a tensor). Tensors' bytes are not copied
 * into the message.
 */
#include "lib/stream/message.h"
#include "lib/stream/trailer.h"
#include "lib/stream/zstd.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

struct pst_writer {
    struct pst_output *output;
    struct pst_trailer so_far;
    struct pst_header header; /* as it was declared */
    size_t id_index;
    uint64_t next_seq;
    uint64_t bytes; /* written so far */
    struct pst_packed meta;
    struct pst_packed frame;        /* all bytes of a message but the tensors' own */
    struct iovec *parts;            /* of a batch: frame, data, bin head, data, … */
    struct iovec *contents;         /* of a batch's bins, [tensor_count] */
    struct pst_zstd_packer *packer; /* NULL if tensors are written as they are */
    struct pst_index index;         /* where the batches are, for reading the stream from a file */
};

enum pst_status pst_writer_new(struct pst_writer **writer, struct pst_output *output, struct pst_error *error)
{
    *writer = calloc(1, sizeof **writer);
    if (*writer == NULL) {
        pst_output_close(output);
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a writer");
    }
    (*writer)->output = output;
    return PST_OK;
}

void pst_writer_free(struct pst_writer *writer)
{
    if (writer == NULL)
        return;
    pst_output_close(writer->output);
    pst_header_free(&writer->header);
    pst_buffer_free(&writer->meta.buffer);
    pst_buffer_free(&writer->frame.buffer);
    pst_index_free(&writer->index);
    pst_zstd_packer_free(writer->packer);
    free(writer->parts);
    free(writer->contents);
    free(writer);
}

static enum pst_status out_of_memory(struct pst_error *error)
{
    return pst_fail(error, PST_TRY_AGAIN, "out of memory for a message");
}

/* Writes a message that has no data. */
static enum pst_status write_plain(struct pst_writer *writer, enum pst_message_kind kind,
                                   struct pst_error *error)
{
    pst_envelope_pack(&writer->frame, &writer->meta, kind);
    if (writer->meta.failed || writer->frame.failed)
        return out_of_memory(error);
    if (writer->meta.size > PST_MAX_META)
        return pst_fail(error, PST_BAD_DATA,
                        "the %s takes %zu bytes of metadata, more than the 1 MiB that the format allows",
                        kind == PST_HEADER_MESSAGE ? "header" : "trailer", writer->meta.size);
    struct iovec part = { .iov_base = writer->frame.buffer.data, .iov_len = writer->frame.size };
    writer->bytes += writer->frame.size;
    return pst_output_write(writer->output, &part, 1, error);
}

enum pst_status pst_writer_compress(struct pst_writer *writer, int level, struct pst_error *error)
{
    return pst_zstd_packer_new(&writer->packer, level, error);
}

enum pst_status pst_writer_header(struct pst_writer *writer, const struct pst_header *header,
                                  struct pst_error *error)
{
    enum pst_status status = pst_header_copy(&writer->header, header, error);
    if (status != PST_OK)
        return status;
    writer->header.encoding = writer->packer == NULL ? PST_PLAIN : PST_ZSTD;
    writer->id_index = pst_header_find(header, "id");
    writer->next_seq = header->first;
    writer->parts = calloc(2 * header->tensor_count + 1, sizeof *writer->parts);
    writer->contents = calloc(header->tensor_count + 1, sizeof *writer->contents);
    json_t *object = pst_header_to_json(&writer->header);
    if (object == NULL || writer->parts == NULL || writer->contents == NULL) {
        json_decref(object);
        return out_of_memory(error);
    }
    writer->meta.size = 0;
    msgpack_packer packer = pst_packer(&writer->meta);
    pst_pack_json(&packer, object);
    json_decref(object);
    enum pst_status written = write_plain(writer, PST_HEADER_MESSAGE, error);
    writer->index.header_bytes = writer->frame.size;
    return written;
}

static enum pst_status check_batch(const struct pst_writer *writer, const struct pst_batch *batch,
                                   struct pst_error *error)
{
    unsigned long long seq = batch->seq;
    if (batch->seq != writer->next_seq)
        return pst_fail(error, PST_BAD_DATA, "batch %llu is out of order; %llu is due", seq,
                        (unsigned long long)writer->next_seq);
    if (batch->n == 0 || batch->tensor_count < writer->header.tensor_count)
        return pst_fail(error, PST_BAD_DATA, "batch %llu does not hold what its header declares", seq);
    for (size_t i = 0; i < writer->header.tensor_count; i++) {
        const struct pst_tensor_spec *spec = &writer->header.tensors[i];
        if (batch->tensors[i].bytes != batch->n * spec->sample_bytes || batch->tensors[i].bytes > UINT32_MAX)
            return pst_fail(error, PST_BAD_DATA, "batch %llu: tensor '%s' has %zu bytes", seq, spec->name,
                            batch->tensors[i].bytes);
    }
    return PST_OK;
}

static void pack_batch_meta(struct pst_writer *writer, struct pst_batch *batch)
{
    writer->meta.size = 0;
    msgpack_packer packer = pst_packer(&writer->meta);
    msgpack_pack_map(&packer, 5);
    pst_pack_pair(&packer, "seq", batch->seq);
    pst_pack_pair(&packer, "epoch", batch->epoch);
    pst_pack_pair(&packer, "n", batch->n);
    pst_pack_pair(&packer, "run", pst_run_mark(&writer->header));
    pst_pack_text(&packer, "crcs");
    msgpack_pack_array(&packer, writer->header.tensor_count);
    pst_batch_sum(batch, writer->header.tensor_count);
    for (size_t i = 0; i < writer->header.tensor_count; i++)
        msgpack_pack_uint32(&packer, batch->tensors[i].crc);
}

/* Makes the contents of the bins. */
static enum pst_status list_contents(struct pst_writer *writer, const struct pst_batch *batch,
                                     struct pst_error *error)
{
    size_t count = writer->header.tensor_count, bytes = 0;
    for (size_t i = 0; i < count; i++) {
        const struct pst_tensor *tensor = &batch->tensors[i];
        writer->contents[i] = (struct iovec){ .iov_base = tensor->data, .iov_len = tensor->bytes };
        bytes += tensor->bytes;
    }
    if (writer->packer == NULL)
        return PST_OK;
    enum pst_status status = pst_zstd_begin(writer->packer, count, bytes, error);
    for (size_t i = 0; i < count && status == PST_OK; i++) {
        struct iovec *content = &writer->contents[i];
        status = pst_zstd_pack(writer->packer, content->iov_base, content->iov_len, &content->iov_base,
                               &content->iov_len, error);
    }
    return status;
}

/* Packs "data" and the heads of its bins behind the envelope, and lists all the parts of the message. */
static size_t list_parts(struct pst_writer *writer)
{
    msgpack_packer packer = pst_packer(&writer->frame);
    pst_pack_text(&packer, "data");
    msgpack_pack_array(&packer, writer->header.tensor_count);
    size_t count = 0, begin = 0;
    /* The frame may move while it grows, so its parts are noted as offsets until it is complete. */
    for (size_t i = 0; i < writer->header.tensor_count; i++) {
        msgpack_pack_bin(&packer, writer->contents[i].iov_len);
        writer->parts[count++].iov_len = writer->frame.size - begin;
        begin = writer->frame.size;
        writer->parts[count++] = writer->contents[i];
    }
    writer->parts[count++].iov_len = writer->frame.size - begin;
    char *at = writer->frame.buffer.data;
    for (size_t i = 0; i < count; i += 2) {
        writer->parts[i].iov_base = at;
        at += writer->parts[i].iov_len;
    }
    return count;
}

static uint64_t bytes_of(const struct iovec *parts, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += parts[i].iov_len;
    return bytes;
}

enum pst_status pst_writer_batch(struct pst_writer *writer, struct pst_batch *batch, struct pst_error *error)
{
    enum pst_status status = check_batch(writer, batch, error);
    if (status != PST_OK)
        return status;
    pack_batch_meta(writer, batch);
    uint32_t crc = pst_envelope_pack(&writer->frame, &writer->meta, PST_BATCH_MESSAGE);
    status = list_contents(writer, batch, error);
    if (status != PST_OK)
        return status;
    size_t count = list_parts(writer);
    if (writer->meta.failed || writer->frame.failed)
        return out_of_memory(error);
    status = pst_output_write(writer->output, writer->parts, count, error);
    if (status != PST_OK)
        return status;
    uint64_t bytes = bytes_of(writer->parts, count);
    pst_index_add(&writer->index, bytes, batch->n, batch->epoch);
    writer->next_seq++;
    writer->bytes += bytes;
    pst_trailer_count(&writer->so_far, batch, crc, writer->id_index);
    return PST_OK;
}

enum pst_status pst_writer_finish(struct pst_writer *writer, struct pst_error *error)
{
    writer->meta.size = 0;
    msgpack_packer packer = pst_packer(&writer->meta);
    pst_pack_trailer(&packer, &writer->so_far, &writer->index, writer->header.run);
    enum pst_status status = write_plain(writer, PST_TRAILER_MESSAGE, error);
    return status == PST_OK ? pst_output_finish(writer->output, error) : status;
}

const struct pst_trailer *pst_writer_trailer(const struct pst_writer *writer)
{
    return &writer->so_far;
}

uint64_t pst_writer_bytes(const struct pst_writer *writer)
{
    return writer->bytes;
}

double pst_writer_waited(const struct pst_writer *writer)
{
    return writer->output->waited;
}

/* ---- parcels ------------------------------------------------------------------------------------------- */

enum pst_status pst_parcel_pack(const struct pst_header *header, struct pst_batch *batch,
                                struct pst_buffer *buffer, size_t *size, struct pst_error *error)
{
    struct pst_header single = *header; /* shares what the header owns */
    struct pst_output *output;
    struct pst_writer *writer;
    single.first = batch->seq;
    enum pst_status status = pst_output_to_memory(&output, buffer, size, error);
    if (status == PST_OK)
        status = pst_writer_new(&writer, output, error);
    if (status != PST_OK)
        return status;
    status = pst_writer_header(writer, &single, error);
    if (status == PST_OK)
        status = pst_writer_batch(writer, batch, error);
    if (status == PST_OK)
        status = pst_writer_finish(writer, error);
    pst_writer_free(writer);
    return status;
}
