/* Differences from frame to frame, as Kaldi's DeltaFeatures has them: beyond the ends of a wave its first and
 * last frame are repeated. */
#include "lib/data/sound/features.h"

#define REACH 2 /* frames on either side that the first differences use */
#define ORDERS 2

/* The frame at a distance from another, or the one at the end. */
static size_t frame_at(size_t frame, int distance, size_t count)
{
    if (distance < 0)
        return frame < (size_t)-distance ? 0 : frame - (size_t)-distance;
    return count - 1 - frame < (size_t)distance ? count - 1 : frame + (size_t)distance;
}

/* The differences of one order: the sum of weights[reach + d] · frame[t + d]. */
static void fill(float *frames, size_t count, size_t width, size_t numbers, size_t order,
                 const double *weights, int reach)
{
    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < numbers; i++) {
            double sum = 0;
            for (int d = -reach; d <= reach; d++)
                sum += weights[reach + d] * (double)frames[frame_at(t, d, count) * width + i];
            frames[t * width + order * numbers + i] = (float)sum;
        }
}

void pst_deltas_fill(float *frames, size_t count, size_t numbers, size_t orders)
{
    double weights[2 * REACH * ORDERS + 1] = { 1 };
    for (size_t order = 1; order <= orders && order <= ORDERS; order++) {
        /* d / 10 for d = -2 … 2, the slope of a line through five frames; once more for each order. */
        double next[2 * REACH * ORDERS + 1] = { 0 };
        for (size_t i = 0; i <= 2 * REACH * (order - 1); i++)
            for (size_t d = 0; d <= 2 * REACH; d++)
                next[i + d] += weights[i] * ((double)d - REACH) / 10;
        for (size_t i = 0; i <= 2 * REACH * ORDERS; i++)
            weights[i] = next[i];
        fill(frames, count, (1 + orders) * numbers, numbers, order, weights, (int)(REACH * order));
    }
}
