/* combine.h: what the parts of specialist-combine share. */
#ifndef STAGES_SPECIALIST_COMBINE_H
#define STAGES_SPECIALIST_COMBINE_H

#include "pipestill.h"

struct json_t;

/* --specialist NAME or NAME=CLASSES. */
struct chosen {
    const char *text;
    size_t name; /* bytes of NAME */
};

/* Where a specialist's dustbin comes from. */
enum dustbin {
    DUSTBIN_OWN,       /* its last output */
    DUSTBIN_GENERALIST /* the log-sum-exp of the generalist's other logits */
};

/* A specialist: its tensor, and the classes that it knows. */
struct specialist {
    size_t at;    /* place of its tensor */
    size_t asked; /* place of asked/NAME; PST_NONE: it was asked about all samples */
    size_t width; /* numbers of its row */
    enum dustbin dustbin;
    size_t count;      /* classes that it knows */
    uint32_t *classes; /* [count], ascending; owned */
    uint32_t *columns; /* [count]: where they stand in its row; owned */
    bool *inside;      /* [all classes]: whether it knows a class; owned */
};

/* What happened: a job's own, and then of all. */
struct tally {
    uint64_t samples, alone; /* alone: those that no specialist says anything of */
    uint64_t heard;          /* specialists that were heard, over all samples */
    uint64_t missed;         /* specialists whose set fits, but who were not asked */
    uint64_t steps, unfinished;
};

struct combine {
    const char *generalist_name, *name; /* options; name: NULL if not given */
    struct chosen *chosen;              /* [chosen_count]; owned */
    size_t chosen_count;
    size_t most; /* of the generalist's likeliest classes */
    double tolerance;
    bool other_generalist;
    size_t generalist, classes, target;
    bool logits;
    struct specialist *specialists; /* [count]; owned */
    size_t count;
    struct tally *of_all; /* owned */
    /* A job's own. */
    struct tally own;
    struct pst_combination work;
    struct pst_opinion *opinions; /* [count] */
    float *rows;                  /* [count, classes]: what specialists say of the classes that they know */
    float *mixed;                 /* [2, classes] */
    uint32_t *likeliest;          /* [most] */
    struct pst_buffer softened;   /* of a batch: the generalist's probabilities */
};

/* The kind of the generalist's tensor, and so of the specialists': "logits" or "soft". */
const char *kind_of(const struct combine *self);

/* Finds the generalist and the specialists, and what these know. */
PST_CHECKED enum pst_status find_tensors(struct combine *self, const struct pst_header *in,
                                         struct pst_error *error);

/*
 * What a lineage says of the classes that a tensor's model learned: the maps nearest to it, as class-map
 * notes them. Returns a list of texts, empty if there is none; NULL if memory is short.
 */
PST_CHECKED struct json_t *maps_of(const struct pst_header *in, size_t at);

/* Refuses a specialist who learned from another generalist, as far as the lineage tells. */
PST_CHECKED enum pst_status check_generalist(const struct combine *self, const struct pst_header *in,
                                             const struct specialist *specialist, struct pst_error *error);

/* Combines a batch. */
PST_CHECKED enum pst_status combine_batch(struct pst_run *run, const struct pst_batch *in,
                                          struct pst_batch *out, struct pst_error *error);

/* Adds what a job has counted to what all have, and frees what it made. */
void leave(struct pst_run *run);

#endif
