/*
 * neighbours.h: the nearest neighbour of rows that change, by Euclid's distance. Candidates are found by
 * matrix products, and the nearest among them in double, so the answer does not depend on a kernel's
 * rounding.
 */
#ifndef PIPESTILL_NEIGHBOURS_H
#define PIPESTILL_NEIGHBOURS_H

#include "pipestill/base.h"

struct pst_neighbours {
    size_t count, width;
    float *rows;     /* [count, width]: filled and changed by the caller; owned */
    float *norms;    /* [count]: squared lengths; owned */
    float *fresh;    /* [count]: the same, infinite for rows that have changed in this block; owned */
    float *products; /* [block, count]: of the block's rows with all; owned */
    size_t *changed; /* [count]: rows that have changed in this block; owned */
    size_t changed_count;
    size_t block, first, end; /* rows whose products are computed: first to end - 1 */
};

/* Makes room for rows; width: ≥ 1. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_neighbours_start(struct pst_neighbours *neighbours, size_t count,
                                                 size_t width, struct pst_error *error);

/* To be called when all rows are filled. */
void pst_neighbours_filled(struct pst_neighbours *neighbours);

/* To be called after a row has changed. */
void pst_neighbours_changed(struct pst_neighbours *neighbours, size_t row);

/* The nearest other row; of equally near ones the first. count is at least 2. Fastest for rows in order. */
size_t pst_neighbours_nearest(struct pst_neighbours *neighbours, size_t row);

void pst_neighbours_free(struct pst_neighbours *neighbours);

#endif
