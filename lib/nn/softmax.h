/* softmax.h: what softmax and losses share: the normaliser of one row. */
#ifndef PIPESTILL_LIB_NN_SOFTMAX_H
#define PIPESTILL_LIB_NN_SOFTMAX_H

#include <stddef.h>

/* How many classes are computed together. */
enum { PST_AT_ONCE = 128 };

/*
 * The normaliser of softmax(logits / T): with it, T · log softmax of class j is logits[j] - largest -
 * T · log_sum, which stays finite for finite logits at any T.
 */
struct pst_normaliser {
    double largest; /* of the logits */
    double log_sum; /* log Σ exp((logits - largest) / T), from 0 to log classes */
};

/* The normaliser of one row. classes ≥ 1; temperature > 0. NaN if a logit is NaN or +infinity. */
struct pst_normaliser pst_normalise(const float *logits, size_t classes, double temperature);

/* The same. powers: receives exp((logits - largest) / T), [classes]; may be NULL. */
struct pst_normaliser pst_normalise_into(double *powers, const float *logits, size_t classes,
                                         double temperature);

#endif
