/*
 * set.h: a data set with everything that a run of loader does to it: which samples, in which order, moved
 * about how. All of it is a function of the wishes, so a recording of ids or places gives the samples again.
 */
#ifndef PIPESTILL_STAGES_SET_H
#define PIPESTILL_STAGES_SET_H

#include "stages/loader/loader.h"

struct set {
    struct wishes wishes; /* its batch is not 0 */
    struct pst_dataset data;
    struct pst_selection selection;
    bool shuffled, distorted;
    uint8_t *scratch[2]; /* one sample each, on its way through the augmentation */
};

/*
 * Opens a set. {0} before; set_close also after a failure.
 * name: "mnist" or "digits"; NULL: what the wishes name.
 * Returns PST_OK; PST_USAGE where the wishes contradict each other or the set; what opening it returns.
 */
PST_CHECKED enum pst_status set_open(struct set *set, const struct wishes *wishes, const char *name,
                                     struct pst_error *error);

/* Batches in an epoch: the last one may be smaller. */
uint64_t set_batches(const struct set *set);

/* The order of an epoch. order: receives [selection.count] numbers of samples. */
void set_order(const struct set *set, uint64_t epoch, size_t *order);

/* Writes sample number index, as it is in an epoch, to elements [data.sample_bytes]. */
void set_sample(const struct set *set, size_t index, uint64_t epoch, uint8_t *elements);

void set_close(struct set *set);

#endif
