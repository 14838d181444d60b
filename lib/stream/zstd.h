/*
 * zstd.h: a tensor's bytes as one Zstandard frame (RFC 8878) and back. Only zstd.c uses the library.
 */
#ifndef PIPESTILL_LIB_ZSTD_H
#define PIPESTILL_LIB_ZSTD_H

#include "pipestill/base.h"

/* Packs; NULL is none. */
struct pst_zstd_packer;

/* Makes a packer. level: 1 (fast) to 19 (small). Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_zstd_packer_new(struct pst_zstd_packer **packer, int level,
                                                struct pst_error *error);

/*
 * Empties the packer and gives it room for frames of `count` blocks, `bytes` in all.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_zstd_begin(struct pst_zstd_packer *packer, size_t count, size_t bytes,
                                           struct pst_error *error);

/*
 * Packs one block, within the room of pst_zstd_begin.
 * frame, frame_size: receive the frame; owned by the packer, valid until the next pst_zstd_begin.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_zstd_pack(struct pst_zstd_packer *packer, const void *block, size_t size,
                                          void **frame, size_t *frame_size, struct pst_error *error);

void pst_zstd_packer_free(struct pst_zstd_packer *packer);

/* Unpacks; NULL is none. */
struct pst_zstd_unpacker;

/* Makes an unpacker. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_zstd_unpacker_new(struct pst_zstd_unpacker **unpacker,
                                                  struct pst_error *error);

/* The most bytes that a frame of `size` bytes of content has; a longer one is refused unread. */
size_t pst_zstd_most(size_t size);

/* The fewest bytes that a frame of `size` bytes of content has: a block takes 4 bytes and holds at most 128
 * KiB (RFC 8878, section 3.1.1.2). A smaller frame is refused before memory is reserved for its content. */
size_t pst_zstd_least(size_t size);

/*
 * Room for a frame, before it is read.
 * memory: receives it; owned by the unpacker. Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_zstd_room(struct pst_zstd_unpacker *unpacker, size_t frame_size,
                                          void **memory, struct pst_error *error);

/*
 * Unpacks the frame that is in the room given last.
 * frame_size: its bytes, all of them one frame. block: receives exactly `size` bytes.
 * Returns PST_OK; PST_BAD_DATA if it is anything but one frame of that size.
 */
PST_CHECKED enum pst_status pst_zstd_unpack(struct pst_zstd_unpacker *unpacker, size_t frame_size,
                                            void *block, size_t size, struct pst_error *error);

void pst_zstd_unpacker_free(struct pst_zstd_unpacker *unpacker);

#endif
