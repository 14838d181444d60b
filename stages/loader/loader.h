/*
 * loader.h: the two kinds of source that loader is: a data set, whose samples it chooses, orders and moves
 * about, and recordings, which it replays.
 */
#ifndef PIPESTILL_STAGES_LOADER_H
#define PIPESTILL_STAGES_LOADER_H

#include "pipestill.h"
#include "pipestill/data.h"

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

/* What is meant where nothing is said. */
#define USUAL_WISHES                                              \
    {                                                             \
        .epochs = 1, .fraction = 1, .elastic = {.smoothness = 4 } \
    }

extern struct wishes asked;
extern const struct pst_option loader_options[];

/* A source of batches: what loader's main hands on to the frame. */
struct kind {
    enum pst_status (*start)(size_t count, char **operands, struct pst_error *error);
    enum pst_status (*on_header)(struct pst_header *header, struct pst_error *error);
    enum pst_status (*next)(struct pst_batch *batch, const struct pst_header *header,
                            struct pst_error *error);
    bool (*verbatim)(void);
    void (*stop)(void);
};

extern const struct kind set_kind;    /* mnist, digits, --images */
extern const struct kind replay_kind; /* recorded streams */
extern const struct kind follow_kind; /* a recording that somebody is still writing */

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
PST_CHECKED enum pst_status check_replay_wishes(struct pst_error *error);

/* Refuses --images and --labels where the recording at that path has its inputs. Returns PST_OK or PST_USAGE.
 */
PST_CHECKED enum pst_status refuse_files(const char *path, struct pst_error *error);

/* Whether the wishes name some samples and not all. */
bool is_choosy(const struct wishes *wishes);

#endif
