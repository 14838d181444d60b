/*
 * class_sets.h: which classes are often predicted together. Sets of them, for specialists, are found by
 * K-means on the columns of the covariance of predictions (Hinton, Vinyals and Dean 2015, section 5.3).
 * Independent of streams.
 */
#ifndef PIPESTILL_CLASS_SETS_H
#define PIPESTILL_CLASS_SETS_H

#include "pipestill/base.h"

#define PST_CLASS_SETS_MOST_CLASSES 16384 /* their covariance takes 2 GiB */

/* The covariance of rows that come in pieces. Its bits do not depend on the pieces' sizes. */
struct pst_covariance {
    size_t size;           /* numbers of a row */
    uint64_t rows;         /* so far */
    float *first;          /* [size]: the first row, which is subtracted from all; owned */
    double *sums, *square; /* [size] and [size, size], the part above the diagonal; owned */
    double *block;         /* rows not added yet, less the first; owned */
    size_t waiting;
};

/* Begins. size: 1 to PST_CLASS_SETS_MOST_CLASSES. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_covariance_start(struct pst_covariance *covariance, size_t size,
                                                 struct pst_error *error);

/* Adds rows. rows: [n, size], finite. */
void pst_covariance_add(struct pst_covariance *covariance, const float *rows, size_t n);

/*
 * Computes the mean product of deviations from the mean. Returns the matrix, [size, size], which belongs to
 * the struct; NULL if there were fewer than two rows.
 */
PST_CHECKED double *pst_covariance_finish(struct pst_covariance *covariance);

void pst_covariance_free(struct pst_covariance *covariance);

/* Divides each row of a matrix by its length; rows of length 0 stay. Returns how many those are. */
size_t pst_make_unit(double *rows, size_t count, size_t size);

/* What K-means is to do. */
struct pst_k_means {
    size_t clusters, rounds; /* rounds: at most so many */
    bool lloyd;              /* centres move after all points; otherwise after each point (MacQueen) */
    uint64_t seed;           /* of the first centres (k-means++), and of the order in which points come */
};

/*
 * K-means by Euclid's distance, until a round changes nothing, or for how->rounds. A cluster that would be
 * empty takes the point that is farthest from its centre, so none is.
 * points: [count, size], finite. clusters: 1 to count. centres: receives [clusters, size]. settled: receives
 * whether the last round changed nothing.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_k_means(const struct pst_k_means *how, const double *points, size_t count,
                                        size_t size, double *centres, bool *settled, struct pst_error *error);

/*
 * Makes sets of the points that are near to centres. Each point goes to the nearest centre whose set is not
 * full; of all pairs, the nearest come first. points: [count, size]. centres: [clusters, size]. most: points
 * in a set; clusters · most ≥ count. fill: then each set takes the points nearest to its centre until it is
 * full, so sets overlap. sets: receives [clusters, count]: whether a point is in a set. Returns PST_OK or
 * PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_class_sets(const double *points, size_t count, size_t size,
                                           const double *centres, size_t clusters, size_t most, bool fill,
                                           bool *sets, struct pst_error *error);

#endif
