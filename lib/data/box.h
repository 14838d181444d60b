/* box.h: rectangles of images, for what cuts them out. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_BOX_H
#define PIPESTILL_LIB_DATA_BOX_H

#include "pipestill/view.h"

struct pst_box {
    size_t row, column, height, width; /* inside the image; height or width 0 if nothing is in it */
};

/* The part of a rectangle that lies in the image. row, column: of its middle, in the image. */
struct pst_box pst_box_about(const struct pst_planes *planes, size_t row, size_t column, size_t height,
                             size_t width);

/* Copies a rectangle of all channels from another image of the same shape. from: NULL: background. */
void pst_box_copy(const struct pst_planes *planes, const struct pst_box *box, const void *from, void *to);

#endif
