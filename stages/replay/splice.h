/* splice.h: recorded frames with the frames before and after them. */
#ifndef PIPESTILL_STAGES_SPLICE_H
#define PIPESTILL_STAGES_SPLICE_H

#include "stages/replay/shards.h"

/* The value of --splice: how many frames before and after each one. */
struct splice_span {
    size_t before, after;
};

struct splice_frame; /* a frame of the set: its id, and which sample it is */

/* How samples are spliced. {0} is empty. */
struct splice {
    struct splice_span span;
    size_t recorded_x, x;        /* places of x in the recordings, and in the output */
    size_t bytes;                /* of one frame */
    uint64_t samples;            /* of the set */
    struct splice_frame *frames; /* [samples], by epoch and id; owned */
    uint64_t *place;             /* [samples]: where each sample's frame is among them; owned */
    struct pst_header header;    /* of the output; owned */
};

/* Parses the option's value, as 20,5. Returns PST_OK or PST_USAGE. */
PST_CHECKED enum pst_status splice_parse(const char *text, struct splice_span *span, struct pst_error *error);

/*
 * Reads the ids of all samples, and makes the header of the output. Memory is 24 bytes a sample. plain: the
 * header of the samples before splicing. splice must be freed, also on failure. Returns PST_OK; PST_BAD_DATA
 * if x is not a frame, if there is no id, or if an utterance lacks a frame or has one twice in an epoch;
 * what reading returns.
 */
PST_CHECKED enum pst_status splice_open(struct splice *splice, const struct splice_span *span,
                                        const struct shards *shards, const struct pst_header *plain,
                                        struct pst_error *error);

/*
 * Reads a sample's frame and those around it; beyond the utterance's ends, its first or last frame repeats.
 * sample: of the set. x: receives [before + 1 + after, numbers of a frame]. Returns what reading returns.
 */
PST_CHECKED enum pst_status splice_sample(const struct splice *splice, const struct shards *shards,
                                          uint64_t sample, void *x, struct pst_error *error);

/* Frees what it holds and makes it {0}. */
void splice_free(struct splice *splice);

#endif
