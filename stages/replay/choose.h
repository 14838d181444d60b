/* choose.h: which samples of recordings are taken, by their labels. */
#ifndef PIPESTILL_STAGES_CHOOSE_H
#define PIPESTILL_STAGES_CHOOSE_H

#include "stages/replay/replay.h"
#include "stages/replay/shards.h"

/* Which samples are taken, and which of them are special. */
struct recorded_choice {
    struct pst_chosen all;      /* {0} if all samples are taken */
    struct pst_chosen parts[2]; /* with --special: the rest, and the special samples */
    struct pst_special special; /* {0} without it */
    bool *mask;                 /* [classes]: which are special; NULL without it; owned */
    size_t classes;
};

void free_choice(struct recorded_choice *choice);

/* Whether the options that choose samples go together. Returns PST_OK or PST_USAGE. */
PST_CHECKED enum pst_status check_selection_options(const struct selection_options *options,
                                                    struct pst_error *error);

/*
 * Chooses samples by the same rules as for any set. Without labels only a share or a number can be chosen.
 * Memory is 9/64 bytes a sample, three times that with --special, and four bytes more a sample while labels
 * are read. restored: the header of the output.
 * Returns what pst_choose returns; PST_USAGE if options contradict each other or the recordings;
 * PST_BAD_DATA if a label is not a class; what reading returns.
 */
PST_CHECKED enum pst_status choose_recorded(const struct selection_options *options,
                                            const struct shards *shards, const struct pst_header *restored,
                                            struct recorded_choice *choice, struct pst_error *error);

#endif
