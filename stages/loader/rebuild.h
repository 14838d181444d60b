/*
 * rebuild.h: inputs that a recording left out, made again from the data set that they came from, the way its
 * history says, and compared with the digests that were recorded.
 */
#ifndef PIPESTILL_STAGES_REBUILD_H
#define PIPESTILL_STAGES_REBUILD_H

#include "pipestill/compact.h"
#include "stages/loader/set.h"

/* Where in its recording a sample stood. */
struct origin {
    const char *path; /* borrowed */
    uint64_t seq, epoch;
    size_t row;
};

struct rebuilder {
    struct set set;
    enum pst_compact_inputs inputs;
    size_t x, y, id, digest; /* places: of the restored stream, digest of the compact one */
    size_t id_from;          /* of the compact stream, where ids were kept */
    size_t slots;
    struct order {
        size_t *order;  /* [selection.count]; owned; NULL: not made yet */
        uint64_t epoch; /* whose it is */
    } * orders;         /* [slots]: those used last; owned */
};

/*
 * Opens the data set of a compact recording as it was loaded then. {0} before; rebuilder_close also after a
 * failure.
 * asked: what the user says of files. compact, restored: both headers; compact must live as long as the
 * rebuilder, which borrows from its history. Returns PST_OK; PST_BAD_DATA where the data set has changed
 * since, or the recording does not say enough; what opening the set returns.
 */
PST_CHECKED enum pst_status rebuilder_open(struct rebuilder *rebuilder, const struct wishes *asked,
                                           enum pst_compact_inputs inputs, const struct pst_header *compact,
                                           const struct pst_header *restored, struct pst_error *error);

/*
 * Makes the inputs of a restored batch.
 * compact: the batch as it was recorded, or put together from recorded samples. origins: [n], theirs.
 * Returns PST_OK; PST_BAD_DATA where a digest does not fit, with the sample's id.
 */
PST_CHECKED enum pst_status rebuilder_fill(struct rebuilder *rebuilder, const struct pst_batch *compact,
                                           const struct origin *origins, struct pst_batch *restored,
                                           struct pst_error *error);

/*
 * The number, in the data set, of a sample that was recorded by reference.
 * Returns PST_OK; PST_BAD_DATA where the set has no such place; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status rebuilder_index(struct rebuilder *rebuilder, const struct origin *origin,
                                            size_t *index, struct pst_error *error);

void rebuilder_close(struct rebuilder *rebuilder);

#endif
