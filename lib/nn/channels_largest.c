/* The largest numbers of windows over channels that are last; channels.h says what each computes. */
#include "lib/nn/channels.h"

#include "pipestill/vectorised.h"

#include <math.h>

INLINE void take_larger(const struct pst_channels_row *row, const float *restrict values, uint32_t place,
                        float *restrict best, uint32_t *restrict where, bool remember)
{
    for (size_t x = 0; x < row->count; x++)
        for (size_t c = 0; c < row->channels; c++) {
            size_t to = x * row->channels + c;
            float value = values[x * row->step + c];
            bool larger = value > best[to] || value != value;
            best[to] = larger ? value : best[to];
            if (remember)
                where[to] = larger ? place : where[to];
        }
}

VECTORISED void pst_channels_larger(const struct pst_channels_row *row, const float *values, uint32_t place,
                                    float *best, uint32_t *where)
{
    if (where != NULL)
        take_larger(row, values, place, best, where, true);
    else
        take_larger(row, values, place, best, where, false);
}

INLINE void put_back(const struct pst_channels_row *row, const float *restrict gradient,
                     const uint32_t *restrict where, uint32_t place, bool add, float *restrict values)
{
    for (size_t x = 0; x < row->count; x++)
        for (size_t c = 0; c < row->channels; c++) {
            size_t from = x * row->channels + c, to = x * row->step + c;
            float here = where[from] == place ? gradient[from] : 0;
            values[to] = add ? values[to] + here : here;
        }
}

VECTORISED void pst_channels_largest_back(const struct pst_channels_row *row, const float *restrict gradient,
                                          const uint32_t *restrict where, uint32_t place, bool add,
                                          float *restrict values)
{
    if (add)
        put_back(row, gradient, where, place, true, values);
    else
        put_back(row, gradient, where, place, false, values);
}

/* ---- changes and the largest at once ------------------------------------------------------------------- */

struct pst_channels_largest pst_channels_largest_at(const struct pst_channels_largest *largest, size_t at)
{
    return (struct pst_channels_largest){ largest->best + at,
                                          largest->from == NULL ? NULL : largest->from + at,
                                          largest->where == NULL ? NULL : largest->where + at };
}

INLINE void take_changed(const struct pst_channels_row *row, const struct pst_channels_change *change,
                         const float *restrict values, uint32_t place, float *restrict best,
                         float *restrict from, uint32_t *restrict where, bool first, bool remember)
{
    const float *restrict middle = change->middle, *restrict factor = change->factor,
                          *restrict offset = change->offset;
    float least = change->relu ? 0 : -INFINITY;
    for (size_t x = 0; x < row->count; x++)
        for (size_t c = 0; c < row->channels; c++) {
            size_t to = x * row->channels + c;
            float old = values[x * row->step + c], value = (old - middle[c]) * factor[c] + offset[c];
            value = value < least ? 0 : value;
            float before = first ? 0 : best[to];
            bool larger = first || value > before || value != value;
            best[to] = larger ? value : before;
            if (remember) {
                float old_before = first ? 0 : from[to];
                uint32_t place_before = first ? 0 : where[to];
                from[to] = larger ? old : old_before;
                where[to] = larger ? place : place_before;
            }
        }
}

VECTORISED void pst_channels_larger_changed(const struct pst_channels_row *row,
                                            const struct pst_channels_change *change, const float *values,
                                            uint32_t place, const struct pst_channels_largest *largest)
{
    if (largest->where == NULL && place == 0)
        take_changed(row, change, values, place, largest->best, NULL, NULL, true, false);
    else if (largest->where == NULL)
        take_changed(row, change, values, place, largest->best, NULL, NULL, false, false);
    else if (place == 0)
        take_changed(row, change, values, place, largest->best, largest->from, largest->where, true, true);
    else
        take_changed(row, change, values, place, largest->best, largest->from, largest->where, false, true);
}

INLINE void blend_largest(const struct pst_channels_row *row, const struct pst_channels_change *change,
                          const struct pst_channels_blend *blend, const struct pst_channels_back *back,
                          const float *restrict values, uint32_t place, bool relu, float *restrict result)
{
    const float *restrict middle = change->middle, *restrict a = blend->a, *restrict b = blend->b,
                          *restrict c = blend->c, *restrict gradient = back->gradient,
                          *restrict outputs = back->outputs;
    const uint32_t *restrict where = back->where;
    for (size_t x = 0; x < row->count; x++)
        for (size_t i = 0; i < row->channels; i++) {
            size_t from = x * row->channels + i, to = x * row->step + i;
            float g = pst_behind_relu(gradient, outputs, from, relu);
            g = where[from] == place ? g : 0;
            result[to] = a[i] * g + b[i] * (values[to] - middle[i]) + c[i];
        }
}

VECTORISED void pst_channels_blend_largest(const struct pst_channels_row *row,
                                           const struct pst_channels_change *change,
                                           const struct pst_channels_blend *blend,
                                           const struct pst_channels_back *back, const float *values,
                                           uint32_t place, float *result)
{
    if (change->relu)
        blend_largest(row, change, blend, back, values, place, true, result);
    else
        blend_largest(row, change, blend, back, values, place, false, result);
}
