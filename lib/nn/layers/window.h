/* window.h: a window that moves over maps: what convolutions and poolings have in common. Maps are
 * [channels, height, width]; the first of each pair is for the height. */
#ifndef PIPESTILL_NN_WINDOW_H
#define PIPESTILL_NN_WINDOW_H

#include "pipestill/layers.h"

struct pst_window {
    size_t kernel[2], stride[2], pad[2], dilation[2];
    size_t in[2], out[2]; /* settled */
};

/*
 * Settles the sizes of a layer's maps. layer: its input is known; receives the shape of its outputs, with so
 * many channels. Returns NULL, or what is wrong, as settle does.
 */
const char *pst_window_settle(struct pst_window *window, struct pst_layer *layer, size_t channels,
                              struct pst_settling *settling);

/* From `first` up to `end`. */
struct pst_reach {
    size_t first, end;
};

/* The places of the kernel that are inside of the maps, along one side, for output `out`. */
struct pst_reach pst_window_reach(const struct pst_window *window, size_t side, size_t out);

/* The outputs, along one side, whose window has place k of the kernel inside of the maps. */
struct pst_reach pst_window_outputs(const struct pst_window *window, size_t side, size_t k);

/* The input's place under place k of the kernel; only for those that are inside. */
static inline size_t pst_window_at(const struct pst_window *window, size_t side, size_t out, size_t k)
{
    return out * window->stride[side] + k * window->dilation[side] - window->pad[side];
}

/*
 * Columns of a matrix product: row (c, i, j) of columns has, for every place of the window, what is under
 * place i, j of the kernel in map c; 0 outside. maps: [channels, in]. columns: [channels · kernel] rows of
 * [out], with `pitch` floats from one row to the next.
 */
void pst_window_spread(const struct pst_window *window, const float *maps, size_t channels, float *columns,
                       size_t pitch);

/* And back: adds the columns to maps[channels, in]. */
void pst_window_gather(const struct pst_window *window, const float *columns, size_t channels, float *maps,
                       size_t pitch);

#endif
