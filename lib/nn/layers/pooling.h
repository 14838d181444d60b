/* pooling.h: what the poolings over windows have in common. */
#ifndef PIPESTILL_NN_POOLING_H
#define PIPESTILL_NN_POOLING_H

#include "lib/nn/layers/window.h"

/* Reads "maxpool3x3,stride=2,pad=1" into a window. name: "maxpool". The stride is the kernel unless it is
 * said.
 */
PST_CHECKED bool pst_pooling_parse(const char *name, const char *word, struct pst_window *window);

/* Writes what is read. */
void pst_pooling_describe(const char *name, const struct pst_window *window, FILE *text);

/* One output in a pass over all. {0} before the first. */
struct pst_pooling_place {
    size_t at;                     /* in the outputs, [n, maps, height, width] */
    size_t map;                    /* where the map below begins in the inputs */
    size_t y, x;                   /* of the output in its map */
    struct pst_reach down, across; /* what of the window is inside */
};

/* Goes to output `at` of a layer. */
struct pst_pooling_place pst_pooling_place(const struct pst_window *window, size_t at);

/* The input below place i, j of the window. */
static inline size_t pst_pooling_input(const struct pst_window *window, const struct pst_pooling_place *place,
                                       size_t i, size_t j)
{
    return place->map + pst_window_at(window, 0, place->y, i) * window->in[1] +
           pst_window_at(window, 1, place->x, j);
}

#endif
