/* The order of an epoch. */
#include "pipestill/data.h"

#include <string.h>

/* Fisher and Yates's shuffle, from the end (Durstenfeld 1964). */
void pst_shuffle(const struct pst_selection *selection, uint64_t seed, uint64_t epoch, size_t *order)
{
    memcpy(order, selection->indices, selection->count * sizeof *order);
    struct pst_random random;
    pst_random_start(&random, seed, PST_RANDOM_ORDER, epoch, 0);
    for (size_t left = selection->count; left > 1; left--) {
        size_t chosen = (size_t)pst_random_below(&random, left);
        size_t last = order[left - 1];
        order[left - 1] = order[chosen];
        order[chosen] = last;
    }
}
