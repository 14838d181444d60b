/* The likeliest classes, and the mass of all others as one number. */
#include "lib/compact/codec.h"

#include <math.h>

static bool comes_after(const float *row, uint16_t a, uint16_t b)
{
    return row[a] < row[b] || (a > b && row[a] == row[b]);
}

/* Puts the class at `at` in order in a heap whose root comes after all others. */
static void sift(const float *row, uint16_t *heap, size_t size, size_t at)
{
    uint16_t class = heap[at];
    for (size_t child; (child = 2 * at + 1) < size; at = child) {
        if (child + 1 < size && comes_after(row, heap[child + 1], heap[child]))
            child++;
        if (!comes_after(row, heap[child], class))
            break;
        heap[at] = heap[child];
    }
    heap[at] = class;
}

double pst_top_choose(const float *row, size_t classes, size_t k, uint16_t *chosen)
{
    double others = 0;
    for (size_t c = 0; c < k; c++)
        chosen[c] = (uint16_t)c;
    for (size_t at = k / 2; at-- > 0;)
        sift(row, chosen, k, at);
    for (size_t c = k; c < classes; c++) {
        /* Of equals the one in the heap stays: it is the lower class. */
        if (row[c] > row[chosen[0]]) {
            others += (double)row[chosen[0]];
            chosen[0] = (uint16_t)c;
            sift(row, chosen, k, 0);
        } else {
            others += (double)row[c];
        }
    }
    for (size_t size = k; size > 1;) {
        uint16_t last = chosen[0];
        chosen[0] = chosen[--size];
        chosen[size] = last;
        sift(row, chosen, size, 0);
    }
    return others;
}

/* A log-probability is never above 0, but rounding to f32 may have put a probability above 1. */
static uint16_t log_to_half(double probability)
{
    return pst_half_from_f32((float)fmin(log(probability), 0));
}

/*
 * The tail's mass is a sum over the tail, not 1 minus the others: that has no digits left if these are nearly
 * 1. In double such a sum loses no f32 above 0, so its logarithm is the tail's log-sum-exp.
 */
pst_fault pst_top_pack(const struct pst_target *target, const float *row, uint16_t *chosen, uint16_t *logs,
                       uint16_t *tail)
{
    *tail = log_to_half(pst_top_choose(row, target->classes, target->kept, chosen));
    for (size_t i = 0; i < target->kept; i++)
        logs[i] = log_to_half((double)row[chosen[i]]);
    return NULL;
}

/* The probability whose logarithm a half is; NaN if the half is above 0 or NaN. Minus infinity gives 0. */
static double probability_of(uint16_t half)
{
    double logarithm = (double)pst_half_to_f32(half);
    return logarithm <= 0 ? exp(logarithm) : (double)NAN;
}

pst_fault pst_top_restore(const struct pst_target *target, const uint16_t *chosen, const uint16_t *logs,
                          uint16_t tail, float *row, double *scratch)
{
    size_t classes = target->classes, k = target->kept;
    double sum = probability_of(tail), each = sum / (double)(classes - k);
    for (size_t c = 0; c < classes; c++)
        scratch[c] = -1;
    for (size_t i = 0; i < k; i++) {
        if (chosen[i] >= classes)
            return "a class that it names is not one of the classes";
        if (scratch[chosen[i]] >= 0)
            return "it names a class twice";
        double probability = probability_of(logs[i]);
        sum += probability;
        scratch[chosen[i]] = isnan(probability) ? 0 : probability;
    }
    if (!(fabs(sum - 1) < 0.01)) /* a log-probability from -16 to -8 is up to a 256th off */
        return "its log-probabilities are not a distribution's";
    for (size_t c = 0; c < classes; c++)
        row[c] = (float)((scratch[c] < 0 ? each : scratch[c]) / sum);
    return NULL;
}
