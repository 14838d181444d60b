/*
 * message.h: a message of a stream: its kind, its metadata, and their checksum. The reader and the writer
 * handle what follows, a batch's data. Also the buffer in front of an input, from which tokens and blocks
 * are taken.
 */
#ifndef PIPESTILL_LIB_MESSAGE_H
#define PIPESTILL_LIB_MESSAGE_H

#include "lib/stream/wire.h"

/* ---- the buffer in front of an input ------------------------------------------------------------------ */

struct pst_source_buffer {
    struct pst_input *input; /* owned */
    uint64_t offset;         /* bytes taken so far: the place of an error in the stream */
    bool placed;             /* pst_source_goto was called: reads go to a place in a file */
    size_t at, end;          /* the part of `bytes` that is not taken yet */
    uint8_t *bytes;          /* [room]: `small`, or `large` after it was needed once */
    size_t room;
    uint8_t small[16384];
    struct pst_buffer large;
};

/* input: taken over. */
void pst_source_open(struct pst_source_buffer *source, struct pst_input *input);

void pst_source_close(struct pst_source_buffer *source);

/*
 * Takes the next token's head.
 * Returns PST_OK; PST_END if the input ends before its first byte; PST_BAD_DATA if it ends within; and what
 * pst_input_read returns.
 */
PST_CHECKED enum pst_status pst_source_token(struct pst_source_buffer *source, struct pst_token *token,
                                             struct pst_error *error);

/* Takes exactly size bytes; large blocks are read from the input directly into their place. Returns
 * PST_BAD_DATA at the input's end. */
PST_CHECKED enum pst_status pst_source_take(struct pst_source_buffer *source, void *bytes, size_t size,
                                            struct pst_error *error);

/* Steps over bytes of an input that has a size, perhaps beyond its end. */
void pst_source_skip(struct pst_source_buffer *source, uint64_t bytes);

/* Continues at that byte of an input that has a size. */
void pst_source_goto(struct pst_source_buffer *source, uint64_t offset);

/*
 * The same, and reads `size` bytes from there at once, if they are at most a mebibyte. Returns PST_OK,
 * PST_IO_ERROR or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_source_fetch(struct pst_source_buffer *source, uint64_t offset, size_t size,
                                             struct pst_error *error);

/* ---- messages ----------------------------------------------------------------------------------------- */

enum pst_message_kind { PST_HEADER_MESSAGE, PST_BATCH_MESSAGE, PST_TRAILER_MESSAGE };

/* A message up to its data; reused. */
struct pst_envelope {
    enum pst_message_kind kind;
    struct pst_buffer meta; /* its first meta_size bytes are MessagePack that fits crc */
    size_t meta_size;
    uint32_t crc;
};

/*
 * Takes the next message up to its data.
 * max_message: more bytes of metadata than that are refused.
 * Returns PST_OK; PST_END if the input ends before it; PST_BAD_DATA; and what the input returns.
 */
PST_CHECKED enum pst_status pst_envelope_take(struct pst_source_buffer *source, struct pst_envelope *envelope,
                                              size_t max_message, struct pst_error *error);

/* Takes a string that must be this key. */
PST_CHECKED enum pst_status pst_take_key(struct pst_source_buffer *source, const char *key,
                                         struct pst_error *error);

/* Takes a token that must be of this kind. number: receives its number. The input's end is PST_BAD_DATA. */
PST_CHECKED enum pst_status pst_take_token(struct pst_source_buffer *source, enum pst_token_kind kind,
                                           uint64_t *number, struct pst_error *error);

/* Packs a message up to its data into the emptied frame, and returns the checksum of its metadata. */
uint32_t pst_envelope_pack(struct pst_packed *frame, const struct pst_packed *meta,
                           enum pst_message_kind kind);

/* The mark of a run that each of its batches has: the CRC-32C of the header's run. */
uint32_t pst_run_mark(const struct pst_header *header);

/*
 * Makes a header from the object in its metadata (pst_header_to_json), and checks every field. object: keys
 * are taken out of it. Returns PST_OK, PST_BAD_DATA or PST_TRY_AGAIN. The caller frees header in every case.
 */
PST_CHECKED enum pst_status pst_header_from_json(struct pst_header *header, json_t *object,
                                                 struct pst_error *error);

#endif
