/*
 * The largest elements under windows, for onednn_use.h. The channels of a place are gone through in blocks;
 * the last block reaches back into the one before it, because to take the larger one twice changes nothing.
 */
#include "lib/nn/kernels/onednn_use.h"
#include "lib/nn/layers/pooling.h"
#include "pipestill/vectorised.h"

#include <string.h>

/* A row of outputs, and the window of one of them, as far as it is inside of the maps. Steps are in bytes. */
struct under {
    const struct pst_largest *all;
    size_t y, size;    /* the row's number among those of all samples; bytes of an element */
    bool tiles;        /* every window is as the one before it, one stride on */
    const char *first; /* the channels of the window's first place */
    size_t rows, columns, row_step, column_step;
};

/* Goes to the window of output x. */
INLINE void go_to(struct under *under, size_t x)
{
    const struct pst_window *window = under->all->window;
    if (x > 0 && under->tiles) {
        under->first += window->stride[1] * under->column_step;
        return;
    }
    size_t y = under->y % window->out[0], sample = under->y / window->out[0];
    struct pst_reach down = pst_window_reach(window, 0, y), across = pst_window_reach(window, 1, x);
    size_t row = sample * window->in[0] + pst_window_at(window, 0, y, down.first);
    under->rows = down.end - down.first;
    under->columns = across.end - across.first;
    under->column_step = under->all->channels * under->size;
    under->row_step = window->in[1] * under->column_step;
    under->first = (const char *)under->all->values + row * under->row_step +
                   pst_window_at(window, 1, x, across.first) * under->column_step;
}

/* Defines name(under, best) for elements of a type, in blocks of so many bytes. best: receives the row; the
 * channels take no less than a block. */
#define LARGEST_IN_BLOCKS(name, type, bytes)                                                              \
    typedef type name##_block __attribute__((vector_size(bytes), aligned(sizeof(type)), may_alias));      \
    VECTORISED static void name(struct under *under, char *best)                                          \
    {                                                                                                     \
        for (size_t x = 0; x < under->all->window->out[1]; x++, best += under->column_step) {             \
            go_to(under, x);                                                                              \
            size_t last = under->column_step - (bytes), c = 0;                                            \
            do {                                                                                          \
                c = c < last ? c : last;                                                                  \
                name##_block most = { 0 };                                                                \
                for (size_t i = 0; i < under->rows; i++)                                                  \
                    for (size_t j = 0; j < under->columns; j++) {                                         \
                        const void *at = under->first + i * under->row_step + j * under->column_step + c; \
                        name##_block here = *(const name##_block *)at;                                    \
                        name##_block larger = (name##_block)(here > most);                                \
                        most = (here & larger) | (most & ~larger);                                        \
                    }                                                                                     \
                *(name##_block *)(void *)(best + c) = most;                                               \
                c += (bytes);                                                                             \
            } while (c < under->column_step);                                                             \
        }                                                                                                 \
    }

LARGEST_IN_BLOCKS(single_16, int16_t, 2)
LARGEST_IN_BLOCKS(narrow_16, int16_t, 16)
LARGEST_IN_BLOCKS(wide_16, int16_t, 32)
LARGEST_IN_BLOCKS(single_32, int32_t, 4)
LARGEST_IN_BLOCKS(narrow_32, int32_t, 16)
LARGEST_IN_BLOCKS(wide_32, int32_t, 32)

typedef void row_of_blocks(struct under *under, char *best);

static void largest_row(const struct pst_largest *all, size_t y, size_t size, row_of_blocks *const ways[3])
{
    size_t channels = all->channels * size;
    struct under under = { .all = all, .y = y, .size = size, .tiles = pst_pooling_tiles(all->window) };
    ways[channels < 16   ? 0
         : channels < 32 ? 1
                         : 2](&under, (char *)all->best + y * all->window->out[1] * channels);
}

static void row_16(const void *context, size_t y)
{
    static row_of_blocks *const ways[] = { single_16, narrow_16, wide_16 };
    largest_row(context, y, sizeof(int16_t), ways);
}

static void row_32(const void *context, size_t y)
{
    static row_of_blocks *const ways[] = { single_32, narrow_32, wide_32 };
    largest_row(context, y, sizeof(int32_t), ways);
}

void pst_largest_16(const struct pst_largest *largest)
{
    pst_parallel(largest->team, largest->n * largest->window->out[0], row_16, largest);
}

void pst_largest_32(const struct pst_largest *largest)
{
    pst_parallel(largest->team, largest->n * largest->window->out[0], row_32, largest);
}
