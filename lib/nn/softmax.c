/* Softmax at a temperature. The arithmetic is in double; the largest logit is subtracted first, so that no
 * exponential overflows and the sum is never below 1. */
#include "lib/nn/softmax.h"

#include "pipestill/nn.h"

#include <math.h>

struct pst_normaliser pst_normalise(const float *logits, size_t classes, double temperature)
{
    struct pst_normaliser row = { .largest = (double)logits[0] };
    for (size_t j = 1; j < classes; j++)
        if ((double)logits[j] > row.largest)
            row.largest = (double)logits[j];
    double sum = exp(((double)logits[0] - row.largest) / temperature);
    for (size_t j = 1; j < classes; j++)
        sum += exp(((double)logits[j] - row.largest) / temperature);
    row.log_sum = log(sum);
    return row;
}

void pst_softmax(const float *logits, float *probabilities, size_t n, size_t classes, double temperature)
{
    for (size_t i = 0; i < n; i++, logits += classes, probabilities += classes) {
        struct pst_normaliser row = pst_normalise(logits, classes, temperature);
        for (size_t j = 0; j < classes; j++)
            probabilities[j] = (float)exp(((double)logits[j] - row.largest) / temperature - row.log_sum);
    }
}

void pst_log_softmax(const float *logits, double *log_probabilities, size_t classes, double temperature)
{
    struct pst_normaliser row = pst_normalise(logits, classes, temperature);
    for (size_t j = 0; j < classes; j++)
        log_probabilities[j] = ((double)logits[j] - row.largest) / temperature - row.log_sum;
}
