/* Rectangles of images: where they are, and what is put into them. */
#include "lib/data/box.h"

#include <string.h>

/* Finds where `length` pixels about a middle begin in a row of `size`, and how many of them are in it. */
static void clip(size_t middle, size_t length, size_t size, size_t *from, size_t *count)
{
    size_t before = length / 2, after = length - before; /* of the middle, which counts as behind */
    *from = middle > before ? middle - before : 0;
    size_t end = after < size - middle ? middle + after : size;
    *count = end - *from;
}

struct pst_box pst_box_about(const struct pst_planes *planes, size_t row, size_t column, size_t height,
                             size_t width)
{
    struct pst_box box = { 0 };
    clip(row, height, planes->height, &box.row, &box.height);
    clip(column, width, planes->width, &box.column, &box.width);
    return box;
}

void pst_box_copy(const struct pst_planes *planes, const struct pst_box *box, const void *from, void *to)
{
    size_t bytes = planes->numbers ? sizeof(float) : 1;
    for (size_t channel = 0; channel < planes->channels; channel++)
        for (size_t i = 0; i < box->height; i++) {
            size_t at = ((channel * planes->height + box->row + i) * planes->width + box->column) * bytes;
            unsigned char *row = (unsigned char *)to + at;
            if (from != NULL)
                memcpy(row, (const unsigned char *)from + at, box->width * bytes);
            else
                memset(row, 0, box->width * bytes);
            for (size_t j = 0; from == NULL && planes->numbers && j < box->width; j++)
                ((float *)(void *)row)[j] = planes->background;
        }
}
