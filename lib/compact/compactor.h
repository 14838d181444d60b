/* compactor.h: the plan to make a stream smaller, which compactor.c makes and pack.c follows. */
#ifndef PIPESTILL_LIB_COMPACT_COMPACTOR_H
#define PIPESTILL_LIB_COMPACT_COMPACTOR_H

#include "lib/compact/description.h"

struct pst_compactor {
    struct pst_description description; /* of one target */
    struct pst_header original, compact;
    size_t x, y, id; /* places in the original, or PST_NONE */
    bool half;       /* hints in f32 become f16 */
    size_t digest;   /* place in the compact form, or PST_NONE */
};

#endif
