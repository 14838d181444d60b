/* The types of losses. A new one is a file of its own, which defines pst_loss_NAME, and a row here. */
#include "pipestill/losses.h"

#define ROWS(ROW)      \
    ROW(kl)            \
    ROW(cross_entropy) \
    ROW(labels)        \
    ROW(logits)        \
    ROW(mse)           \
    ROW(bce)           \
    ROW(brier)         \
    ROW(features)      \
    ROW(attention)

#define DECLARE(name) extern const struct pst_loss_type pst_loss_##name;
#define ENTER(name) &pst_loss_##name,

ROWS(DECLARE)

const struct pst_loss_type *const pst_loss_types[] = { ROWS(ENTER) NULL };
