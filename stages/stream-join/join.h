/* join.h: what the parts of stream-join share: a recording in memory, found by sample. */
#ifndef STREAM_JOIN_H
#define STREAM_JOIN_H

#include "pipestill.h"

/* One tensor that is taken from the recording. */
struct taken {
    size_t from, to;        /* its places in the restored recording and in the output */
    size_t bytes;           /* of a sample */
    struct pst_buffer rows; /* [count, bytes] */
};

/* The recording. For each sample it keeps epoch, id, digest, the rows taken, and its place in the table. */
struct recording {
    const char *path;
    struct pst_reader *reader;
    struct pst_header recorded;    /* as recorded */
    struct pst_restorer *restorer; /* of a compact recording; else NULL */
    struct pst_buffer scratch;     /* of the restorer */
    struct pst_header header;      /* of the tensors to take from: as recorded, or restored */
    size_t x, y, id;     /* places in `header`; PST_NONE if there is no such tensor, or x was left out */
    size_t digest;       /* place in `recorded`, or PST_NONE */
    bool covers_labels;  /* the digests are over y, too */
    bool several_epochs; /* samples are found by (epoch, id), not by id alone */
    struct taken *taken;
    size_t taken_count;
    size_t count, room; /* samples, and samples that fit into memory */
    struct pst_buffer epochs, ids, digests;
    struct pst_buffer table; /* open addressing: number + 1, or 0 */
    size_t mask;             /* slots - 1 */
};

/* The stage. */
struct join {
    const char **asked; /* [asked_count]: --take NAME, in the order they came */
    size_t asked_count;
    size_t x, y, id; /* places in the input; y may be PST_NONE */
    struct recording recording;
};

/*
 * Opens the recording and finds the tensors that every recording needs; targets in a compact form are
 * restored while it is read. Returns PST_OK; PST_BAD_DATA if it has no ids, or neither inputs nor digests of
 * them; what pst_open_stream returns.
 */
PST_CHECKED enum pst_status recording_open(const struct pst_run *run, struct recording *recording,
                                           const char *path, struct pst_error *error);

/*
 * Reads all of it into memory, after the tensors to take are known.
 * Returns PST_OK; PST_BAD_DATA if it is damaged, empty, or has a sample twice; PST_TRY_AGAIN; what
 * pst_reader_next returns.
 */
PST_CHECKED enum pst_status recording_read(struct recording *recording, struct pst_error *error);

/* The number of a sample in the recording, or PST_NONE. epoch: used only if there are several. */
size_t recording_find(const struct recording *recording, uint64_t epoch, uint64_t id);

/* Whether a sample's digest is the recorded one, in the bits that were recorded. */
bool recording_agrees(const struct recording *recording, size_t number, uint32_t digest);

void recording_free(struct recording *recording);

#endif
