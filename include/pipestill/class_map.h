/*
 * class_map.h: maps from old classes to new ones: which are merged, in which order they come, what they are
 * called, and which are left out. A map is a text that people read and edit; its rows of logits and
 * probabilities are mapped here, and back. Independent of streams. docs/class-maps.md has the text's form.
 */
#ifndef PIPESTILL_CLASS_MAP_H
#define PIPESTILL_CLASS_MAP_H

#include "pipestill/base.h"

#define PST_CLASS_MAP_MOST_CLASSES ((size_t)1 << 24)
#define PST_CLASS_MAP_MOST_BYTES ((size_t)64 << 20) /* of a map's text */

/* Mapped back, an old class that was left out gets the largest logit of its row less this number. */
#define PST_CLASS_MAP_DEPTH 10000.0

/* Some classes. */
struct pst_classes {
    size_t count;
    const char *const *names; /* [count], borrowed; NULL: they have none */
};

/* A map. Each old class is in one new class at most, and each new one has one old class at least. */
struct pst_class_map {
    size_t from, to;    /* old and new classes */
    size_t dropped;     /* old classes that are left out */
    bool plain;         /* every new class is one old class */
    int32_t *new_of;    /* [from]: the new class of an old one, or -1; owned */
    size_t *begin;      /* [to + 1]: where the old classes of a new one begin; owned */
    uint32_t *members;  /* [from - dropped]: old classes, in ascending order in each new class; owned */
    double *weights;    /* [from - dropped]: of each member, as the map says; 1 if it says none; owned */
    double *shares;     /* [from - dropped]: weight / sum of the weights of its new class; owned */
    double *log_shares; /* [from - dropped]; owned */
    char **names;       /* [to]: of new classes; NULL for one without a name; owned */
};

/*
 * Reads a map. text: UTF-8, [size]. place: what messages call it ("--classes", a file's name). lines: it is
 * a file, and messages name its lines. dustbin: the name of a last class for all that no line names; NULL:
 * that is left out.
 * Returns PST_OK; PST_BAD_DATA (in a file) or PST_USAGE (on a command line) with the line and the word if
 * the text is not a map of these classes; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_class_map_parse(struct pst_class_map *map, const struct pst_classes *old,
                                                const char *text, size_t size, const char *place, bool lines,
                                                const char *dustbin, struct pst_error *error);

/*
 * Reads a map from a file of at most PST_CLASS_MAP_MOST_BYTES. set: NULL, or the name of a line in a file of
 * sets. There, each line is NAME = CLASSES, lines may share classes, and the set's classes stay single.
 * dustbin: as above.
 * Returns as pst_class_map_parse, and PST_NO_INPUT, PST_BAD_DATA or PST_IO_ERROR if it cannot be read.
 */
PST_CHECKED enum pst_status pst_class_map_read(struct pst_class_map *map, const struct pst_classes *old,
                                               const char *path, const char *set, const char *dustbin,
                                               struct pst_error *error);

/*
 * Reads the classes that a command line names: a list, "3,5,8"; a line of a file of sets, "@FILE:SET"; or a
 * whole file, "@FILE". option: what messages call it. dustbin: as above.
 * Returns as pst_class_map_read.
 */
PST_CHECKED enum pst_status pst_class_map_named(struct pst_class_map *map, const struct pst_classes *old,
                                                const char *text, const char *option, const char *dustbin,
                                                struct pst_error *error);

/*
 * The numbers of the old classes that a map keeps, "3,5,8", ascending.
 * Returns the text, to be freed; NULL if memory is short.
 */
PST_CHECKED char *pst_class_map_numbers(const struct pst_class_map *map);

/*
 * Makes the map from classes to the same ones in another order, by name. new: their names. dustbin: as
 * above; a new class of that name is the dustbin.
 * Returns PST_OK; PST_BAD_DATA if no old class, or more than one, has the name of a new one; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_class_map_like(struct pst_class_map *map, const struct pst_classes *old,
                                               const struct pst_classes *new, const char *place,
                                               const char *dustbin, struct pst_error *error);

/* Frees what a map holds and makes it {0}. */
void pst_class_map_free(struct pst_class_map *map);

/*
 * A map as canonical text: numbers of old classes, "," between those of a new class and ";" between new
 * classes, "0-4,9;7 of 10". It has no names. weights: it has weights, if they are not all equal. Returns
 * the text, to be freed; NULL if memory is short.
 */
PST_CHECKED char *pst_class_map_text(const struct pst_class_map *map, bool weights);

/*
 * The same for a lineage: the SHA-256 of the text if it has more than 1,000 bytes.
 * Returns the text, to be freed; NULL if memory is short.
 */
PST_CHECKED char *pst_class_map_note(const struct pst_class_map *map, bool weights);

/*
 * Merges probabilities: those of a new class are added. If classes are left out, all are divided by the sum
 * of the rest. from: [n, map.from], ≥ 0. to: receives [n, map.to]; a row whose rest is 0 becomes 0.
 * dropped: receives the share of each row that was left out, [n]; may be NULL.
 */
void pst_class_map_probabilities(const struct pst_class_map *map, const float *from, float *to, size_t n,
                                 double *dropped);

/*
 * Merges logits: a new class gets the logarithm of the sum of its classes' exponentials, so softmax at
 * temperature 1 gives the merged probabilities. A class that is alone in a new one keeps its logit to the
 * bit.
 * from: [n, map.from], finite. to: receives [n, map.to]. dropped: as above, of softmax at temperature 1.
 */
void pst_class_map_logits(const struct pst_class_map *map, const float *from, float *to, size_t n,
                          double *dropped);

/*
 * Whether one of the `most` likeliest classes of a row is in a set. row: [classes], logits or probabilities,
 * none of them NaN; of equal ones the first counts as the likeliest. inside: the set.
 */
bool pst_class_is_likely(const float *row, const bool *inside, size_t classes, size_t most);

/*
 * The likeliest classes of a row, the likeliest first, as above. likeliest: receives `most`, at most classes.
 */
void pst_class_likeliest(const float *row, size_t classes, size_t most, uint32_t *likeliest);

/* Maps probabilities back: that of a new class is spread by shares; old classes that were left out get 0.
 * from: [n, map.to]. to: receives [n, map.from]. */
void pst_class_unmap_probabilities(const struct pst_class_map *map, const float *from, float *to, size_t n);

/*
 * Maps logits back: logit + log share. Old classes that were left out get the row's largest less
 * PST_CLASS_MAP_DEPTH. from: [n, map.to]. to: receives [n, map.from].
 */
void pst_class_unmap_logits(const struct pst_class_map *map, const float *from, float *to, size_t n);

#endif
