/*
 * specialists.h: combines the predictions of a generalist, which knows all classes, and of specialists,
 * which each know some and take all others for one (Hinton, Vinyals and Dean 2015, section 5.4, eq. 5).
 * Independent of streams.
 */
#ifndef PIPESTILL_SPECIALISTS_H
#define PIPESTILL_SPECIALISTS_H

#include "pipestill/base.h"

/* One specialist's prediction for a sample. */
struct pst_opinion {
    const uint32_t *classes;    /* [count]: those that it knows, ascending; borrowed */
    size_t count;               /* 1 to all; with all there is no dustbin */
    const float *probabilities; /* [count]; borrowed */
    double dustbin;             /* probability of all other classes together */
};

/* Memory for combining, of one thread. */
struct pst_combination {
    size_t classes, most;
    double *sums;       /* [classes]: of the generalist's probability and the specialists', by class; owned */
    uint32_t *group_of; /* [classes]; owned */
    /* Classes that the same specialists know are a group. `groups` counts all, also empty ones. */
    size_t groups;
    uint32_t *members, *split, *stamp; /* [classes + 1]; owned */
    uint32_t *spare;                   /* [classes + 1]: groups that have become empty; owned */
    size_t spares;
    unsigned char *knows; /* [classes + 1, most]: whether a specialist knows a group; owned */
    double *mass, *parts; /* [classes + 1]: of the combination, and of `sums`; owned */
    double *factors;      /* [most]; owned */
};

/* Makes room. most: opinions at once. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_combination_start(struct pst_combination *work, size_t classes, size_t most,
                                                  struct pst_error *error);
void pst_combination_free(struct pst_combination *work);

#define PST_COMBINATION_MOST_STEPS 10000

/*
 * Finds the q that makes KL(p_g || q) + the sum over specialists m of KL(p_m || q) least, where q's
 * probability of m's dustbin is that of all classes which m does not know. By EM; no step makes it worse:
 *
 *   q_i <- (p_g,i + sum over m that know i of p_m,i + sum over others of p_m,dustbin q_i / Q_m) / (1 + M)
 *
 * with Q_m = q's probability of m's dustbin. Among classes that the same specialists know, q is proportional
 * to the terms without q, so only the sums of such groups are iterated. If no specialist differs from the
 * generalist, q is p_g to the bit.
 *
 * generalist: [classes], a distribution; 0 counts as the smallest number that f32 holds. opinions: [count],
 * count at most work->most. tolerance: the most for the sum of the last step's changes of groups'
 * probabilities. combined: receives q, [classes].
 * Returns how many steps there were; more than PST_COMBINATION_MOST_STEPS if they ended before the tolerance
 * was reached.
 */
size_t pst_combine(struct pst_combination *work, const float *generalist, const struct pst_opinion *opinions,
                   size_t count, double tolerance, float *combined);

#endif
