/* The augmentations, in the order in which they are applied. A new one is a file of its own, which defines
 * pst_augmentation_NAME, and a row here. */
#include "pipestill/view.h"

#define ROWS(ROW) \
    ROW(jitter)   \
    ROW(elastic)  \
    ROW(shift)    \
    ROW(crop)     \
    ROW(flip)     \
    ROW(cutout)   \
    ROW(speed)    \
    ROW(noise)    \
    ROW(gain)     \
    ROW(mask)

#define DECLARE(name) extern const struct pst_augmentation pst_augmentation_##name;
#define ENTER(name) &pst_augmentation_##name,

ROWS(DECLARE)

const struct pst_augmentation *const pst_augmentations[] = { ROWS(ENTER) NULL };

_Static_assert(sizeof pst_augmentations / sizeof *pst_augmentations <= PST_MAX_AUGMENTATIONS,
               "views have no room for so many");
