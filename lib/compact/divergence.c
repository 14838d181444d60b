/* What a form loses: the Kullback-Leibler divergence of a restored row from the full one. */
#include "lib/compact/codec.h"

#include <math.h>

static double sum_of(const float *row, size_t classes)
{
    double sum = 0;
    for (size_t c = 0; c < classes; c++)
        sum += (double)row[c];
    return sum;
}

/* A class that was restored as 0 counts as the smallest normal f32; otherwise the sum would be infinite. */
static double of_probabilities(const float *full, const float *restored, size_t classes)
{
    double divergence = 0, share = sum_of(full, classes);
    for (size_t c = 0; c < classes; c++) {
        double p = (double)full[c] / share;
        if (p > 0)
            divergence += p * log(p / fmax((double)restored[c], 0x1p-126));
    }
    return divergence + log(sum_of(restored, classes));
}

static double largest_of(const float *row, size_t classes)
{
    double largest = (double)row[0];
    for (size_t c = 1; c < classes; c++)
        largest = fmax(largest, (double)row[c]);
    return largest;
}

static double of_logits(const float *full, const float *restored, size_t classes)
{
    double top = largest_of(full, classes), other = largest_of(restored, classes);
    double sum = 0, others = 0, mean = 0;
    size_t c = 0;
    do {
        double power = exp((double)full[c] - top);
        sum += power;
        others += exp((double)restored[c] - other);
        mean += power * (((double)full[c] - top) - ((double)restored[c] - other));
    } while (++c < classes);
    return mean / sum - log(sum) + log(others);
}

double pst_row_divergence(const struct pst_target *target, const float *full, const float *restored)
{
    double divergence = target->logits ? of_logits(full, restored, target->classes)
                                       : of_probabilities(full, restored, target->classes);
    return fmax(divergence, 0);
}
