/* munge.h: what the parts of munge share. */
#ifndef STAGES_MUNGE_H
#define STAGES_MUNGE_H

#include "pipestill.h"

#include <float.h>
#include <math.h>

struct json_t;

enum method { METHOD_MUNGE, METHOD_AUTOGLUON, METHOD_RANDOM, METHOD_NBE };

/* A column of the table: a number, or a category as several elements of which one is 1. */
struct column {
    size_t at, count; /* its elements in a row */
    bool category;
    double least, range; /* of a number */
};

/* The table and its columns. */
struct table {
    size_t count, width;    /* rows, and elements of one */
    float *rows;            /* [count, width], in the order of ids; owned */
    float *ones;            /* [width]: an element above this is the category's 1; owned */
    struct column *columns; /* [column_count]; owned */
    size_t column_count;
};

/* A mixture of components in which columns are independent. */
struct mixture {
    size_t components;
    double *weights; /* [components]; owned */
    double *means;   /* [components, width]: of a number its mean, of a category the probabilities; owned */
    double *spreads; /* [components, width]: deviations of numbers; owned */
};

struct munge {
    /* options */
    int method;
    double probability, spread;
    size_t size, times, batch, components;
    uint64_t seed;
    /* what was read */
    struct pst_reader *reader;
    struct pst_header in;
    struct table table;
    /* what is made */
    struct pst_neighbours neighbours;
    float *made;     /* [table.count, width]: this pass's rows; owned */
    size_t *nearest; /* [table.count]: of autogluon; owned */
    struct mixture mixture;
    size_t pass, position; /* of the next row within the pass */
    size_t written, total;
    uint64_t unchanged; /* rows written that are the table's */
    size_t x, id;       /* places of tensors */
};

/* Reads the whole stream into the table. from: its name for messages. */
PST_CHECKED enum pst_status read_table(struct munge *self, const char *from, struct pst_error *error);
void free_table(struct table *table);

/* The element of a category that is its 1, or column->count if none is. */
size_t category_of(const struct table *table, const struct column *column, const float *row);

/* A drawn number as f32. A large one may be beyond the range of f32, and no sample may be infinite. */
static inline float as_number(double drawn)
{
    return (float)fmin(fmax(drawn, -(double)FLT_MAX), (double)FLT_MAX);
}

/* Makes what the method needs, once. */
PST_CHECKED enum pst_status begin_method(struct munge *self, struct pst_error *error);

/* Makes the rows of a pass. */
void make_pass(struct munge *self);

/* Fits the mixture to the table by EM. */
PST_CHECKED enum pst_status fit_mixture(struct munge *self, struct pst_error *error);

/* Draws a row from the mixture. */
void draw_from_mixture(const struct munge *self, struct pst_random *random, float *row);
void free_mixture(struct mixture *mixture);

#endif
