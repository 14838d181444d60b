/*
 * recording.h: a stream in a file, read in any order: batches by number, samples one by one. The index in
 * the trailer says where they are; if there is none, it is made from a scan of every message. A batch's
 * checksums are checked when any of its samples is read for the first time.
 *
 * The file is read, not mapped, so a file that shrinks or a disk that fails gives an error with a message,
 * and no signal. Memory hardly grows with the file: two bits a batch, and 64 bytes for each batch that
 * differs in bytes or samples from the one before, as most compressed ones do. In addition, batches of which
 * single samples are read are kept up to a limit. If all batches fit, each is read once. Otherwise, batches
 * that are not kept are read again: plain ones sample by sample, compressed ones whole.
 *
 * When every batch was read, their number and sums must be those of the trailer.
 */
#ifndef PIPESTILL_RECORDING_H
#define PIPESTILL_RECORDING_H

#include "pipestill/stream.h"

struct pst_recording;

/*
 * Opens a recording.
 * salvage: damaged batches are left out instead of being errors. All of the file is then read at once, and a
 * missing trailer is not an error. Two streams in one file still are, and so is a batch above max_message.
 * Returns PST_OK; PST_NO_INPUT; PST_BAD_DATA (a pipe, not a stream, truncated, an index that does not fit,
 * two streams in one file; the message names file and byte); PST_IO_ERROR; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_recording_open(struct pst_recording **recording, const char *path,
                                               size_t max_message, bool salvage, struct pst_error *error);

/* The recorded header. Valid as long as the recording. */
const struct pst_header *pst_recording_header(const struct pst_recording *recording);

/* Whole batches; and those that were left out, as far as they could be counted (salvage). */
size_t pst_recording_batches(const struct pst_recording *recording);
uint64_t pst_recording_left_out(const struct pst_recording *recording);

/* Samples of all batches. */
uint64_t pst_recording_samples(const struct pst_recording *recording);

/* What is known of a batch without reading it. */
struct pst_recorded {
    uint64_t seq, epoch;
    uint64_t first; /* number of its first sample among all samples of the recording, from 0 */
    size_t n;
};

/* index: 0 … pst_recording_batches - 1. */
struct pst_recorded pst_recording_batch_at(const struct pst_recording *recording, size_t index);

/* The batch that holds a sample. sample: 0 … pst_recording_samples - 1. */
size_t pst_recording_find(const struct pst_recording *recording, uint64_t sample);

/*
 * Reads a whole batch as it was recorded, with all checks of a reader.
 * batch: reused, or {0}. Returns PST_OK; PST_BAD_DATA; PST_IO_ERROR; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_recording_read(struct pst_recording *recording, size_t index,
                                               struct pst_batch *batch, struct pst_error *error);

/*
 * Reads samples that follow each other in one batch.
 * sample, count: the first and how many; all within one recorded batch.
 * batch, at: receives them as its samples from number `at` on; it must follow the recording's header and
 * have room. Returns as pst_recording_read.
 */
PST_CHECKED enum pst_status pst_recording_copy(struct pst_recording *recording, uint64_t sample, size_t count,
                                               struct pst_batch *batch, size_t at, struct pst_error *error);

/*
 * Reads one tensor of samples that follow each other in one batch, as pst_recording_copy reads all tensors.
 * tensor: its place in the recording's header. rows: receives [count, shape of a sample].
 * Returns as pst_recording_read.
 */
PST_CHECKED enum pst_status pst_recording_copy_tensor(struct pst_recording *recording, size_t tensor,
                                                      uint64_t sample, size_t count, void *rows,
                                                      struct pst_error *error);

/* The default limit of kept batches, in bytes. */
#define PST_RECORDING_MEMORY ((uint64_t)64 << 20)

/* Bytes of memory that all batches take. */
uint64_t pst_recording_memory(const struct pst_recording *recording);

/*
 * Sets how much memory kept batches may take; call it before pst_recording_copy.
 * in_order: samples will be read in their order, so only one batch is kept, and each is read whole.
 */
void pst_recording_keep(struct pst_recording *recording, uint64_t bytes, bool in_order);

/* Closes a recording; NULL is allowed. */
void pst_recording_close(struct pst_recording *recording);

/* What pst_recording_repair found and did. */
struct pst_repair {
    struct pst_trailer trailer; /* of the recording as it is now */
    uint64_t next;              /* seq of the batch that would come next */
    uint64_t cut;               /* bytes of a broken batch or trailer that were removed */
    bool was_whole;             /* nothing was wrong and nothing was changed */
    bool unlocked;              /* nothing kept a writer away: see pst_lock_for_writer */
    char path[4096];            /* the recording's name now */
};

/*
 * Writes a trailer, in place, behind the last whole batch of a recording that was cut short. NAME.part
 * becomes NAME.
 * Returns PST_OK; PST_BAD_DATA with the recording untouched if not even the header is whole, or if whole
 * batches follow damaged ones; PST_TRY_AGAIN if a process still writes it; PST_NO_INPUT; PST_IO_ERROR.
 */
PST_CHECKED enum pst_status pst_recording_repair(const char *path, size_t max_message,
                                                 struct pst_repair *repair, struct pst_error *error);

#endif
