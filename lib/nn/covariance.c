/* The covariance of rows: sums in double, in the order of the rows, however they are divided into calls. */
#include "pipestill/class_sets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows that one pass over the square adds; each of its sums still adds them row by row. */
#define BLOCK 64

enum pst_status pst_covariance_start(struct pst_covariance *covariance, size_t size, struct pst_error *error)
{
    *covariance = (struct pst_covariance){ .size = size };
    covariance->first = pst_allocate(size, sizeof *covariance->first, error);
    covariance->sums = pst_allocate(size, sizeof *covariance->sums, error);
    covariance->square = pst_allocate(size, size * sizeof *covariance->square, error);
    covariance->block = pst_allocate(BLOCK, size * sizeof *covariance->block, error);
    return covariance->first != NULL && covariance->sums != NULL && covariance->square != NULL &&
                   covariance->block != NULL
               ? PST_OK
               : PST_TRY_AGAIN;
}

/* to[c] += factor · from[c]. */
static void add_multiple(double *restrict to, const double *restrict from, double factor, size_t count)
{
    for (size_t c = 0; c < count; c++)
        to[c] += factor * from[c];
}

static void add_block(struct pst_covariance *covariance)
{
    size_t size = covariance->size;
    for (size_t i = 0; i < size; i++) {
        for (size_t r = 0; r < covariance->waiting; r++) {
            const double *row = covariance->block + r * size;
            covariance->sums[i] += row[i];
            if (row[i] != 0)
                add_multiple(covariance->square + i * size + i, row + i, row[i], size - i);
        }
    }
    covariance->waiting = 0;
}

/* The first row is subtracted from all, so rows that are all alike have a covariance of exactly 0. */
void pst_covariance_add(struct pst_covariance *covariance, const float *rows, size_t n)
{
    size_t size = covariance->size;
    for (size_t r = 0; r < n; r++, rows += size) {
        double *row = covariance->block + covariance->waiting * size;
        if (covariance->rows++ == 0)
            memcpy(covariance->first, rows, size * sizeof *rows);
        for (size_t c = 0; c < size; c++)
            row[c] = (double)rows[c] - (double)covariance->first[c];
        if (++covariance->waiting == BLOCK)
            add_block(covariance);
    }
}

double *pst_covariance_finish(struct pst_covariance *covariance)
{
    size_t size = covariance->size;
    double n = (double)covariance->rows, *square = covariance->square;
    if (covariance->rows < 2)
        return NULL;
    add_block(covariance);
    for (size_t i = 0; i < size; i++)
        for (size_t j = i; j < size; j++) {
            double value = (square[i * size + j] - covariance->sums[i] * covariance->sums[j] / n) / n;
            square[i * size + j] = square[j * size + i] = value;
        }
    return square;
}

void pst_covariance_free(struct pst_covariance *covariance)
{
    free(covariance->first);
    free(covariance->sums);
    free(covariance->square);
    free(covariance->block);
    *covariance = (struct pst_covariance){ 0 };
}

size_t pst_make_unit(double *rows, size_t count, size_t size)
{
    size_t flat = 0;
    for (size_t r = 0; r < count; r++, rows += size) {
        double largest = 0, sum = 0;
        for (size_t c = 0; c < size; c++)
            largest = fmax(largest, fabs(rows[c]));
        flat += !(largest > 0);
        for (size_t c = 0; c < size && largest > 0; c++) {
            rows[c] /= largest; /* so that no square is too small for a double */
            sum += rows[c] * rows[c];
        }
        for (size_t c = 0; c < size && largest > 0; c++)
            rows[c] /= sqrt(sum);
    }
    return flat;
}
