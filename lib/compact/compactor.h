/* compactor.h: a plan to make a stream smaller: made by compactor.c and history.c, followed by pack.c. */
#ifndef PIPESTILL_LIB_COMPACT_COMPACTOR_H
#define PIPESTILL_LIB_COMPACT_COMPACTOR_H

#include "lib/compact/description.h"

struct pst_compactor {
    struct pst_description description; /* of one target */
    struct pst_header original, compact;
    size_t x, y, id; /* places in the original, or PST_NONE */
    size_t digest;   /* place in the compact form, or PST_NONE */
};

/*
 * Whether inputs that are left out could be had again, as far as the history tells.
 * Returns PST_OK; PST_BAD_DATA where they could not, with what works instead.
 */
PST_CHECKED enum pst_status pst_compactor_check_history(const struct json_t *history,
                                                        enum pst_compact_inputs inputs,
                                                        struct pst_error *error);

#endif
