/* class-map.h: what the parts of class-map share. */
#ifndef STAGES_CLASS_MAP_H
#define STAGES_CLASS_MAP_H

#include "pipestill.h"

struct json_t;

/* A tensor of logits or soft targets that is mapped, or y if it holds shares of classes. */
struct mapped {
    size_t at;    /* its place in header and batches */
    size_t asked; /* place of the tensor that says which rows count; PST_NONE: all do */
    bool logits;
};

/* What was left out of a tensor's rows: by a job, or by all jobs. */
struct lost {
    uint64_t rows;
    uint64_t sum; /* of the shares left out, in units of 2^-32; exact in any order */
    double largest;
};

/* Names of classes, and what they are borrowed from. */
struct class_names {
    struct pst_classes classes;
    const char **list;   /* owned */
    struct json_t *json; /* owned */
};

struct class_map {
    const char *file, *list, *like, *dustbin, *old;
    bool inverse, drop_samples;
    const char **only; /* --of: [only_count]; owned, the names borrowed */
    size_t only_count;
    struct class_names old_names, new_names; /* of --old-classes, and of --like */
    struct pst_class_map map;
    size_t in, out;         /* classes of the tensors of the input, and of the output */
    struct mapped *tensors; /* [tensor_count]; owned */
    size_t tensor_count;
    size_t y;           /* of labels; PST_NONE: there are none, or they stay */
    struct lost *lost;  /* [tensor_count]: of all jobs; owned */
    uint64_t *left_out; /* samples left out by all jobs; owned */
    /* A job's own. */
    struct lost *own; /* [tensor_count] */
    uint64_t own_left_out;
    struct pst_buffer shares, rows, gone; /* of a batch: double, size_t, bool; [n] */
};

/* Reads names of classes from a model; "10" means 10 classes without names. from: the option's value. */
PST_CHECKED enum pst_status read_classes(struct class_names *names, const char *from, const char *option,
                                         struct pst_error *error);

/* Takes the names that a header has, if it has any. count: how many there must be. */
PST_CHECKED enum pst_status take_header_names(struct class_names *names, const struct pst_header *header,
                                              size_t count, struct pst_error *error);

void free_names(struct class_names *names);

/* Makes the map for the classes of the header's tensors. */
PST_CHECKED enum pst_status make_map(struct class_map *self, const struct pst_header *in,
                                     struct pst_error *error);

/* Finds the tensors to map, and declares them with their new classes. */
PST_CHECKED enum pst_status declare(struct pst_run *run, const struct pst_header *in, struct pst_header *out,
                                    struct pst_error *error);

/* Maps a batch. */
PST_CHECKED enum pst_status map_batch(struct pst_run *run, const struct pst_batch *in, struct pst_batch *out,
                                      struct pst_error *error);

/* Adds a job's counts to those of all, and frees the job's own memory. */
void leave(struct pst_run *run);

#endif
