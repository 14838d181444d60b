/* Sums and changes of channels that are last; channels.h says what each computes. */
#include "lib/nn/channels.h"

#include "lib/nn/passes.h"
#include "pipestill/vectorised.h"

#include <math.h>
#include <string.h>

/* ---- several rows as one ------------------------------------------------------------------------------- */

/*
 * Few channels do not fill a vector, so several rows are taken at once: `period` numbers, a multiple of
 * LANES, after which the channels repeat.
 */
#define LANES 16
#define MANY 256 /* so many channels fill vectors by themselves */

static size_t period_of(size_t channels)
{
    size_t rows = 1;
    while (channels < MANY && channels * rows % LANES != 0)
        rows *= 2;
    return channels * rows;
}

/* Sums are made in so many parts, whatever the number of threads, and the parts are added in their order. */
#define PARTS 8

/* Memory of one part, in lanes of a period each: three quantities, and twice two sums in double. */
enum { MOST_LANES = 11 };

size_t pst_channels_scratch(size_t channels)
{
    return PARTS * MOST_LANES * pst_aligned(period_of(channels));
}

static float *lanes_of(float *scratch, size_t period, size_t which)
{
    return scratch + which * pst_aligned(period);
}

/* Repeats the values of the channels over a period. */
static const float *repeat(const float *values, size_t channels, size_t period, float *lanes)
{
    for (size_t at = 0; at < period; at += channels)
        memcpy(lanes + at, values, channels * sizeof *lanes);
    return lanes;
}

/* Adds the lanes to sums[channels], and makes the lanes 0. */
static void fold(float *lanes, size_t channels, size_t period, double *sums)
{
    for (size_t at = 0; at < period; at++)
        sums[at % channels] += (double)lanes[at];
    memset(lanes, 0, period * sizeof *lanes);
}

/* About so many numbers are summed in single precision, and then added to a sum in double. Two blocks that
 * are read together fit into the second-level cache. */
#define BLOCK 16384

/* The block, in whole periods. */
static size_t block_of(size_t period)
{
    return period >= BLOCK ? period : BLOCK / period * period;
}

/* Some of the numbers of maps, in whole blocks except for the last one. */
struct piece {
    size_t begin, end, block;
};

static struct piece piece_of(const struct pst_channels *maps, size_t part)
{
    size_t count = maps->rows * maps->channels, block = block_of(period_of(maps->channels));
    size_t blocks = (count + block - 1) / block, end = blocks * (part + 1) / PARTS * block;
    return (struct piece){ blocks * part / PARTS * block, end < count ? end : count, block };
}

static float *scratch_of(const struct pst_channels *maps, size_t part)
{
    return maps->scratch + part * MOST_LANES * pst_aligned(period_of(maps->channels));
}

/* What all parts of a piece of work share; each kind of work uses some of it. */
struct work {
    const struct pst_channels *maps;
    size_t period;
    const struct pst_channels_change *change;
    const float *middle, *factor, *offset; /* repeated */
    struct pst_channels_blend blend;       /* repeated */
    const float *values, *outputs, *gradient;
    float *result;
};

/* ---- mean and squares ---------------------------------------------------------------------------------- */

VECTORISED static void add_values(const float *restrict values, size_t count, size_t period,
                                  float *restrict lanes)
{
    for (size_t at = 0; at < count; at += period) {
        size_t here = count - at < period ? count - at : period;
        for (size_t i = 0; i < here; i++)
            lanes[i] += values[at + i];
    }
}

VECTORISED static void add_squares(const float *restrict values, size_t count, size_t period,
                                   const float *restrict middle, float *restrict off, float *restrict squares)
{
    for (size_t at = 0; at < count; at += period) {
        size_t here = count - at < period ? count - at : period;
        for (size_t i = 0; i < here; i++) {
            float away = values[at + i] - middle[i];
            off[i] += away;
            squares[i] += away * away;
        }
    }
}

/* Adds the mean and squares of `rows` rows to those of `before` rows (Chan, Golub, LeVeque 1979). */
static void take_in(double *mean, double *squares, double before, double rows, double own, double own_squares)
{
    double away = own - *mean;
    *squares += own_squares + away * away * before * rows / (before + rows);
    *mean += away * rows / (before + rows);
}

/* Adds a block. sums, around: of its values' differences from the middle, and of their squares. */
static void merge(size_t channels, double before, double rows, const double *sums, const double *around,
                  const float *middle, double *mean, double *squares)
{
    for (size_t c = 0; c < channels; c++) {
        double off = sums[c] / rows;
        take_in(&mean[c], &squares[c], before, rows, (double)middle[c] + off, around[c] - rows * off * off);
    }
}

/* Mean and squares of one part, [2, channels]. */
static double *measured(const struct pst_channels *maps, size_t part)
{
    return (double *)(void *)lanes_of(scratch_of(maps, part), period_of(maps->channels), 7);
}

static void measure_part(const void *context, size_t part)
{
    const struct work *work = context;
    const struct pst_channels *maps = work->maps;
    const float *values = work->values;
    size_t channels = maps->channels, period = period_of(channels);
    struct piece piece = piece_of(maps, part);
    float *scratch = scratch_of(maps, part), *lanes = lanes_of(scratch, period, 0),
          *middle = lanes_of(scratch, period, 1), *others = lanes_of(scratch, period, 2);
    double *sums = (double *)(void *)lanes_of(scratch, period, 3), *around = sums + channels,
           *mean = measured(maps, part), *squares = mean + channels;
    memset(lanes, 0, period * sizeof *lanes);
    memset(others, 0, period * sizeof *others);
    memset(mean, 0, 2 * channels * sizeof *mean);
    for (size_t at = piece.begin; at < piece.end; at += piece.block) {
        size_t here = piece.end - at < piece.block ? piece.end - at : piece.block;
        size_t rows = here / channels, before = (at - piece.begin) / channels;
        memset(sums, 0, 2 * channels * sizeof *sums);
        add_values(values + at, here, period, lanes);
        fold(lanes, channels, period, sums);
        for (size_t i = 0; i < period; i++)
            middle[i] = (float)(sums[i % channels] / (double)rows);
        memset(sums, 0, channels * sizeof *sums);
        add_squares(values + at, here, period, middle, lanes, others);
        fold(lanes, channels, period, sums);
        fold(others, channels, period, around);
        merge(channels, (double)before, (double)rows, sums, around, middle, mean, squares);
    }
}

void pst_channels_measure(const struct pst_channels *maps, const float *values, double *mean, double *squares)
{
    const struct work work = { .maps = maps, .values = values };
    double before = 0;
    pst_parallel(maps->team, PARTS, measure_part, &work);
    memset(mean, 0, maps->channels * sizeof *mean);
    memset(squares, 0, maps->channels * sizeof *squares);
    for (size_t part = 0; part < PARTS; part++) {
        struct piece piece = piece_of(maps, part);
        size_t count = (piece.end - piece.begin) / maps->channels;
        double rows = (double)count;
        const double *own = measured(maps, part);
        for (size_t c = 0; rows > 0 && c < maps->channels; c++)
            take_in(&mean[c], &squares[c], before, rows, own[c], own[maps->channels + c]);
        before += rows;
    }
}

/* ---- changes ------------------------------------------------------------------------------------------- */

VECTORISED static void change_values(const float *values, size_t count, size_t period,
                                     const float *restrict middle, const float *restrict factor,
                                     const float *restrict offset, bool relu, float *outputs)
{
    float least = relu ? 0 : -INFINITY;
    for (size_t at = 0; at < count; at += period) {
        size_t here = count - at < period ? count - at : period;
        for (size_t i = 0; i < here; i++) {
            float value = (values[at + i] - middle[i]) * factor[i] + offset[i];
            outputs[at + i] = value < least ? 0 : value;
        }
    }
}

static void change_part(const void *context, size_t part)
{
    const struct work *work = context;
    struct piece piece = piece_of(work->maps, part);
    change_values(work->values + piece.begin, piece.end - piece.begin, work->period, work->middle,
                  work->factor, work->offset, work->change->relu, work->result + piece.begin);
}

void pst_channels_change(const struct pst_channels *maps, const struct pst_channels_change *change,
                         const float *values, float *outputs)
{
    size_t channels = maps->channels, period = period_of(channels);
    float *scratch = maps->scratch;
    const struct work work = {
        .maps = maps,
        .period = period,
        .change = change,
        .middle = repeat(change->middle, channels, period, lanes_of(scratch, period, 0)),
        .factor = repeat(change->factor, channels, period, lanes_of(scratch, period, 1)),
        .offset = repeat(change->offset, channels, period, lanes_of(scratch, period, 2)),
        .values = values,
        .result = outputs,
    };
    pst_parallel(maps->team, PARTS, change_part, &work);
}

/* ---- and back ------------------------------------------------------------------------------------------ */

INLINE void add_products(const float *restrict values, const float *restrict outputs,
                         const float *restrict gradient, size_t count, size_t period,
                         const float *restrict middle, bool relu, float *restrict sums,
                         float *restrict products)
{
    for (size_t at = 0; at < count; at += period) {
        size_t here = count - at < period ? count - at : period;
        for (size_t i = 0; i < here; i++) {
            float g = pst_behind_relu(gradient, outputs, at + i, relu);
            sums[i] += g;
            products[i] += g * (values[at + i] - middle[i]);
        }
    }
}

VECTORISED static void add_some_products(const float *values, const float *outputs, const float *gradient,
                                         size_t count, size_t period, const float *middle, bool relu,
                                         float *sums, float *products)
{
    if (relu)
        add_products(values, outputs, gradient, count, period, middle, true, sums, products);
    else
        add_products(values, outputs, gradient, count, period, middle, false, sums, products);
}

/* The sums of one part, [2, channels]. */
static void sum_part(const void *context, size_t part)
{
    const struct work *work = context;
    const struct pst_channels *maps = work->maps;
    size_t channels = maps->channels, period = period_of(channels);
    struct piece piece = piece_of(maps, part);
    float *scratch = scratch_of(maps, part), *some = lanes_of(scratch, period, 1),
          *others = lanes_of(scratch, period, 2);
    const float *middle = repeat(work->change->middle, channels, period, lanes_of(scratch, period, 0));
    double *sums = measured(maps, part);
    memset(some, 0, period * sizeof *some);
    memset(others, 0, period * sizeof *others);
    memset(sums, 0, 2 * channels * sizeof *sums);
    for (size_t at = piece.begin; at < piece.end; at += piece.block) {
        size_t here = piece.end - at < piece.block ? piece.end - at : piece.block;
        add_some_products(work->values + at, work->outputs + at, work->gradient + at, here, period, middle,
                          work->change->relu, some, others);
        fold(some, channels, period, sums);
        fold(others, channels, period, sums + channels);
    }
}

void pst_channels_sums(const struct pst_channels *maps, const struct pst_channels_change *change,
                       const float *values, const float *outputs, const float *gradient, double *sums,
                       double *products)
{
    const struct work work = {
        .maps = maps, .change = change, .values = values, .outputs = outputs, .gradient = gradient
    };
    pst_parallel(maps->team, PARTS, sum_part, &work);
    memset(sums, 0, maps->channels * sizeof *sums);
    memset(products, 0, maps->channels * sizeof *products);
    for (size_t part = 0; part < PARTS; part++)
        for (size_t c = 0; c < maps->channels; c++) {
            sums[c] += measured(maps, part)[c];
            products[c] += measured(maps, part)[maps->channels + c];
        }
}

INLINE void blend_values(const float *restrict values, const float *restrict outputs, const float *gradient,
                         size_t count, size_t period, const float *restrict middle,
                         const struct pst_channels_blend *blend, bool relu, float *result)
{
    const float *restrict a = blend->a, *restrict b = blend->b, *restrict c = blend->c;
    for (size_t at = 0; at < count; at += period) {
        size_t here = count - at < period ? count - at : period;
        for (size_t i = 0; i < here; i++)
            result[at + i] = a[i] * pst_behind_relu(gradient, outputs, at + i, relu) +
                             b[i] * (values[at + i] - middle[i]) + c[i];
    }
}

VECTORISED static void blend_some(const float *values, const float *outputs, const float *gradient,
                                  size_t count, size_t period, const float *restrict middle,
                                  const struct pst_channels_blend *blend, bool relu, float *result)
{
    if (relu)
        blend_values(values, outputs, gradient, count, period, middle, blend, true, result);
    else
        blend_values(values, outputs, gradient, count, period, middle, blend, false, result);
}

static void blend_part(const void *context, size_t part)
{
    const struct work *work = context;
    struct piece piece = piece_of(work->maps, part);
    size_t at = piece.begin;
    blend_some(work->values + at, work->outputs + at, work->gradient + at, piece.end - at, work->period,
               work->middle, &work->blend, work->change->relu, work->result + at);
}

void pst_channels_blend(const struct pst_channels *maps, const struct pst_channels_change *change,
                        const struct pst_channels_blend *blend, const float *values, const float *outputs,
                        const float *gradient, float *result)
{
    size_t channels = maps->channels, period = period_of(channels);
    float *scratch = maps->scratch;
    const struct work work = {
        .maps = maps,
        .period = period,
        .change = change,
        .middle = repeat(change->middle, channels, period, lanes_of(scratch, period, 0)),
        .blend = { repeat(blend->a, channels, period, lanes_of(scratch, period, 1)),
                   repeat(blend->b, channels, period, lanes_of(scratch, period, 2)),
                   repeat(blend->c, channels, period, lanes_of(scratch, period, 3)) },
        .values = values,
        .outputs = outputs,
        .gradient = gradient,
        .result = result,
    };
    pst_parallel(maps->team, PARTS, blend_part, &work);
}
