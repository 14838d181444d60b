/*
 * trailer.h: the end of a stream: sums over its batches and, for reading from a file, an index of where the
 * batches are, as runs of batches that are alike. A stream of batches of one size takes a run or two an
 * epoch.
 */
#ifndef PIPESTILL_LIB_TRAILER_H
#define PIPESTILL_LIB_TRAILER_H

#include "lib/stream/wire.h"

/* Batches that follow each other and have the same number of bytes, the same number of samples, and the same
 * epoch. */
struct pst_index_run {
    uint64_t count, bytes, samples, epoch;
};

/* {0} is empty. */
struct pst_index {
    uint64_t header_bytes;
    size_t run_count, room;
    struct pst_index_run *runs; /* [room]; owned */
    bool given_up;              /* it became too long for a trailer, or memory was short */
};

/* Adds a batch at the end. An index that grows too long is given up, and the stream then has none. */
void pst_index_add(struct pst_index *index, uint64_t bytes, uint64_t samples, uint64_t epoch);

/* Packs the metadata of a trailer, with the index if there is one. run: the header's. */
void pst_pack_trailer(msgpack_packer *packer, const struct pst_trailer *trailer,
                      const struct pst_index *index, const char *run);

/*
 * Takes the index out of a trailer's metadata.
 * meta, size: MessagePack that is known to be a map. run: of the header that the trailer should belong to.
 * Returns PST_OK with an index, to be freed; PST_END if the trailer has none; PST_BAD_DATA if it is not
 * valid, or of another run; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_index_take(struct pst_index *index, const void *meta, size_t size,
                                           const char *run, struct pst_error *error);

/* Frees what an index holds and makes it {0}. */
void pst_index_free(struct pst_index *index);

/* Takes the sums out of a trailer's metadata. Returns false if one is missing or not a number. */
PST_CHECKED bool pst_trailer_take(const void *meta, size_t size, struct pst_trailer *said);

/* Adds a batch to the sums. crc: of its metadata. id_index: the place of its ids, or PST_NONE. */
void pst_trailer_count(struct pst_trailer *sums, const struct pst_batch *batch, uint32_t crc,
                       size_t id_index);

/* Checks that a trailer fits the batches that came. Returns PST_OK or PST_BAD_DATA. */
PST_CHECKED enum pst_status pst_trailer_check(const struct pst_trailer *said, const struct pst_trailer *came,
                                              struct pst_error *error);

#endif
