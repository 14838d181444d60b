/* Maps from one order to the other; channels.h says what each computes. */
#include "lib/nn/channels.h"

#include "pipestill/vectorised.h"

bool pst_shape_moves(const struct pst_shape *shape)
{
    return shape->rank == 3 && shape->size[0] > 1 && shape->size[1] * shape->size[2] > 1;
}

/* to[columns, rows] = from[rows, columns], or += that: square by square, so that both stay in the cache. */
#define SQUARE 16

INLINE void turn_square(const float *restrict from, size_t rows, size_t columns, size_t row, size_t column,
                        bool add, float *restrict to)
{
    size_t row_end = row + SQUARE < rows ? row + SQUARE : rows;
    size_t column_end = column + SQUARE < columns ? column + SQUARE : columns;
    for (size_t r = row; r < row_end; r++)
        for (size_t c = column; c < column_end; c++)
            to[c * rows + r] = from[r * columns + c] + (add ? to[c * rows + r] : 0);
}

INLINE void turn(const float *from, size_t n, size_t rows, size_t columns, bool add, float *to)
{
    size_t size = rows * columns;
    for (size_t sample = 0; sample < n; sample++)
        for (size_t row = 0; row < rows; row += SQUARE)
            for (size_t column = 0; column < columns; column += SQUARE)
                turn_square(from + sample * size, rows, columns, row, column, add, to + sample * size);
}

void pst_channels_to_last(const struct pst_shape *shape, size_t n, const float *first, float *last)
{
    turn(first, n, shape->size[0], shape->size[1] * shape->size[2], false, last);
}

void pst_channels_to_first(const struct pst_shape *shape, size_t n, const float *last, float *first)
{
    turn(last, n, shape->size[1] * shape->size[2], shape->size[0], false, first);
}

void pst_channels_add_to_last(const struct pst_shape *shape, size_t n, const float *first, float *last)
{
    turn(first, n, shape->size[0], shape->size[1] * shape->size[2], true, last);
}
