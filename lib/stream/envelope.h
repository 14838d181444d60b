/* envelope.h: what every message begins with: "kind", "meta", "crc"; only what follows, a batch's data,
 * differs. */
#ifndef PIPESTILL_LIB_ENVELOPE_H
#define PIPESTILL_LIB_ENVELOPE_H

#include "lib/stream/source.h"

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
 * Returns PST_OK; PST_END where the input ends before it; PST_BAD_DATA; and what the input returns.
 */
PST_CHECKED enum pst_status pst_envelope_take(struct pst_source_buffer *source, struct pst_envelope *envelope,
                                              size_t max_message, struct pst_error *error);

/* Takes a string that must be this key. */
PST_CHECKED enum pst_status pst_take_key(struct pst_source_buffer *source, const char *key,
                                         struct pst_error *error);

/* Takes a token that must be of this kind. number: receives its number. The input's end is PST_BAD_DATA. */
PST_CHECKED enum pst_status pst_take_token(struct pst_source_buffer *source, enum pst_token_kind kind,
                                           uint64_t *number, struct pst_error *error);

#endif
