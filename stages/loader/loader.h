/*
 * loader.h: the two kinds of source that loader is: a data set, whose samples it chooses, orders and moves
 * about, and recordings, which it replays.
 */
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
    bool shuffle, no_shuffle, follow, skip_bad;
    struct pst_elastic elastic;
};

/* What is meant if nothing is said. */
#define USUAL_WISHES                                              \
    {                                                             \
        .epochs = 1, .fraction = 1, .elastic = {.smoothness = 4 } \
    }

/* A source of batches, with functions as a stage has them. */
struct kind {
    size_t size; /* bytes of its own struct, which is {0} at first */
    enum pst_status (*start)(struct pst_run *run, size_t count, char **operands, struct pst_error *error);
    enum pst_status (*on_header)(struct pst_run *run, struct pst_header *header, struct pst_error *error);
    enum pst_status (*next)(struct pst_run *run, struct pst_batch *batch, struct pst_error *error);
    void (*stop)(struct pst_run *run);
};

extern const struct kind set_kind;    /* mnist, digits, --images */
extern const struct kind replay_kind; /* recorded streams */
extern const struct kind follow_kind; /* a recording that is still being written */

/* The stage. */
struct loader {
    struct wishes asked;
    const struct kind *kind;
    void *source; /* the kind's own struct; owned */
};

extern const struct pst_option loader_options[];

/*
 * Settles by which rules the wishes choose samples of a set: classes, fraction, limit, and the split.
 * has_labels, classes: of the set. mask: receives the classes that are taken; the rules borrow it.
 * Returns PST_OK; PST_USAGE where wishes contradict each other or the set.
 */
PST_CHECKED enum pst_status settle_rules(const struct wishes *wishes, bool has_labels, size_t classes,
                                         bool mask[static MOST_CLASSES], struct pst_selection_rules *rules,
                                         struct pst_error *error);

/*
 * Whether what is asked can be had of recordings.
 * Returns PST_OK; PST_USAGE where options contradict each other, or one is for data sets.
 */
PST_CHECKED enum pst_status check_replay_wishes(const struct pst_run *run, struct pst_error *error);

/* Refuses --images and --labels where the recording at that path has its inputs. Returns PST_OK or PST_USAGE.
 */
PST_CHECKED enum pst_status refuse_files(const struct pst_run *run, const char *path,
                                         struct pst_error *error);

/* Whether the wishes name some samples and not all. */
bool is_choosy(const struct wishes *wishes);

#endif
