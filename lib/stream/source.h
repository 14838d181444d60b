/* source.h: an input with a small buffer in front, from which tokens and blocks are taken. */
#ifndef PIPESTILL_LIB_SOURCE_H
#define PIPESTILL_LIB_SOURCE_H

#include "lib/stream/token.h"
#include "pipestill/transport.h"

struct pst_source_buffer {
    struct pst_input *input; /* owned */
    uint64_t offset;         /* bytes taken so far: where in the stream an error is */
    bool placed;             /* pst_source_goto was called: reads go to a place in a file */
    size_t at, end;          /* what of `bytes` is not taken yet */
    uint8_t *bytes;          /* [room]: `small`, or `large` once there was one */
    size_t room;
    uint8_t small[16384];
    struct pst_buffer large;
};

/* input: taken over. */
void pst_source_open(struct pst_source_buffer *source, struct pst_input *input);

void pst_source_close(struct pst_source_buffer *source);

/*
 * Takes the next token's head.
 * Returns PST_OK; PST_END where the input ends before its first byte; PST_BAD_DATA where it ends within; and
 * what pst_input_read returns.
 */
PST_CHECKED enum pst_status pst_source_token(struct pst_source_buffer *source, struct pst_token *token,
                                             struct pst_error *error);

/* Takes exactly size bytes; large blocks go straight from the input to their place. PST_BAD_DATA at the
 * input's end. */
PST_CHECKED enum pst_status pst_source_take(struct pst_source_buffer *source, void *bytes, size_t size,
                                            struct pst_error *error);

/* Steps over bytes of an input that has a size, perhaps beyond its end. */
void pst_source_skip(struct pst_source_buffer *source, uint64_t bytes);

/* Goes on at that byte of an input that has a size. */
void pst_source_goto(struct pst_source_buffer *source, uint64_t offset);

/*
 * The same, and reads the bytes that come there, of which so many are wanted: at once, if they are not very
 * many. Returns PST_OK, PST_IO_ERROR or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_source_fetch(struct pst_source_buffer *source, uint64_t offset, size_t size,
                                             struct pst_error *error);

#endif
