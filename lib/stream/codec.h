/* codec.h: what reader and writer share: the words of the format, and metadata as JSON values. */
#ifndef PIPESTILL_LIB_CODEC_H
#define PIPESTILL_LIB_CODEC_H

#include "pipestill/stream.h"

#include <jansson.h>
#include <msgpack.h>

/* Bytes that are being packed. */
struct pst_packed {
    struct pst_buffer buffer;
    size_t size;
    bool failed; /* memory was short at some point */
};

/* msgpack-c's callback that appends to a struct pst_packed. */
int pst_packed_append(void *packed, const char *bytes, size_t size);

/* A packer that writes to `packed`. */
msgpack_packer pst_packer(struct pst_packed *packed);

/* Packs a string with its length. */
void pst_pack_text(msgpack_packer *packer, const char *text);

/* Packs a name and an unsigned number. */
void pst_pack_pair(msgpack_packer *packer, const char *name, uint64_t number);

/* Packs a JSON value: null, booleans, integers, reals, strings, arrays, objects. */
void pst_pack_json(msgpack_packer *packer, const json_t *value);

/* Packs a message with that many keys up to its crc into the emptied frame, and returns the crc. */
uint32_t pst_pack_envelope(struct pst_packed *frame, const struct pst_packed *meta, const char *kind,
                           uint32_t keys);

/*
 * Unpacks one block of metadata, which must be one value of kinds that JSON has.
 * Returns the value, owned by the caller; NULL where it is anything else, or memory is short.
 */
PST_CHECKED json_t *pst_unpack_json(const void *bytes, size_t size);

/* The header as the object that stands in its metadata, and back; see docs/stream-format.md. */
PST_CHECKED enum pst_status pst_header_from_json(struct pst_header *header, json_t *object,
                                                 struct pst_error *error);

/* The sum of pst_sample_hash over a batch's samples; 0 where id_index is PST_NONE. */
uint64_t pst_batch_sample_checksum(const struct pst_batch *batch, size_t id_index);

#endif
