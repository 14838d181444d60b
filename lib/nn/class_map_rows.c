/* Rows of logits and probabilities, mapped to other classes and back. The arithmetic is in double. */
#include "pipestill/class_map.h"

#include <math.h>
#include <string.h>

/* For maps in which every new class is one old class: copying is exact. */
static void gather(const struct pst_class_map *map, const float *from, float *to)
{
    const uint32_t *members = map->members;
    for (size_t c = 0; c < map->to; c++)
        to[c] = from[members[c]];
}

/* ---- probabilities ------------------------------------------------------------------------------------- */

static void add_up(const struct pst_class_map *map, const float *from, float *to)
{
    for (size_t c = 0; c < map->to; c++) {
        size_t at = map->begin[c], end = map->begin[c + 1];
        double sum = (double)from[map->members[at]];
        while (++at < end)
            sum += (double)from[map->members[at]];
        to[c] = (float)sum;
    }
}

/* Divides a row by the sum of the classes that stay. Returns the share that was left out. */
static double renormalise(const struct pst_class_map *map, const float *from, float *to)
{
    double left = 0, lost = 0;
    for (size_t i = 0; i < map->from; i++) {
        if (map->new_of[i] >= 0)
            left += (double)from[i];
        else
            lost += (double)from[i];
    }
    for (size_t c = 0; c < map->to; c++) {
        size_t at = map->begin[c], end = map->begin[c + 1];
        double sum = (double)from[map->members[at]];
        while (++at < end)
            sum += (double)from[map->members[at]];
        to[c] = left > 0 ? (float)(sum / left) : 0;
    }
    return left + lost > 0 ? lost / (left + lost) : 1;
}

void pst_class_map_probabilities(const struct pst_class_map *map, const float *from, float *to, size_t n,
                                 double *dropped)
{
    for (size_t i = 0; i < n; i++, from += map->from, to += map->to) {
        double lost = 0;
        if (map->dropped > 0)
            lost = renormalise(map, from, to);
        else if (map->plain)
            gather(map, from, to);
        else
            add_up(map, from, to);
        if (dropped != NULL)
            dropped[i] = lost;
    }
}

/* ---- logits -------------------------------------------------------------------------------------------- */

static void merge(const struct pst_class_map *map, const float *from, float *to)
{
    for (size_t c = 0; c < map->to; c++) {
        size_t begin = map->begin[c], end = map->begin[c + 1];
        float largest = from[map->members[begin]];
        for (size_t at = begin + 1; at < end; at++)
            largest = from[map->members[at]] > largest ? from[map->members[at]] : largest;
        double sum = 0;
        for (size_t at = begin; at < end && end > begin + 1; at++)
            sum += exp((double)from[map->members[at]] - (double)largest);
        to[c] = end == begin + 1 ? largest : (float)((double)largest + log(sum));
    }
}

/* The share of softmax at temperature 1 that is left out. */
static double lost_share(const struct pst_class_map *map, const float *from)
{
    double largest = (double)from[0], sums[2] = { 0, 0 };
    for (size_t i = 1; i < map->from; i++)
        largest = (double)from[i] > largest ? (double)from[i] : largest;
    for (size_t i = 0; i < map->from; i++)
        sums[map->new_of[i] >= 0] += exp((double)from[i] - largest);
    return sums[0] / (sums[0] + sums[1]);
}

void pst_class_map_logits(const struct pst_class_map *map, const float *from, float *to, size_t n,
                          double *dropped)
{
    for (size_t i = 0; i < n; i++, from += map->from, to += map->to) {
        if (map->plain)
            gather(map, from, to);
        else
            merge(map, from, to);
        if (dropped != NULL)
            dropped[i] = map->dropped > 0 ? lost_share(map, from) : 0;
    }
}

/* ---- the likeliest ------------------------------------------------------------------------------------- */

bool pst_class_is_likely(const float *row, const bool *inside, size_t classes, size_t most)
{
    size_t best = classes, ahead = 0;
    for (size_t c = 0; c < classes; c++)
        if (inside[c] && (best == classes || row[c] > row[best]))
            best = c;
    if (best == classes)
        return false;
    for (size_t c = 0; c < classes; c++)
        ahead += row[c] > row[best] || (row[c] == row[best] && c < best);
    return ahead < most;
}

void pst_class_likeliest(const float *row, size_t classes, size_t most, uint32_t *likeliest)
{
    for (size_t k = 0; k < most; k++) {
        size_t best = classes, last = k > 0 ? likeliest[k - 1] : 0;
        for (size_t c = 0; c < classes; c++) {
            bool behind = k == 0 || row[c] < row[last] || (row[c] == row[last] && c > last);
            if (behind && (best == classes || row[c] > row[best]))
                best = c;
        }
        likeliest[k] = (uint32_t)best;
    }
}

/* ---- back ---------------------------------------------------------------------------------------------- */

void pst_class_unmap_probabilities(const struct pst_class_map *map, const float *from, float *to, size_t n)
{
    for (size_t i = 0; i < n; i++, from += map->to, to += map->from) {
        if (map->dropped > 0)
            memset(to, 0, map->from * sizeof *to);
        for (size_t c = 0; c < map->to; c++)
            for (size_t at = map->begin[c]; at < map->begin[c + 1]; at++)
                to[map->members[at]] = (float)((double)from[c] * map->shares[at]);
    }
}

static void fill_floor(const struct pst_class_map *map, const float *from, float *to)
{
    float largest = from[0];
    for (size_t c = 1; c < map->to; c++)
        largest = from[c] > largest ? from[c] : largest;
    for (size_t i = 0; i < map->from; i++)
        to[i] = (float)((double)largest - PST_CLASS_MAP_DEPTH);
}

void pst_class_unmap_logits(const struct pst_class_map *map, const float *from, float *to, size_t n)
{
    for (size_t i = 0; i < n; i++, from += map->to, to += map->from) {
        if (map->dropped > 0)
            fill_floor(map, from, to);
        for (size_t c = 0; c < map->to; c++) {
            size_t at = map->begin[c], end = map->begin[c + 1];
            if (end == at + 1) { /* exact, for −0 as well */
                to[map->members[at]] = from[c];
                continue;
            }
            for (; at < end; at++)
                to[map->members[at]] = (float)((double)from[c] + map->log_shares[at]);
        }
    }
}
