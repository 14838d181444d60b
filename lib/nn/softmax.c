/* Softmax at a temperature. The arithmetic is in double; the largest logit is subtracted first, so that no
 * exponential overflows and the sum is never below 1. */
#include "lib/nn/softmax.h"

#include "lib/nn/kernels.h"
#include "pipestill/nn.h"

#include <math.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

struct pst_normaliser pst_normalise_into(double *powers, const float *logits, size_t classes,
                                         double temperature)
{
    struct pst_normaliser row = { .largest = (double)pst_largest_number(logits, classes) };
    double some[PST_AT_ONCE], sum = 0;
    for (size_t at = 0; at < classes; at += PST_AT_ONCE) {
        double *here = powers == NULL ? some : powers + at;
        size_t count = smaller(classes - at, PST_AT_ONCE);
        pst_kernel_softmax(here, logits + at, count, row.largest, temperature, 0);
        sum = pst_kernel_add_up(here, count, sum);
    }
    row.log_sum = log(sum);
    return row;
}

struct pst_normaliser pst_normalise(const float *logits, size_t classes, double temperature)
{
    return pst_normalise_into(NULL, logits, classes, temperature);
}

void pst_softmax(const float *logits, float *probabilities, size_t n, size_t classes, double temperature)
{
    double powers[PST_AT_ONCE];
    for (size_t i = 0; i < n; i++, logits += classes, probabilities += classes) {
        struct pst_normaliser row = pst_normalise(logits, classes, temperature);
        for (size_t at = 0; at < classes; at += PST_AT_ONCE) {
            size_t count = smaller(classes - at, PST_AT_ONCE);
            pst_kernel_softmax(powers, logits + at, count, row.largest, temperature, row.log_sum);
            for (size_t j = 0; j < count; j++)
                probabilities[at + j] = (float)powers[j];
        }
    }
}

void pst_log_softmax(const float *logits, double *log_probabilities, size_t classes, double temperature)
{
    struct pst_normaliser row = pst_normalise(logits, classes, temperature);
    for (size_t j = 0; j < classes; j++)
        log_probabilities[j] = ((double)logits[j] - row.largest) / temperature - row.log_sum;
}
