/* choose.h: which samples of recordings are taken, by their labels. */
#ifndef PIPESTILL_STAGES_CHOOSE_H
#define PIPESTILL_STAGES_CHOOSE_H

#include "stages/replay/replay.h"
#include "stages/replay/shards.h"

/* Whether the options that choose samples go together. Returns PST_OK or PST_USAGE. */
PST_CHECKED enum pst_status check_selection_options(const struct selection_options *options,
                                                    struct pst_error *error);

/*
 * Chooses as from any set. Of recordings without labels only a share or a number can be taken. Memory is 9/64
 * bytes a sample, and four more a sample while labels are looked at.
 * restored: the header of what comes out.
 * Returns what pst_choose returns; PST_USAGE if options contradict each other or the recordings; PST_BAD_DATA
 * if a label is not a class; what reading returns.
 */
PST_CHECKED enum pst_status choose_recorded(const struct selection_options *options,
                                            const struct shards *shards, const struct pst_header *restored,
                                            struct pst_chosen *chosen, struct pst_error *error);

#endif
