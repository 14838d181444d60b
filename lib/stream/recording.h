/* recording.h: the inside of a recording, shared by what opens one and what reads from one. */
#ifndef PIPESTILL_LIB_RECORDING_H
#define PIPESTILL_LIB_RECORDING_H

#include "lib/stream/index.h"
#include "lib/stream/reader.h"

#define PST_PLACE_WHOLE UINT32_MAX /* this batch can only be read whole */

/* Where a batch is. */
struct pst_place {
    uint64_t begin; /* byte of the file */
    uint64_t first; /* number of its first sample */
    uint64_t seq, epoch;
    uint32_t n;
    uint32_t data; /* from begin to the first tensor's bytes; 0: not checked yet; or PST_PLACE_WHOLE */
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
    size_t count, room;
    struct pst_place *places; /* [room]; owned */
    uint64_t samples;
    uint64_t left_out;      /* damaged batches */
    struct pst_batch whole; /* of salvage */
    size_t kept_count;      /* 0 until the first sample is asked for */
    struct pst_kept *kept;  /* [kept_count]; batch i is kept at i modulo kept_count, if at all; owned */
};

/* Bytes of the shortest head of a bin: MessagePack's bin 8, bin 16, bin 32. */
static inline uint64_t pst_bin_head(uint64_t bytes)
{
    return bytes <= UINT8_MAX ? 2 : bytes <= UINT16_MAX ? 3 : 5;
}

/* Adds a place at the end; its `first` is computed. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_recording_add(struct pst_recording *recording, const struct pst_place *place,
                                              struct pst_error *error);

#endif
