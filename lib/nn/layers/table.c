/* The types of layers. A new one is a file of its own, which defines pst_layer_NAME, and a row here. A word
 * of an architecture is of the first type that accepts it. */
#include "pipestill/layers.h"

#define ROWS(ROW) \
    ROW(dense)    \
    ROW(flatten)  \
    ROW(dropout)  \
    ROW(conv)     \
    ROW(maxpool)  \
    ROW(avgpool)  \
    ROW(gap)      \
    ROW(bn)       \
    ROW(ln)       \
    ROW(res)      \
    ROW(shuffle)  \
    ROW(activation)

#define DECLARE(name) extern const struct pst_layer_type pst_layer_##name;
#define ENTER(name) &pst_layer_##name,

ROWS(DECLARE)

const struct pst_layer_type *const pst_layer_types[] = { ROWS(ENTER) NULL };
