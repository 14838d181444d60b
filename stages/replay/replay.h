/* replay.h: the two ways to replay: recordings as a set of samples, and one that is still being written. */
#ifndef PIPESTILL_STAGES_REPLAY_H
#define PIPESTILL_STAGES_REPLAY_H

#include "pipestill.h"

#define MOST_CLASSES 65536 /* labels are held in 16 bits */

/* The options. */
struct selection_options {
    const char *only, *omit, *sample, *special, *splice, *run;
    size_t limit, batch, memory;
    uint64_t seed, epochs, start;
    double fraction, special_share;
    bool shuffle, follow, skip_bad;
};

/* A way to replay, with the functions of a stage. */
struct way {
    size_t size; /* bytes of its own struct, which is {0} at first */
    enum pst_status (*start)(struct pst_run *run, size_t count, char **paths, struct pst_error *error);
    enum pst_status (*on_header)(struct pst_run *run, struct pst_header *header, struct pst_error *error);
    enum pst_status (*next)(struct pst_run *run, struct pst_batch *batch, struct pst_error *error);
    void (*stop)(struct pst_run *run);
};

extern const struct way recorded_way; /* recordings that are whole */
extern const struct way followed_way; /* one that is still being written */

/* The stage. */
struct replay {
    struct selection_options options;
    const struct way *way;
    void *source; /* the way's own struct; owned */
};

/* Whether the options choose only some samples. */
static inline bool selects_samples(const struct selection_options *options)
{
    return options->only != NULL || options->omit != NULL || options->fraction < 1 || options->limit > 0 ||
           options->sample != NULL || options->special != NULL;
}

#endif
