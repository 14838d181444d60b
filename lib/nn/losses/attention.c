/*
 * attention: attention transfer (Zagoruyko, Komodakis 2017, section 3.1). The map of a layer is at each
 * place the sum of squares over its channels, q_p = Σ_c a_cp². The loss compares maps of length 1:
 * ‖q / ‖q‖ - k / ‖k‖‖², k the map of the hint. With d their difference, the gradient by a_cp is
 * 4 a_cp (d_p - q_p (q · d) / ‖q‖²) / ‖q‖. Their code takes the mean over places, this one the sum.
 */
#include "lib/nn/losses/losses.h"

#include <math.h>

enum { BLOCK = 64 }; /* places that are summed at once */

/* The least length of a map, as in PyTorch's normalize: a shorter one is nothing but rounding errors. */
#define SHORTEST 1e-12

struct map {
    const float *values; /* [channels, area] */
    size_t channels, area;
    double length; /* of the sums */
};

/* The sums at `count` places from `at` on. */
static void sum_places(const struct map *map, size_t at, size_t count, double sums[BLOCK])
{
    for (size_t p = 0; p < count; p++)
        sums[p] = 0;
    for (size_t c = 0; c < map->channels; c++)
        for (size_t p = 0; p < count; p++) {
            double value = (double)map->values[c * map->area + at + p];
            sums[p] += value * value;
        }
}

static size_t block_at(const struct map *map, size_t at)
{
    return map->area - at < BLOCK ? map->area - at : BLOCK;
}

/* Finds the lengths of both maps; returns the product of the maps of length 1. */
static double measure(struct map *own, struct map *other)
{
    double q[BLOCK], k[BLOCK], own_square = 0, other_square = 0, product = 0;
    for (size_t at = 0; at < own->area; at += BLOCK) {
        size_t count = block_at(own, at);
        sum_places(own, at, count, q);
        sum_places(other, at, count, k);
        for (size_t p = 0; p < count; p++) {
            own_square += q[p] * q[p];
            other_square += k[p] * k[p];
            product += q[p] * k[p];
        }
    }
    own->length = fmax(sqrt(own_square), SHORTEST);
    other->length = fmax(sqrt(other_square), SHORTEST);
    return product / own->length / other->length;
}

/* q · d of maps of length 1: the effect of a change of the length alone. It is 0 for a map that is too
 * short, because that is divided by a constant, not by its length. */
static double along(const struct map *own, double product)
{
    return own->length > SHORTEST ? 1 - product : 0;
}

static void add_gradient(const struct map *own, size_t at, size_t count, const double *by_sum, double weight,
                         float *gradient)
{
    for (size_t c = 0; c < own->channels; c++)
        for (size_t p = 0; p < count; p++) {
            size_t i = c * own->area + at + p;
            gradient[i] += (float)(weight * 2 * (double)own->values[i] * by_sum[p]);
        }
}

static double row(const struct pst_loss_term *term, const float *outputs, const void *target, size_t count,
                  double weight, float *gradient)
{
    size_t channels = term->maps[0] > 0 ? term->maps[0] : 1, others = term->maps[1] > 0 ? term->maps[1] : 1;
    struct map own = { .values = outputs, .channels = channels, .area = count / channels };
    struct map other = { .values = target, .channels = others, .area = own.area };
    double q[BLOCK], k[BLOCK], sum = 0, length = along(&own, measure(&own, &other));
    for (size_t at = 0; at < own.area; at += BLOCK) {
        size_t places = block_at(&own, at);
        sum_places(&own, at, places, q);
        sum_places(&other, at, places, k);
        for (size_t p = 0; p < places; p++) {
            double unit = q[p] / own.length, difference = unit - k[p] / other.length;
            sum += difference * difference;
            q[p] = 2 * (difference - unit * length) / own.length;
        }
        if (gradient != NULL)
            add_gradient(&own, at, places, q, weight, gradient);
    }
    return sum;
}

const struct pst_loss_type pst_loss_attention = {
    .name = "attention",
    .help = "squared difference of the attention maps of a layer and a hint",
    .target = PST_TARGET_HINT,
    .row = row,
};
