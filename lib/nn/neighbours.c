/* Nearest neighbours of rows that change between calls: a matrix product for a block of rows at a time, and
 * plain distances to rows that have changed since. */
#include "pipestill/neighbours.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BLOCK 128
#define MOST_PRODUCTS ((size_t)1 << 24) /* 64 MiB */

enum pst_status pst_neighbours_start(struct pst_neighbours *neighbours, size_t count, size_t width,
                                     struct pst_error *error)
{
    *neighbours = (struct pst_neighbours){ .count = count, .width = width };
    neighbours->block = MOST_PRODUCTS / count;
    if (neighbours->block > MOST_BLOCK)
        neighbours->block = MOST_BLOCK;
    if (neighbours->block == 0)
        neighbours->block = 1;
    neighbours->rows = pst_allocate(count, width * sizeof *neighbours->rows, error);
    neighbours->norms = pst_allocate(count, sizeof *neighbours->norms, error);
    neighbours->fresh = pst_allocate(count, sizeof *neighbours->fresh, error);
    neighbours->products = pst_allocate(neighbours->block, count * sizeof *neighbours->products, error);
    neighbours->changed = pst_allocate(count, sizeof *neighbours->changed, error);
    return neighbours->rows != NULL && neighbours->norms != NULL && neighbours->fresh != NULL &&
                   neighbours->products != NULL && neighbours->changed != NULL
               ? PST_OK
               : PST_TRY_AGAIN;
}

void pst_neighbours_free(struct pst_neighbours *neighbours)
{
    free(neighbours->rows);
    free(neighbours->norms);
    free(neighbours->fresh);
    free(neighbours->products);
    free(neighbours->changed);
    *neighbours = (struct pst_neighbours){ 0 };
}

static void measure(struct pst_neighbours *neighbours, size_t row)
{
    const float *at = neighbours->rows + row * neighbours->width;
    double sum = 0;
    for (size_t c = 0; c < neighbours->width; c++)
        sum += (double)at[c] * (double)at[c];
    neighbours->norms[row] = (float)sum;
}

void pst_neighbours_filled(struct pst_neighbours *neighbours)
{
    for (size_t i = 0; i < neighbours->count; i++)
        measure(neighbours, i);
    neighbours->first = neighbours->end = 0;
    neighbours->changed_count = 0;
}

void pst_neighbours_changed(struct pst_neighbours *neighbours, size_t row)
{
    measure(neighbours, row);
    if (neighbours->first == neighbours->end || isinf(neighbours->fresh[row]))
        return;
    neighbours->fresh[row] = INFINITY;
    neighbours->changed[neighbours->changed_count++] = row;
}

/* Computes the products of the rows from `first` on. */
static void begin_block(struct pst_neighbours *neighbours, size_t first)
{
    size_t left = neighbours->count - first, rows = left < neighbours->block ? left : neighbours->block;
    int width = (int)neighbours->width, count = (int)neighbours->count;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, count, width, 1,
                neighbours->rows + first * neighbours->width, width, neighbours->rows, width, 0,
                neighbours->products, count);
    memcpy(neighbours->fresh, neighbours->norms, neighbours->count * sizeof *neighbours->fresh);
    neighbours->first = first;
    neighbours->end = first + rows;
    neighbours->changed_count = 0;
}

/* The nearest so far, and how far it is. */
struct best {
    size_t row;
    double distance;
};

static void consider(const struct pst_neighbours *neighbours, size_t row, size_t other, struct best *best)
{
    const float *a = neighbours->rows + row * neighbours->width,
                *b = neighbours->rows + other * neighbours->width;
    double sum = 0;
    if (other == row)
        return;
    for (size_t c = 0; c < neighbours->width; c++)
        sum += ((double)a[c] - (double)b[c]) * ((double)a[c] - (double)b[c]);
    if (sum < best->distance || (sum == best->distance && other < best->row))
        *best = (struct best){ other, sum };
}

/* Computes the distances of the rows that may be the nearest according to the products. The error of |a|² +
 * |b|² - 2ab in f32 is bounded by a part of |a|² + |b|². */
static void consider_products(struct pst_neighbours *neighbours, size_t row, struct best *best)
{
    const float *products = neighbours->products + (row - neighbours->first) * neighbours->count;
    float *fresh = neighbours->fresh, kept = fresh[row], nearest = INFINITY;
    float part = ((float)neighbours->width + 16) * 0x1p-23F, own = neighbours->norms[row];
    fresh[row] = INFINITY;
    for (size_t j = 0; j < neighbours->count; j++) {
        float most = fresh[j] * (1 + part) - 2 * products[j];
        nearest = most < nearest ? most : nearest;
    }
    nearest += 2 * part * own;
    for (size_t j = 0; j < neighbours->count; j++)
        if (fresh[j] * (1 - part) - 2 * products[j] <= nearest && !isinf(fresh[j]))
            consider(neighbours, row, j, best);
    fresh[row] = kept;
}

size_t pst_neighbours_nearest(struct pst_neighbours *neighbours, size_t row)
{
    struct best best = { neighbours->count, INFINITY };
    if (row < neighbours->first || row >= neighbours->end)
        begin_block(neighbours, row);
    if (isinf(neighbours->fresh[row])) { /* its own products are stale */
        for (size_t j = 0; j < neighbours->count; j++)
            consider(neighbours, row, j, &best);
        return best.row;
    }
    consider_products(neighbours, row, &best);
    for (size_t i = 0; i < neighbours->changed_count; i++)
        consider(neighbours, row, neighbours->changed[i], &best);
    return best.row;
}
