/* Parcels: one batch as a stream of its own, which travels as one message. */
#include "pipestill/stream.h"

uint64_t pst_batch_check(const struct pst_batch *batch, size_t tensors)
{
    uint32_t crc = 0;
    for (size_t i = 0; i < tensors; i++)
        crc = pst_crc32c(crc, &batch->tensors[i].crc, sizeof batch->tensors[i].crc);
    return crc;
}

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

/* Reads the one batch and sees that nothing but the trailer follows. */
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
