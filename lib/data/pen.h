/* pen.h: a pen that draws smooth lines on a small sheet. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_PEN_H
#define PIPESTILL_LIB_DATA_PEN_H

#include <stddef.h>
#include <stdint.h>

#define PST_SHEET 28 /* pixels along an edge */

/* A point on the sheet; pixel (i, j) has its middle at x = j, y = i. */
struct pst_point {
    float x, y;
};

/* How a pen writes. Its radius at share t of a stroke is radius · (1 + taper · (2t − 1) + swell · 4t(1 − t)).
 */
struct pst_pen {
    float radius; /* pixels */
    float taper, swell;
};

/*
 * Draws a Catmull–Rom spline (Catmull and Rom 1974) through points.
 * ink: [PST_SHEET, PST_SHEET], 0 … 1; receives the larger of what is there and what the stroke leaves.
 * count: ≥ 2.
 */
void pst_pen_draw(const struct pst_pen *pen, const struct pst_point *points, size_t count,
                  float ink[PST_SHEET][PST_SHEET]);

/*
 * Blurs a sheet with [share, 1 − 2 · share, share] along rows, then along columns.
 * share: 0 … 1/3.
 */
void pst_sheet_blur(float ink[PST_SHEET][PST_SHEET], float share);

#endif
