/* Bootstrap intervals of word error rates and of their differences (Bisani and Ney 2004). */
#include "pipestill/speech.h"

#include <math.h>
#include <stdlib.h>

#define OUTSIDE 0.025 /* of the resamples, on either side */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The rate of one resample, whose units depend on seed and number alone. NaN if it has no words. */
static double resampled(const uint64_t *errors, const uint64_t *others, const uint64_t *words, size_t units,
                        uint64_t seed, size_t number)
{
    struct pst_random random;
    double wrong = 0, total = 0;
    pst_random_start(&random, seed, PST_RANDOM_BOOTSTRAP, 0, number);
    for (size_t i = 0; i < units; i++) {
        size_t unit = (size_t)pst_random_below(&random, units);
        wrong += (double)errors[unit] - (others != NULL ? (double)others[unit] : 0);
        total += (double)words[unit];
    }
    return total > 0 ? wrong / total : NAN;
}

enum pst_status pst_bootstrap(const uint64_t *errors, const uint64_t *others, const uint64_t *words,
                              size_t units, size_t resamples, uint64_t seed, struct pst_interval *interval,
                              struct pst_error *error)
{
    *interval = (struct pst_interval){ NAN, NAN };
    double *rates = pst_allocate(resamples, sizeof *rates, error);
    if (rates == NULL)
        return PST_TRY_AGAIN;
    size_t count = 0;
    for (size_t i = 0; i < resamples && units > 0; i++) {
        double rate = resampled(errors, others, words, units, seed, i);
        if (!isnan(rate))
            rates[count++] = rate;
    }
    qsort(rates, count, sizeof *rates, compare);
    if (count > 0) {
        size_t outside = (size_t)(OUTSIDE * (double)count);
        *interval = (struct pst_interval){ rates[outside], rates[count - 1 - outside] };
    }
    free(rates);
    return PST_OK;
}
