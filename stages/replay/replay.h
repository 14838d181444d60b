/* replay.h: the two ways to replay: recordings as a set of samples, and one that is still being written. */
#ifndef PIPESTILL_STAGES_REPLAY_H
#define PIPESTILL_STAGES_REPLAY_H

#include "pipestill.h"

/* What the command line says. */
struct wishes {
    const char *only, *omit, *sample, *run;
    size_t limit, batch, memory;
    uint64_t seed, epochs, start;
    double fraction;
    bool shuffle, follow, skip_bad;
};

/* A way to replay, with functions as a stage has them. */
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
    struct wishes asked;
    const struct way *way;
    void *source; /* the way's own struct; owned */
};

/* Whether the wishes name some samples and not all. */
static inline bool is_choosy(const struct wishes *wishes)
{
    return wishes->only != NULL || wishes->omit != NULL || wishes->fraction < 1 || wishes->limit > 0 ||
           wishes->sample != NULL;
}

#endif
