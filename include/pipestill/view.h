/*
 * view.h: what a program sees of a data set: which samples, in which order, changed by which augmentations.
 * These are a table, one file a type (lib/data/augmentations).
 */
#ifndef PIPESTILL_VIEW_H
#define PIPESTILL_VIEW_H

#include "pipestill/data.h"

/* ---- selection and order ----------------------------------------------------------------------------- */

enum pst_split { PST_SPLIT_TRAIN, PST_SPLIT_VALIDATION, PST_SPLIT_TEST };

/* Which samples are taken. {0} takes all. */
struct pst_selection_rules {
    int split;                /* of enum pst_split; of a test part nothing is held out */
    size_t hold_out;          /* samples that are validation, stratified, by hold_out_seed */
    size_t hold_out_speakers; /* or all sequences of this many speakers, by hold_out_seed */
    uint64_t hold_out_seed;
    size_t utterances;       /* at most so many sequences, by seed; 0: all */
    const char *only, *omit; /* lists of classes, "7,8" or "0-4,9", to take or to leave out; NULL: all are
                                taken */
    double fraction; /* (0, 1]: this share of each class, by seed; 0 or 1: all. At least one of each class */
    size_t limit;    /* at most so many, shared out among the classes in proportion, by seed; 0: all */
    uint64_t seed;
};

/* The labels by which samples are chosen. */
struct pst_labels {
    const char *name; /* of the set, for messages */
    uint64_t samples;
    size_t classes; /* ≥ 1 */
    /* The class of a sample, 0 … classes - 1; NULL if there are no labels: then all are of one class. */
    size_t (*class_of)(const void *labels, uint64_t sample);
    const void *labels; /* handed to class_of and is_out; borrowed */
    /* Whether a sample is left out before anything else; NULL: none is. */
    bool (*is_out)(const void *labels, uint64_t sample);
};

/* The samples taken out of a set: 9/64 bytes for each sample of the set. */
struct pst_chosen {
    uint64_t samples; /* of the set */
    uint64_t count;   /* taken */
    uint64_t *words;  /* a bit for each sample; owned */
    uint64_t *before; /* how many are taken before each 512 samples; owned */
};

/*
 * Chooses samples: first the split, then the classes, then fraction, then limit.
 * Returns PST_OK; PST_USAGE if the rules leave nothing, hold out everything, name a class that does not
 * exist, or need labels that do not exist; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_choose(const struct pst_labels *labels,
                                       const struct pst_selection_rules *rules, struct pst_chosen *chosen,
                                       struct pst_error *error);

/* The sample taken that has `number` others before it. number: 0 … count - 1. Takes logarithmic time. */
uint64_t pst_chosen_at(const struct pst_chosen *chosen, uint64_t number);

/* The first sample taken from `from` on; `samples` if there is none. */
uint64_t pst_chosen_next(const struct pst_chosen *chosen, uint64_t from);

/* To make one: pst_chosen_all takes all samples, pst_chosen_drop drops one, and pst_chosen_count, called
 * last, counts them for pst_chosen_at. */
PST_CHECKED enum pst_status pst_chosen_all(struct pst_chosen *chosen, uint64_t samples,
                                           struct pst_error *error);
void pst_chosen_drop(struct pst_chosen *chosen, uint64_t sample);
void pst_chosen_count(struct pst_chosen *chosen);

/*
 * Takes those of some classes out of what was chosen. mask: [labels->classes]. is: the value in it that
 * selects a class. part: receives them. Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_chosen_part(const struct pst_chosen *chosen, const struct pst_labels *labels,
                                            const bool *mask, bool is, struct pst_chosen *part,
                                            struct pst_error *error);

/* Frees what it holds and makes it {0}. */
void pst_chosen_free(struct pst_chosen *chosen);

/* The samples taken, as a list, for sets that are shuffled as a list. */
struct pst_selection {
    size_t count;
    size_t *indices; /* [count], ascending; owned */
};

/* Selects samples of a data set, as pst_choose. */
PST_CHECKED enum pst_status pst_select(const struct pst_dataset *dataset,
                                       const struct pst_selection_rules *rules,
                                       struct pst_selection *selection, struct pst_error *error);

/*
 * Marks the classes of a list such as "7,8" or "0-4,9".
 * mask: [classes]; receives `value` for the classes listed and keeps the others.
 * Returns PST_OK; PST_USAGE if the text is not such a list, or names a class that does not exist.
 */
PST_CHECKED enum pst_status pst_mark_classes(const char *list, size_t classes, bool value, bool *mask,
                                             struct pst_error *error);

/* Frees what a selection holds and makes it {0}. */
void pst_selection_free(struct pst_selection *selection);

/*
 * The order of an epoch: a permutation of the selection that depends on seed and epoch only.
 * order: receives [count] indices.
 */
void pst_shuffle(const struct pst_selection *selection, uint64_t seed, uint64_t epoch, size_t *order);

/*
 * A permutation of 0 … count - 1 that is computed, not stored: for sets that are too large for a list.
 */
struct pst_permutation {
    uint64_t count;
    uint64_t rows, columns; /* rows · columns ≥ count */
    uint32_t key[2], epoch;
};

/* The permutation for a seed and an epoch. count: ≥ 1, < 2^62. */
void pst_permutation_start(struct pst_permutation *permutation, uint64_t count, uint64_t seed,
                           uint64_t epoch);

/*
 * Where the permutation sends a number: a Feistel network over rows and columns, repeated until the result
 * is below count (Black, Rogaway 2002, "Ciphers with arbitrary finite domains", generalised Feistel and
 * cycle walking). number: 0 … count - 1.
 */
uint64_t pst_permute(const struct pst_permutation *permutation, uint64_t number);

/*
 * Special classes: a share of every batch is of these, and the others are of the rest (Hinton et al. 2015,
 * section 5.2). {0}: there are none. Which sample comes at a position is a function of (seed, epoch,
 * position): an epoch has each special sample once, in a new order, and as many of the rest as belong to it;
 * the rest is gone through from epoch to epoch, in a new order each time.
 */
struct pst_special {
    uint64_t samples, rest; /* special ones, and others; both ≥ 1 */
    uint64_t count;         /* samples of an epoch */
    double share;           /* of special ones, above 0 and below 1 */
    uint64_t seed;
};

/* Returns PST_OK; PST_USAGE if one of the parts is empty. */
PST_CHECKED enum pst_status pst_special_start(struct pst_special *special, uint64_t samples, uint64_t rest,
                                              double share, uint64_t seed, struct pst_error *error);

/*
 * What comes at a position of an epoch, 0 … count - 1. is_special: receives the part. Returns the sample's
 * number in it, 0 … samples - 1 or 0 … rest - 1.
 */
uint64_t pst_special_at(const struct pst_special *special, uint64_t epoch, uint64_t position,
                        bool *is_special);

/* How many times more often a class comes than in the set; below 1: more rarely. */
double pst_special_factor(const struct pst_special *special, bool is_special);

/* ---- augmentations ----------------------------------------------------------------------------------- */

/* What an augmentation sees of a sample, which need not be an image. */
struct pst_planes {
    size_t rank;                    /* of the sample: 2 for one plane, 3 for channels, height, width */
    size_t channels, height, width; /* of an image; 0 for other samples */
    bool numbers;                   /* elements are f32 numbers; otherwise bytes */
    bool sound;                     /* the sample is made of sound: of frames, if it has two dimensions */
    float background;               /* the number that comes in from outside an image; with bytes it is 0 */
};

/* Sound: one channel. */
struct pst_wave {
    struct pst_buffer samples; /* float [count], in the range of 16-bit samples; owned */
    size_t count;
};

/* What random changes depend on. */
struct pst_draw {
    uint64_t seed, epoch, id;
};

/*
 * An augmentation: one file in lib/data/augmentations and one row in the table there, whose order is that in
 * which they are applied. All channels of an image are moved in the same way; colours may be changed
 * together.
 *
 * is_on: whether the settings turn it on.
 * refuse: why it cannot be applied to such samples, or with such settings, as a clause; NULL: it can.
 * apply: changes a sample. from, to: the elements; they do not overlap. NULL: it changes sound.
 * change_sound: changes the sound of an utterance before samples are made of it; draw->id is the id of its
 *   first sample. Returns PST_OK or PST_TRY_AGAIN.
 */
struct pst_augmentation {
    const char *name;
    const char *help;
    struct pst_settings settings;
    const void *example; /* settings that tests try, which change nearly every image */
    bool (*is_on)(const void *settings);
    const char *(*refuse)(const void *settings, const struct pst_planes *planes);
    void (*apply)(const void *settings, const struct pst_planes *planes, const void *from, void *to,
                  const struct pst_draw *draw);
    enum pst_status (*change_sound)(const void *settings, struct pst_wave *wave, const struct pst_draw *draw,
                                    struct pst_error *error);
};

#define PST_MAX_AUGMENTATIONS 16

/* The table; ended by NULL. */
extern const struct pst_augmentation *const pst_augmentations[];

/* What augmentations see of the samples of a set. */
struct pst_planes pst_dataset_planes(const struct pst_dataset *dataset);

/* ---- views ------------------------------------------------------------------------------------------- */

/* Which samples of a set are taken, and in which order. */
struct pst_view_settings {
    struct pst_selection_rules rules;
    bool shuffle, no_shuffle; /* a training split is shuffled if neither is set */
    const char *splice;       /* "20,5": so many neighbours before and behind each sample; NULL: none */
    const char *special; /* a list of classes as `only`, which make up a share of every batch; NULL: none */
    double special_share;
    double mixup, cutmix; /* alpha of the shares when each sample is mixed with another one; 0: none is */
};

#define PST_MAX_SPLICE 1000

/* Parses "BEFORE,AFTER", two numbers up to PST_MAX_SPLICE. Returns whether the text is valid. */
PST_CHECKED bool pst_parse_splice(const char *text, size_t *before, size_t *after);

/* The options of a view. */
extern const struct pst_settings pst_view_options;

/*
 * What a program sees of a set. Each sample is a function of (seed, epoch, id), never of what was read
 * before; a mixed one also of the selection, because the other sample is from there.
 */
struct pst_view {
    const struct pst_dataset *dataset;
    uint64_t seed;
    bool shuffled;
    struct pst_selection selection;
    struct pst_special special;    /* {0}: no classes are special */
    struct pst_selection parts[2]; /* of the selection: the rest, and special samples */
    size_t count;                  /* samples of an epoch */
    size_t *order;                 /* [count], of the epoch; owned */
    uint64_t epoch;
    size_t label_bytes; /* of a label from pst_view_get */
    bool mixed;         /* each sample with another one */
    double mixup, cutmix;
    size_t *plan; /* [2, selection.count], the samples to read if they are mixed; owned */
    bool spliced; /* samples come with their neighbours */
    size_t before, after;
    size_t rank; /* of x */
    size_t shape[PST_MAX_SAMPLE_RANK];
    size_t steps;   /* augmentations of samples that are on */
    size_t changes; /* augmentations of sound that are on */
    struct pst_planes planes;
    const void *settings[PST_MAX_AUGMENTATIONS]; /* of the augmentations that are on; NULL: it is off */
    unsigned char *scratch[4]; /* a sample as the set has it, two for steps between, one to mix with; owned */
    unsigned char *ahead;      /* samples of pst_view_lend as they were read, and those to mix with; owned */
};

/*
 * Opens a view, in epoch 0.
 * dataset: must stay open as long as the view. augmentations: the settings of each, in the order of the
 * table; borrowed as long. NULL: nothing is changed.
 * Returns PST_OK; PST_USAGE if the settings contradict each other or the set; PST_TRY_AGAIN. On failure
 * nothing is owned.
 */
PST_CHECKED enum pst_status pst_view_open(struct pst_view *view, const struct pst_dataset *dataset,
                                          const struct pst_view_settings *settings,
                                          const void *const *augmentations, struct pst_error *error);

/*
 * Goes to an epoch, whose samples will then be read from a position on, 0 … count.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_view_begin(struct pst_view *view, uint64_t epoch, size_t position,
                                           struct pst_error *error);

/*
 * The sample at a position of the epoch, 0 … count - 1.
 * x: receives its elements: bytes, or f32 numbers for sets of all other elements. y: receives its label; NULL
 * if it has none. Of samples that are mixed a label is float [classes], the share of each, or the numbers
 * mixed. id: receives its id.
 * Returns PST_OK or what pst_dataset_read returns.
 */
PST_CHECKED enum pst_status pst_view_get(struct pst_view *view, size_t position, void *x, void *y,
                                         uint64_t *id, struct pst_error *error);

/* How much the sample at a position counts; for a mixed one, the mean of both, by their shares. The set must
 * have weights. */
float pst_view_weight(const struct pst_view *view, size_t position);

/*
 * Makes a view for another thread, which gets samples from pst_view_lend.
 * view: a copy, byte by byte, of one that is open and stays so; gets memory of its own for so many samples.
 * Returns PST_OK or PST_TRY_AGAIN; pst_view_leave frees it in both cases.
 */
PST_CHECKED enum pst_status pst_view_join(struct pst_view *view, size_t samples, struct pst_error *error);

/*
 * Reads samples of an epoch in their order, and hands them to such a view, which has them at its positions
 * 0 … count - 1; pst_view_get then changes and mixes them as `view` would. position: of the first.
 * Returns PST_OK or what pst_dataset_read returns.
 */
PST_CHECKED enum pst_status pst_view_lend(const struct pst_view *view, size_t position, size_t count,
                                          struct pst_view *to, struct pst_error *error);

/* Frees what pst_view_join made. */
void pst_view_leave(struct pst_view *view);

/* Elements of x. */
size_t pst_view_elements(const struct pst_view *view);

/* Frees what a view holds and makes it {0}. */
void pst_view_close(struct pst_view *view);

#endif
