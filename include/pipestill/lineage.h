/*
 * lineage.h: what streams and models say of themselves: what their inputs and outputs stand for, and what
 * they were made from.
 */
#ifndef PIPESTILL_LINEAGE_H
#define PIPESTILL_LINEAGE_H

#include "pipestill/base.h"

struct json_t; /* jansson's value */
struct pst_header;

/* ---- what inputs and outputs stand for -----------------------------------------------------------------
 *
 * A header may have this under the keys `inputs` (columns, mean, deviation), `class_names` and
 * `output_names`, and a model keeps it from the stream that it learned from. An object with those of the keys
 * that exist is called `about`; docs/stream-format.md defines its contents.
 */

/*
 * Gets `about` from a header, checked. about: receives a new object, also on failure; owned. Returns PST_OK;
 * PST_BAD_DATA if something in it is not valid; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_header_about(const struct pst_header *header, struct json_t **about,
                                             struct pst_error *error);

/* Checks such an object. Returns PST_OK or PST_BAD_DATA; the caller adds its place. */
PST_CHECKED enum pst_status pst_about_check(const struct json_t *about, struct pst_error *error);

/*
 * Checks that a stream's inputs were made as those that a model learned from. stream, model: their `about`;
 * NULL: not known. who: what messages call the model. bytes: inputs are bytes, whose standardisation need
 * not be the same, because each network does that itself. Returns PST_OK or PST_BAD_DATA.
 */
PST_CHECKED enum pst_status pst_about_compare_inputs(const struct json_t *stream, const struct json_t *model,
                                                     const char *who, bool bytes, struct pst_error *error);

/* Checks that classes or outputs that both name have the same names. Returns PST_OK or PST_BAD_DATA. */
PST_CHECKED enum pst_status pst_about_compare_outputs(const struct json_t *stream, const struct json_t *model,
                                                      const char *who, struct pst_error *error);

/* The same for a model whose training continues: its outputs may become others, but not the same ones in
 * another order. Returns PST_OK or PST_BAD_DATA. */
PST_CHECKED enum pst_status pst_about_compare_order(const struct json_t *stream, const struct json_t *model,
                                                    const char *who, struct pst_error *error);

/* ---- lineage -----------------------------------------------------------------------------------------
 *
 * Every tensor carries its origin: a SHA-256 over what made it. An entry of the lineage says that: the stage,
 * the settings that matter, the digests of its files, and under `from` the origins of the tensors that it was
 * made from. Its values are texts or lists of texts, and its origin is the digest of the entry as JSON with
 * sorted keys and no white space. Two tensors of one kind belong together if their origins are the same;
 * docs/stream-format.md defines it for other languages.
 */

/* Sets the origin of a tensor that a stage brings from elsewhere; the frame computes all others. */
void pst_header_set_origin(struct pst_header *header, size_t index, const char *origin);

/* Whether a text is an origin: 64 hexadecimal digits in lower case. */
bool pst_is_origin(const char *text);

/*
 * Enters what made a tensor. entry: stolen. origin: receives its origin.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_lineage_enter(struct pst_header *header, struct json_t *entry,
                                              char origin[PST_DIGEST_TEXT], struct pst_error *error);

/* Adds the entries of another lineage, which may be NULL. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_lineage_merge(struct pst_header *header, const struct json_t *lineage,
                                              struct pst_error *error);

/* Checks that every entry of a lineage has the digest that is its origin. Returns PST_OK, PST_BAD_DATA or
 * PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_lineage_check(const struct json_t *lineage, struct pst_error *error);

/* Adds a text to a list, unless the list has it already. */
void pst_lineage_add(struct json_t *list, const char *text);

/* Adds in this way the origins that an entry has under a key: "from", those of what it was made from, or
 * "learned_from", of what its model learned from. */
void pst_lineage_add_origins(struct json_t *list, const struct json_t *entry, const char *key);

/* The part of a lineage that leads to some origins; owned by the caller; NULL if memory is short. */
PST_CHECKED struct json_t *pst_lineage_part(const struct json_t *lineage, const char *const *origins,
                                            size_t count);

/* What led to an origin, as a tree of lines for people, to be freed; NULL if memory is short. depth: how far
 * its first line is indented. */
PST_CHECKED char *pst_lineage_tree(const struct json_t *lineage, const char *origin, int depth);

/* Writes in words how two origins differ: "temperature-softmax temperature=4 here, temperature-softmax
 * temperature=2 there". */
void pst_lineage_difference(const struct json_t *a_lineage, const char *a, const struct json_t *b_lineage,
                            const char *b, char *text, size_t size);

#endif
