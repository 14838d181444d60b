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
    DUSTBIN_OWN,       /* the last number of its row */
    DUSTBIN_GENERALIST /* the log-sum-exp of the generalist's other logits */
};

/* A specialist: its tensor, and the classes that it knows. */
struct specialist {
    size_t at;    /* place of its tensor */
    size_t asked; /* place of asked/NAME; PST_NONE: it answered for all samples */
    size_t width; /* numbers of its row */
    enum dustbin dustbin;
    size_t count;      /* classes that it knows */
    uint32_t *classes; /* [count], ascending; owned */
    uint32_t *columns; /* [count]: their places in its row; owned */
    bool *inside;      /* [all classes]: whether it knows a class; owned */
};

/* Counts of a job, or of all jobs. */
struct tally {
    uint64_t samples, alone; /* alone: those without any specialist */
    uint64_t used;           /* specialists that were used, summed over samples */
    uint64_t missed;         /* specialists whose set fits, but that have no answer */
    uint64_t steps, unfinished;
};

struct combine {
    const char *generalist_name, *name; /* options; name: NULL if not given */
    struct chosen *chosen;              /* [chosen_count]; owned */
    size_t chosen_count;
    size_t most; /* how many of the generalist's likeliest classes decide */
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
    float *rows;                  /* [count, classes]: probabilities of the classes that they know */
    float *mixed;                 /* [2, classes] */
    uint32_t *likeliest;          /* [most] */
    struct pst_buffer softened;   /* of a batch: the generalist's probabilities */
};

/* The kind of the tensors of generalist and specialists: "logits" or "soft". */
const char *kind_of(const struct combine *self);

/* Finds the generalist and the specialists, and the classes that these know. */
PST_CHECKED enum pst_status find_tensors(struct combine *self, const struct pst_header *in,
                                         struct pst_error *error);

/* Refuses a specialist that learned from another generalist, if the lineage shows that. */
PST_CHECKED enum pst_status check_generalist(const struct combine *self, const struct pst_header *in,
                                             const struct specialist *specialist, struct pst_error *error);

/* Combines a batch. */
PST_CHECKED enum pst_status combine_batch(struct pst_run *run, const struct pst_batch *in,
                                          struct pst_batch *out, struct pst_error *error);

/* Adds a job's counts to those of all, and frees the job's own memory. */
void leave(struct pst_run *run);

#endif
