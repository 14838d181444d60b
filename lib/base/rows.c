/* Sums of rows and searches in them. Numbers side by side go into lanes of their own, so that the loops can
 * be vectorised, and the lanes are put together in one order: every processor gives the same bits. */
#include "pipestill/base.h"
#include "pipestill/vectorised.h"

#include <float.h>

/* Of 16 lanes gcc makes 16 single numbers, not a vector. */
enum { SUMS = 8, LANES = 32 };

VECTORISED double pst_sum(const float *numbers, size_t count)
{
    double sums[SUMS] = { 0 }, all = 0;
    size_t i = 0;
    for (; i + SUMS <= count; i += SUMS)
        for (size_t lane = 0; lane < SUMS; lane++)
            sums[lane] += (double)numbers[i + lane];
    for (; i < count; i++)
        sums[0] += (double)numbers[i];
    for (size_t lane = 0; lane < SUMS; lane++)
        all += sums[lane];
    return all;
}

VECTORISED float pst_largest_number(const float *numbers, size_t count)
{
    float most[LANES];
    size_t i = 0;
    for (size_t lane = 0; lane < LANES; lane++)
        most[lane] = numbers[0];
    for (; i + LANES <= count; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            most[lane] = numbers[i + lane] > most[lane] ? numbers[i + lane] : most[lane];
    for (; i < count; i++)
        most[0] = numbers[i] > most[0] ? numbers[i] : most[0];
    for (size_t lane = 1; lane < LANES; lane++)
        most[0] = most[lane] > most[0] ? most[lane] : most[0];
    return most[0];
}

VECTORISED float pst_smallest_number(const float *numbers, size_t count)
{
    float least[LANES];
    size_t i = 0;
    for (size_t lane = 0; lane < LANES; lane++)
        least[lane] = FLT_MAX;
    for (; i + LANES <= count; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            least[lane] = numbers[i + lane] < least[lane] ? numbers[i + lane] : least[lane];
    for (; i < count; i++)
        least[0] = numbers[i] < least[0] ? numbers[i] : least[0];
    for (size_t lane = 1; lane < LANES; lane++)
        least[0] = least[lane] < least[0] ? least[lane] : least[0];
    return least[0];
}

size_t pst_largest(const float *numbers, size_t count)
{
    float most = pst_largest_number(numbers, count);
    for (size_t i = 0; i < count; i++)
        if (numbers[i] == most)
            return i;
    return 0; /* the first one is no number, and nothing is larger */
}
