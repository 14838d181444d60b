/* loader.h: a data set, whose samples loader chooses, orders and moves about. */
#ifndef PIPESTILL_STAGES_LOADER_H
#define PIPESTILL_STAGES_LOADER_H

#include "pipestill.h"

#define MOST_CLASSES 256      /* labels in IDX files are bytes */
#define MOST_DIGITS 100000000 /* their labels and order are held, 20 bytes each */
#define USUAL_BATCH 128

enum split { SPLIT_TRAIN, SPLIT_VALIDATION, SPLIT_TEST };

/* What the command line says. */
struct wishes {
    int split;
    const char *images, *labels, *only, *omit, *run;
    size_t classes, samples, hold_out, limit, batch, shift;
    uint64_t data_seed, hold_out_seed, seed, epochs, start;
    double fraction;
    bool shuffle, no_shuffle;
    struct pst_elastic elastic;
};

struct source; /* a data set, epoch after epoch */

/* The stage. */
struct loader {
    struct wishes asked;
    struct source *source; /* owned */
};

/* Makes a source; NULL if memory is short. */
struct source *source_new(struct pst_error *error);

/* Functions as a stage has them. name: of the set, or NULL. */
PST_CHECKED enum pst_status source_start(struct pst_run *run, const char *name, struct pst_error *error);
PST_CHECKED enum pst_status source_header(struct pst_run *run, struct pst_header *header,
                                          struct pst_error *error);
PST_CHECKED enum pst_status source_next(struct pst_run *run, const struct pst_batch *in,
                                        struct pst_batch *batch, struct pst_error *error);

/* NULL is allowed. */
void source_free(struct source *source);

#endif
