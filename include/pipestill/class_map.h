/*
 * class_map.h: maps from old classes to new ones: which are merged, in which order they come, what they are
 * called, and which are left out. A map is a text that people read and edit; its rows of logits and
 * probabilities are mapped here, and back. Knows nothing of streams. docs/class-maps.md has the text's form.
 */
#ifndef PIPESTILL_CLASS_MAP_H
#define PIPESTILL_CLASS_MAP_H

#include "pipestill/base.h"

#define PST_CLASS_MAP_MOST_CLASSES ((size_t)1 << 24)
#define PST_CLASS_MAP_MOST_BYTES ((size_t)64 << 20) /* of a map's text */

/* The logit of an old class that was left out, mapped back: so much below the largest of its row. */
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
    double *weights;    /* [from - dropped]: of each of them, as the map says; 1 if it says none; owned */
    double *shares;     /* [from - dropped]: weight / sum of the weights of its new class; owned */
    double *log_shares; /* [from - dropped]; owned */
    char **names;       /* [to]: of new classes; NULL in it: it has none; owned */
};

/*
 * Reads a map. text: UTF-8, [size]. place: what messages call it ("--classes", a file's name). lines: whether
 * it is a file, whose lines messages count. dustbin: the name of a last class that takes what no line names;
 * NULL: what is not named is left out.
 * Returns PST_OK; PST_BAD_DATA (in a file) or PST_USAGE (on a command line) with the line and the word if the
 * text is no map of these classes; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_class_map_parse(struct pst_class_map *map, const struct pst_classes *old,
                                                const char *text, size_t size, const char *place, bool lines,
                                                const char *dustbin, struct pst_error *error);

/*
 * Reads a map from a file of at most PST_CLASS_MAP_MOST_BYTES. set: NULL, or the name of a line of a file of
 * sets, each of which is NAME = CLASSES and may hold what others hold: its classes stay as they are, one by
 * one. dustbin: as above.
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
 * Makes the map to classes of the same names in another order. new: their names. dustbin: as above; a new
 * class of that name is the dustbin.
 * Returns PST_OK; PST_BAD_DATA if an old class of a name is missing or not the only one; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_class_map_like(struct pst_class_map *map, const struct pst_classes *old,
                                               const struct pst_classes *new, const char *place,
                                               const char *dustbin, struct pst_error *error);

/* Frees what a map holds and makes it {0}. */
void pst_class_map_free(struct pst_class_map *map);

/*
 * What a map does, in the one way to say it: numbers of old classes, "," between those of a new class and ";"
 * between new classes, "0-4,9;7 of 10". Names are not in it. weights: with weights that are not all alike.
 * Returns the text, to be freed; NULL if memory is short.
 */
PST_CHECKED char *pst_class_map_text(const struct pst_class_map *map, bool weights);

/*
 * The same for a lineage: the SHA-256 of the text if it has more than 1,000 bytes.
 * Returns the text, to be freed; NULL if memory is short.
 */
PST_CHECKED char *pst_class_map_note(const struct pst_class_map *map, bool weights);

/*
 * Merges probabilities: those of a new class are added, and all are divided by what is left if any class is
 * left out. from: [n, map.from], ≥ 0. to: receives [n, map.to]; 0 in a row of which nothing is left.
 * dropped: receives the share of each row that was left out, [n]; NULL if it is not wanted.
 */
void pst_class_map_probabilities(const struct pst_class_map *map, const float *from, float *to, size_t n,
                                 double *dropped);

/*
 * Merges logits: those of a new class to the logarithm of the sum of their exponentials, so softmax at
 * temperature 1 gives the merged probabilities. A class that is alone keeps its logit to the bit.
 * from: [n, map.from], finite. to: receives [n, map.to]. dropped: as above, of softmax at temperature 1.
 */
void pst_class_map_logits(const struct pst_class_map *map, const float *from, float *to, size_t n,
                          double *dropped);

/*
 * Whether one of the `most` likeliest classes of a row is among some. row: [classes], logits or
 * probabilities, none of them NaN; of equal ones the first counts as the likeliest. inside: which they are.
 */
bool pst_class_is_likely(const float *row, const bool *inside, size_t classes, size_t most);

/*
 * The likeliest classes of a row, the likeliest first, as above. likeliest: receives `most`, at most classes.
 */
void pst_class_likeliest(const float *row, size_t classes, size_t most, uint32_t *likeliest);

/* Back: a new class's probability is spread by shares; old classes left out get 0. from: [n, map.to]. to:
 * receives [n, map.from]. */
void pst_class_unmap_probabilities(const struct pst_class_map *map, const float *from, float *to, size_t n);

/* Back: logit + log share; old classes left out get the row's largest less PST_CLASS_MAP_DEPTH. from:
 * [n, map.to]. to: receives [n, map.from]. */
void pst_class_unmap_logits(const struct pst_class_map *map, const float *from, float *to, size_t n);

#endif
