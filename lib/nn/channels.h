/*
 * channels.h: maps whose channels stand together, [height, width, channels], which is oneDNN's fastest
 * layout: every place is a row of channels. The functions are loops over rows, in single precision, with
 * sums over many rows in double. They never change the order of a sum, so every clone of a kernel gives the
 * same bits.
 */
#ifndef PIPESTILL_NN_CHANNELS_H
#define PIPESTILL_NN_CHANNELS_H

#include "pipestill/layers.h"

/* Whether the two orders of channels differ in memory. */
bool pst_shape_moves(const struct pst_shape *shape);

/* Copies [n, shape] from one order of channels to the other. Both must be different memory. */
void pst_channels_to_last(const struct pst_shape *shape, size_t n, const float *first, float *last);
void pst_channels_to_first(const struct pst_shape *shape, size_t n, const float *last, float *first);

/* last[n, shape] += first, whose channels are first. */
void pst_channels_add_to_last(const struct pst_shape *shape, size_t n, const float *first, float *last);

/* The maps of a batch, one row of channels for each place of each sample. */
struct pst_channels {
    size_t rows, channels;
    struct pst_team *team; /* or NULL */
    float *scratch;        /* [pst_channels_scratch] */
};

/* Floats of memory that the functions below need for so many channels. */
size_t pst_channels_scratch(size_t channels);

/* Mean, and sum of the squares around it, of each channel of values[rows, channels]. */
void pst_channels_measure(const struct pst_channels *maps, const float *values, double *mean,
                          double *squares);

/* A change of each channel: (value - middle) · factor + offset, and then, if relu, 0 for values below 0. */
struct pst_channels_change {
    const float *middle, *factor, *offset; /* [channels] */
    bool relu;
};

/* outputs[rows, channels] of values; both may be the same memory. */
void pst_channels_change(const struct pst_channels *maps, const struct pst_channels_change *change,
                         const float *values, float *outputs);

/* The gradient at element i before ReLU: 0 if the output is 0. Without ReLU it is the gradient itself, and
 * the outputs are not read. */
static inline float pst_behind_relu(const float *gradient, const float *outputs, size_t i, bool relu)
{
    float g = gradient[i];
    return !relu || outputs[i] > 0 ? g : 0;
}

/*
 * The way back through a change. gradient, outputs: [rows, channels], of the change's results. sums,
 * products: receive, for each channel, the sum of the gradient and of its products with (value - middle).
 */
void pst_channels_sums(const struct pst_channels *maps, const struct pst_channels_change *change,
                       const float *values, const float *outputs, const float *gradient, double *sums,
                       double *products);

/* Numbers for a gradient before a change: a · gradient + b · (value - middle) + c; [channels] each. */
struct pst_channels_blend {
    const float *a, *b, *c;
};

/* result[rows, channels]; result and gradient may be the same memory. */
void pst_channels_blend(const struct pst_channels *maps, const struct pst_channels_change *change,
                        const struct pst_channels_blend *blend, const float *values, const float *outputs,
                        const float *gradient, float *result);

/* One place of the windows of a row of outputs: `count` rows of channels, with `step` floats from the start
 * of one to that of the next. */
struct pst_channels_row {
    size_t count, step, channels;
};

/* best[count, channels] becomes the larger of itself and values. where: NULL, or receives `place` for those
 * that come from values. NaN counts as larger. */
void pst_channels_larger(const struct pst_channels_row *row, const float *values, uint32_t place, float *best,
                         uint32_t *where);

/* The way back: values = gradient[count, channels] for outputs that come from this place, otherwise 0. add:
 * this is added to values instead. */
void pst_channels_largest_back(const struct pst_channels_row *row, const float *gradient,
                               const uint32_t *where, uint32_t place, bool add, float *values);

/* The largest numbers of windows. from: each before its change; where: its place; both NULL if they are not
 * needed.
 */
struct pst_channels_largest {
    float *best, *from;
    uint32_t *where;
};

/* The same, from element `at` on. */
struct pst_channels_largest pst_channels_largest_at(const struct pst_channels_largest *largest, size_t at);

/* As pst_channels_larger, but values are changed first, and place 0, which must come first, overwrites. */
void pst_channels_larger_changed(const struct pst_channels_row *row, const struct pst_channels_change *change,
                                 const float *values, uint32_t place,
                                 const struct pst_channels_largest *largest);

/* The largest numbers on the way back: their gradient, the numbers, and their places. */
struct pst_channels_back {
    const float *gradient, *outputs;
    const uint32_t *where;
};

/* As pst_channels_blend; the gradient of outputs that do not come from this place counts as 0. */
void pst_channels_blend_largest(const struct pst_channels_row *row, const struct pst_channels_change *change,
                                const struct pst_channels_blend *blend, const struct pst_channels_back *back,
                                const float *values, uint32_t place, float *result);

#endif
