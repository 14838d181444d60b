/*
 * description.h: the key `compact` of a header, which says how the stream's original is restored:
 *
 *   inputs   "keep", or "digest" if x was left out
 *   targets  objects with name, form, classes, and, if they apply, temperature, top and draws
 *   tensors  the original tensors that are left out or have another form: what a header says of a tensor,
 *            and `place`, where it stands among the tensors that are restored
 *   lost     names of tensors that are not restored
 */
#ifndef PIPESTILL_LIB_COMPACT_DESCRIPTION_H
#define PIPESTILL_LIB_COMPACT_DESCRIPTION_H

#include "lib/compact/codec.h"

#define PST_COMPACT_KEY "compact"

/* An original tensor that the compact stream does not have as it was. */
struct pst_absent {
    struct pst_tensor_spec spec;
    size_t place; /* among the restored tensors */
};

/* The key, parsed. {0} is empty. */
struct pst_description {
    bool digest; /* x was left out */
    size_t target_count;
    struct pst_target *targets; /* owned; dense, form, logits, classes and kept are set, and the parts */
    size_t absent_count;
    struct pst_absent *absent; /* owned */
};

/*
 * The key as JSON, owned by the caller; NULL if memory is short.
 * lost: names, borrowed.
 */
PST_CHECKED struct json_t *pst_description_to_json(const struct pst_description *description,
                                                   const struct json_t *lost);

/*
 * Parses the key and checks all of it that needs no other part of the header.
 * Returns PST_OK; PST_BAD_DATA; PST_TRY_AGAIN. On failure the description is {0}.
 */
PST_CHECKED enum pst_status pst_description_from_json(struct pst_description *description,
                                                      const struct json_t *object, struct pst_error *error);

void pst_description_free(struct pst_description *description);

#endif
