/*
 * recording.h: the inside of a recording, shared by the code that opens one and the code that reads from it.
 */
#ifndef PIPESTILL_LIB_RECORDING_H
#define PIPESTILL_LIB_RECORDING_H

#include "lib/stream/reader.h"
#include "pipestill/recording.h"

/* Batches that are alike and follow each other. A stream of batches of one size has a run or two an epoch. */
struct pst_run {
    uint64_t begin;  /* byte of the file where the first begins */
    uint64_t bytes;  /* of each */
    size_t first;    /* number of the first among all batches */
    uint64_t sample; /* number of its first sample among all samples */
    uint64_t seq;    /* of the first */
    uint64_t epoch;  /* of all */
    uint32_t n;      /* samples of each */
    uint32_t data;   /* from a batch's start to its first tensor's bytes; 0: not known yet */
};

/* A batch that was read whole. */
struct pst_kept {
    struct pst_batch batch;
    size_t index; /* of the batch, or PST_NONE */
};

struct pst_recording {
    struct pst_reader *reader;
    uint64_t size; /* bytes of the file */
    uint64_t header_bytes;
    size_t count; /* batches */
    size_t run_count, room;
    struct pst_run *runs;    /* [room]; owned */
    uint64_t *seen;          /* a bit a batch: it was read, and its checksums fit; owned */
    uint64_t *laid_out;      /* a bit a batch: it was read, and its rows are where its run says; owned */
    struct pst_trailer came; /* sums of all batches that were read */
    struct pst_trailer said; /* the same sums from the trailer; {0} in a salvage */
    uint64_t samples;
    uint64_t left_out;          /* damaged batches (salvage) */
    uint64_t trailer_begin;     /* salvage: where its trailer begins; 0: it has none */
    struct pst_trailer trailer; /* salvage: its sums */
    struct pst_batch whole;     /* of salvage */
    uint64_t budget;            /* bytes that kept batches may take */
    bool in_order;              /* samples are read in their order */
    size_t kept_count;          /* 0 until the first sample is read */
    struct pst_kept *kept;      /* [kept_count]; batch i is kept at i modulo kept_count, if at all; owned */
};

/* Bytes of the shortest head of a bin: MessagePack's bin 8, bin 16, bin 32. */
static inline uint64_t pst_bin_head(uint64_t bytes)
{
    return bytes <= UINT8_MAX ? 2 : bytes <= UINT16_MAX ? 3 : 5;
}

/*
 * Adds batches at the end.
 * run: begin, bytes, seq, epoch and n of the first of them; the rest is computed. count: how many, ≥ 1.
 * Returns PST_OK; PST_BAD_DATA if there are too many samples to count; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_recording_add(struct pst_recording *recording, const struct pst_run *run,
                                              uint64_t count, struct pst_error *error);

/* Adds, at the end, a batch that was skimmed. Returns as pst_recording_add. */
PST_CHECKED enum pst_status pst_recording_add_batch(struct pst_recording *recording,
                                                    const struct pst_skimmed *message,
                                                    struct pst_error *error);

/* The run that holds a batch or, if by_sample, a sample. There must be one. */
struct pst_run *pst_recording_run(const struct pst_recording *recording, uint64_t number, bool by_sample);

/* Batches of a run. */
size_t pst_recording_run_length(const struct pst_recording *recording, size_t run);

/* The byte of the file where a batch begins. */
uint64_t pst_recording_begin(const struct pst_recording *recording, size_t index);

/* The number that the batch after the last one has. */
uint64_t pst_recording_due(const struct pst_recording *recording);

/*
 * Reads all of the file behind its header and lists the batches that are whole; left_out and trailer_begin
 * tell what else there is.
 * Returns PST_OK; PST_BAD_DATA if two streams are in the file, or a whole batch exceeds the limit for
 * messages, which is not damage; PST_IO_ERROR; PST_TRY_AGAIN; PST_STOPPED.
 */
PST_CHECKED enum pst_status pst_recording_salvage(struct pst_recording *recording, struct pst_error *error);

#endif
