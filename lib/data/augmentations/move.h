/* move.h: planes moved by whole pixels. Private to lib/data/augmentations. */
#ifndef PIPESTILL_LIB_DATA_AUGMENTATIONS_MOVE_H
#define PIPESTILL_LIB_DATA_AUGMENTATIONS_MOVE_H

#include "pipestill/view.h"

/*
 * Moves all planes down and right by numbers drawn evenly from [-most, most]; what comes in is background.
 * use: of enum pst_random_use.
 */
void pst_move_at_random(const struct pst_planes *planes, const void *from, void *to, size_t most, int use,
                        const struct pst_draw *draw);

#endif
