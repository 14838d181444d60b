/* pooling.h: what the poolings over windows have in common. */
#ifndef PIPESTILL_NN_POOLING_H
#define PIPESTILL_NN_POOLING_H

#include "lib/nn/channels.h"
#include "lib/nn/layers/window.h"

/* Reads "maxpool3x3,stride=2,pad=1" into a window. name: "maxpool". The default stride is the kernel. */
PST_CHECKED bool pst_pooling_parse(const char *name, const char *word, struct pst_window *window);

/* Writes the word that pst_pooling_parse reads. */
void pst_pooling_describe(const char *name, const struct pst_window *window, FILE *text);

/* One output of a layer. */
struct pst_pooling_place {
    size_t at;                     /* in the outputs, [n, maps, height, width] */
    size_t map;                    /* where the map below begins in the inputs */
    size_t y, x;                   /* of the output in its map */
    struct pst_reach down, across; /* the part of the window that is inside */
};

/* Output `at` of a layer. */
struct pst_pooling_place pst_pooling_place(const struct pst_window *window, size_t at);

/* The outputs of one row of one sample for which one place of the window is inside; row.count 0: none. */
struct pst_pooling_line {
    struct pst_channels_row row;
    size_t from, to; /* of the first: in the inputs, and in the outputs */
};

/* The line of row y for place i, j of the window, if channels are last. */
struct pst_pooling_line pst_pooling_line(const struct pst_window *window, size_t channels, size_t sample,
                                         size_t y, size_t i, size_t j);

/* Whether every input is under exactly one window. */
bool pst_pooling_tiles(const struct pst_window *window);

/* The input below place i, j of the window. */
static inline size_t pst_pooling_input(const struct pst_window *window, const struct pst_pooling_place *place,
                                       size_t i, size_t j)
{
    return place->map + pst_window_at(window, 0, place->y, i) * window->in[1] +
           pst_window_at(window, 1, place->x, j);
}

#endif
