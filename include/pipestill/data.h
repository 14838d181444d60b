/*
 * data.h: where samples come from: IDX files, the named sets (MNIST, the synthetic digits), which of them are
 * taken, in which order, and how they are moved about. Knows nothing of streams or networks.
 */
#ifndef PIPESTILL_DATA_H
#define PIPESTILL_DATA_H

#include "pipestill/base.h"

#define PST_MAX_IMAGE_RANK 7

/* ---- data sets --------------------------------------------------------------------------------------- */

/*
 * A set of labelled samples of u8 elements. A sample's id is its place in the set, the same in every run; the
 * held-out and the test part of a set have ids of their own or files of their own.
 */
struct pst_dataset {
    char name[64];
    size_t samples;
    size_t classes;
    size_t rank; /* of one sample: 2 for an image */
    size_t shape[PST_MAX_IMAGE_RANK];
    size_t sample_bytes;          /* product of the shape */
    char digest[PST_DIGEST_TEXT]; /* SHA-256 of the files, or of what the synthetic set is made from */
    uint64_t first_id;            /* id of sample 0; the others follow */
    const int32_t *labels;        /* [samples], 0 … classes - 1; NULL where there are none; owned */
    /* Writes sample number index (0 … samples - 1) to elements [sample_bytes]. Cannot fail. */
    void (*get)(const struct pst_dataset *dataset, size_t index, uint8_t *elements);
    void *state; /* the set's own; owned */
    void (*free_state)(void *state);
};

/*
 * Opens a pair of IDX files, plain or gzip.
 * labels_path: NULL where there are no labels.
 * classes: how many there are; 0: the largest label plus one.
 * Returns PST_OK; PST_NO_INPUT; PST_BAD_DATA (magic, type, counts that disagree, a file too short or too
 * long, a label outside the classes; the message names file and offset); PST_IO_ERROR; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_dataset_open_idx(struct pst_dataset *dataset, const char *images_path,
                                                 const char *labels_path, size_t classes,
                                                 struct pst_error *error);

/*
 * Opens MNIST from $MNIST_DIR, or from one of the usual places (named by the error when there is none).
 * test: the 10,000 test images instead of the 60,000 training images.
 * Returns as pst_dataset_open_idx; PST_NO_INPUT where it is nowhere.
 */
PST_CHECKED enum pst_status pst_dataset_open_mnist(struct pst_dataset *dataset, bool test,
                                                   struct pst_error *error);

/*
 * Opens the synthetic digits: endless, every image a function of (seed, id).
 * samples: how many this set has; ≥ 1.
 * test: ids from another range, so no image of the test set is in any training set of the same seed.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_dataset_open_digits(struct pst_dataset *dataset, uint64_t seed,
                                                    size_t samples, bool test, struct pst_error *error);

/*
 * Draws one synthetic digit: strokes with random affine and elastic deformation, thickness, blur and noise.
 * image: receives [28, 28], 0 is background.
 * Returns its class, 0 … 9.
 */
int pst_digit_draw(uint64_t seed, uint64_t id, uint8_t *image);

/* Frees what a data set holds and makes it {0}. */
void pst_dataset_free(struct pst_dataset *dataset);

/* ---- selection and order ----------------------------------------------------------------------------- */

enum pst_split { PST_SPLIT_TRAIN, PST_SPLIT_VALIDATION };

/* Which samples are taken. {0} with class_mask NULL and fraction 0 takes all. */
struct pst_selection_rules {
    enum pst_split split;
    size_t hold_out; /* samples that are validation, stratified, by hold_out_seed */
    uint64_t hold_out_seed;
    const bool *class_mask; /* [classes]: true where a class is taken; NULL: all; borrowed */
    double fraction; /* (0, 1]: this share of each class, by seed; 0: all. At least one of each class */
    size_t limit;    /* at most so many, shared out among the classes in proportion, by seed; 0: all */
    uint64_t seed;
};

/* What samples are chosen by. */
struct pst_labels {
    const char *name; /* of the set, for messages */
    uint64_t samples;
    size_t classes; /* ≥ 1 */
    /* The class of a sample, 0 … classes - 1; NULL where there are no labels: then all are of one class. */
    size_t (*class_of)(const void *labels, uint64_t sample);
    const void *labels; /* handed to class_of; borrowed */
};

/* The samples taken out of a set: 9/64 bytes for each sample of the set. */
struct pst_chosen {
    uint64_t samples; /* of the set */
    uint64_t count;   /* taken */
    uint64_t *words;  /* a bit for each sample; owned */
    uint64_t *before; /* how many are taken before each 512 samples; owned */
};

/*
 * Chooses samples: first the split, then the classes, then fraction, then limit. Without labels class_mask
 * must be NULL. Returns PST_OK; PST_USAGE where the rules leave nothing, hold out everything, or need labels
 * that are not there; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_choose(const struct pst_labels *labels,
                                       const struct pst_selection_rules *rules, struct pst_chosen *chosen,
                                       struct pst_error *error);

/* The sample taken that has `number` others before it. number: 0 … count - 1. Takes logarithmic time. */
uint64_t pst_chosen_at(const struct pst_chosen *chosen, uint64_t number);

/* The first sample taken from `from` on; `samples` where there is none. */
uint64_t pst_chosen_next(const struct pst_chosen *chosen, uint64_t from);

/* To make one: all samples are taken; one that is taken is dropped; and when the last was dropped they are
 * counted, for pst_chosen_at. */
PST_CHECKED enum pst_status pst_chosen_all(struct pst_chosen *chosen, uint64_t samples,
                                           struct pst_error *error);
void pst_chosen_drop(struct pst_chosen *chosen, uint64_t sample);
void pst_chosen_count(struct pst_chosen *chosen);

/* Frees what it holds and makes it {0}. */
void pst_chosen_free(struct pst_chosen *chosen);

/* The same as a list, for sets that are shuffled by one. */
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
 * Returns PST_OK; PST_USAGE where the text is not such a list, or names a class that is not there.
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
 * Where the permutation sends a number: a Feistel network over rows and columns, walked until it comes back
 * below count (Black, Rogaway 2002, "Ciphers with arbitrary finite domains", generalised Feistel and cycle
 * walking). number: 0 … count - 1.
 */
uint64_t pst_permute(const struct pst_permutation *permutation, uint64_t number);

/* ---- augmentation ------------------------------------------------------------------------------------ */

/*
 * Moves an image by whole pixels, drawn evenly from [-most, most] in each direction for (seed, epoch, id);
 * what moves in is 0. source, moved: [height, width]; must not overlap.
 */
void pst_augment_shift(const uint8_t *source, uint8_t *moved, size_t height, size_t width, unsigned most,
                       uint64_t seed, uint64_t epoch, uint64_t id);

/* An elastic distortion (Simard, Steinkraus, Platt 2003) with a small random affine map. {0} changes nothing.
 */
struct pst_elastic {
    double
        strength; /* alpha: pixels by which the smoothed field moves a point, about its standard deviation */
    double smoothness; /* sigma of the Gaussian that smooths the field, in pixels; > 0 where strength > 0 */
    double rotation;   /* largest angle, degrees, either way */
    double scaling;    /* largest relative change of size, either way, in each direction on its own */
};

/*
 * Distorts an image for (seed, epoch, id), by bilinear interpolation.
 * source, distorted: [height, width], at most 64 by 64; must not overlap.
 */
void pst_augment_elastic(const uint8_t *source, uint8_t *distorted, size_t height, size_t width,
                         const struct pst_elastic *elastic, uint64_t seed, uint64_t epoch, uint64_t id);

#endif
