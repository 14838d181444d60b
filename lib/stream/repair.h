/* repair.h: a recording under repair, shared by what gives it its end and what appends others to it. */
#ifndef PIPESTILL_LIB_REPAIR_H
#define PIPESTILL_LIB_REPAIR_H

#include "lib/stream/recording.h"

struct pst_repairing {
    const char *path;
    int fd;       /* of the recording, locked */
    uint64_t end; /* of its last whole batch */
    size_t max_message;
    struct pst_recording *recording;
    struct pst_index index;
    struct pst_repair *result;
};

/*
 * Opens a recording that may be cut short, of which every batch up to the first fault must be all there is.
 * end: receives where its whole batches end.
 * Returns PST_OK; PST_BAD_DATA where whole batches or a trailer stand behind a fault; and what
 * pst_recording_open returns. The recording is to be closed in any case where it is not NULL.
 */
PST_CHECKED enum pst_status pst_repair_open(struct pst_recording **recording, const char *path,
                                            size_t max_message, uint64_t *end, struct pst_error *error);

/* Counts a recording's batches from number `from` on as ones of the repaired one; its sums are theirs. */
void pst_repair_count(struct pst_repairing *repair, const struct pst_recording *recording, size_t from);

/*
 * Opens what is to be appended next, and checks that it continues the recording; no other process may be
 * writing it. end: receives where its whole batches end. skip: receives how many of its first batches the
 * recording has. Returns as pst_repair_open; PST_BAD_DATA where it does not go on; PST_TRY_AGAIN where it is
 * being written.
 */
PST_CHECKED enum pst_status pst_repair_open_more(const struct pst_repairing *repair,
                                                 struct pst_recording **more, const char *path, uint64_t *end,
                                                 size_t *skip, struct pst_error *error);

/* Appends the batches that the recording has not got yet. Returns as pst_repair_open_more; PST_IO_ERROR. */
PST_CHECKED enum pst_status pst_repair_append(struct pst_repairing *repair, const char *path,
                                              struct pst_error *error);

#endif
