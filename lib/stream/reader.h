/*
 * reader.h: the inside of a reader, for code that reads a stream in a file: it can go to any message, and
 * read messages without their data.
 */
#ifndef PIPESTILL_LIB_READER_H
#define PIPESTILL_LIB_READER_H

#include "lib/stream/message.h"
#include "lib/stream/trailer.h"
#include "lib/stream/zstd.h"

struct pst_reader {
    struct pst_source_buffer source;
    size_t max_message;
    struct pst_header header; /* as it came */
    size_t id_index;
    uint64_t next_seq;
    struct pst_trailer so_far;
    bool beyond_limit;   /* the current batch is refused only because of its size */
    bool of_another_run; /* or because it is of another run than the header */
    struct pst_envelope envelope;
    struct pst_zstd_unpacker *unpacker; /* NULL if tensors are not compressed */
    uint64_t *crcs;                     /* of the current batch, [tensor_count] */
    uint64_t *places; /* of the current batch: where in the input each tensor's bytes begin, [tensor_count] */
};

/* Goes to the message that begins at that byte; if it is a batch, it must have that number. */
void pst_reader_goto(struct pst_reader *reader, uint64_t offset, uint64_t seq);

/* The same for a message of that many bytes, which are read at once if they are at most a mebibyte. Returns
 * PST_OK, PST_IO_ERROR or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_reader_fetch(struct pst_reader *reader, uint64_t offset, uint64_t bytes,
                                             uint64_t seq, struct pst_error *error);

/* A message whose data were stepped over. */
struct pst_skimmed {
    enum pst_message_kind kind;
    uint64_t begin, end;    /* bytes of the file */
    uint64_t seq, epoch, n; /* of a batch */
};

/*
 * Takes the next message and steps over its data; the input must be a file. Its metadata is checked as
 * usual, its tensors' checksums and its number are not; its end may be beyond that of the file.
 * Returns PST_OK; PST_END if the file ends before it; PST_BAD_DATA; PST_IO_ERROR.
 */
PST_CHECKED enum pst_status pst_reader_skim(struct pst_reader *reader, struct pst_skimmed *message,
                                            struct pst_error *error);

#endif
