/*
 * index.h: where in a stream its batches are, as it stands in the trailer: runs of batches that are alike. A
 * stream of batches of one size takes a run or two an epoch.
 */
#ifndef PIPESTILL_LIB_INDEX_H
#define PIPESTILL_LIB_INDEX_H

#include "lib/stream/codec.h"

/* Batches one after another with the same number of bytes, of samples, and the same epoch. */
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

/* Adds a batch at the end. An index that grows too long is given up: the stream is then without one. */
void pst_index_add(struct pst_index *index, uint64_t bytes, uint64_t samples, uint64_t epoch);

/* Packs the metadata of a trailer, with the index where there is one. run: the header's. */
void pst_pack_trailer(msgpack_packer *packer, const struct pst_trailer *trailer,
                      const struct pst_index *index, const char *run);

/*
 * Takes the index out of a trailer's metadata.
 * meta, size: MessagePack that is known to be a map. run: of the header that the trailer should belong to.
 * Returns PST_OK with an index, to be freed; PST_END where the trailer has none; PST_BAD_DATA where it is not
 * what it should be, or another run's; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_index_take(struct pst_index *index, const void *meta, size_t size,
                                           const char *run, struct pst_error *error);

/* Frees what an index holds and makes it {0}. */
void pst_index_free(struct pst_index *index);

#endif
