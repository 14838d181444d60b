/*
 * A pen that draws smooth lines. It computes only +, −, ·, / and square roots, which IEEE 754 defines to the
 * bit, so a drawing is the same on every machine.
 */
#include "lib/data/pen.h"

#include <math.h>

#define PIECES 4 /* straight pieces between two points of a stroke */

static float clamp(float value, float least, float most)
{
    return value < least ? least : value > most ? most : value;
}

/* The pixels from `low` to `high`, cut to the sheet. */
static void pixel_range(float low, float high, int *first, int *last)
{
    *first = (int)clamp(ceilf(low), 0, PST_SHEET);
    *last = (int)clamp(floorf(high), -1, PST_SHEET - 1);
}

/* Inks what lies within radius of the straight piece from a to b, with an edge one pixel wide. */
static void draw_piece(struct pst_point a, struct pst_point b, float radius, float ink[PST_SHEET][PST_SHEET])
{
    float reach = radius + 0.5F;
    int left, right, top, bottom;
    pixel_range(fminf(a.x, b.x) - reach, fmaxf(a.x, b.x) + reach, &left, &right);
    pixel_range(fminf(a.y, b.y) - reach, fmaxf(a.y, b.y) + reach, &top, &bottom);
    float along_x = b.x - a.x, along_y = b.y - a.y;
    float length2 = along_x * along_x + along_y * along_y;
    float inverse = length2 > 0 ? 1 / length2 : 0;
    for (int i = top; i <= bottom; i++) {
        for (int j = left; j <= right; j++) {
            float x = (float)j - a.x, y = (float)i - a.y;
            float t = clamp((x * along_x + y * along_y) * inverse, 0, 1);
            x -= t * along_x;
            y -= t * along_y;
            float distance2 = x * x + y * y;
            if (distance2 >= reach * reach)
                continue;
            float here = fminf(reach - sqrtf(distance2), 1);
            ink[i][j] = fmaxf(ink[i][j], here);
        }
    }
}

static float spline(float before, float from, float to, float after, float t)
{
    float a = 3 * (from - to) + after - before;
    float b = 2 * before - 5 * from + 4 * to - after;
    return from + 0.5F * t * (to - before + t * (b + t * a));
}

void pst_pen_draw(const struct pst_pen *pen, const struct pst_point *points, size_t count,
                  float ink[PST_SHEET][PST_SHEET])
{
    struct pst_point last = points[0];
    float step = 1.0F / (float)(PIECES * (count - 1));
    for (size_t i = 0; i + 1 < count; i++) {
        const struct pst_point *from = &points[i], *to = &points[i + 1];
        const struct pst_point *before = i > 0 ? from - 1 : from;
        const struct pst_point *after = i + 2 < count ? to + 1 : to;
        for (int piece = 1; piece <= PIECES; piece++) {
            float t = (float)piece / PIECES;
            struct pst_point next = { spline(before->x, from->x, to->x, after->x, t),
                                      spline(before->y, from->y, to->y, after->y, t) };
            float share = ((float)(i * PIECES) + (float)piece - 0.5F) * step;
            float factor = 1 + pen->taper * (2 * share - 1) + pen->swell * 4 * share * (1 - share);
            draw_piece(last, next, fmaxf(pen->radius * factor, 0.2F), ink);
            last = next;
        }
    }
}

/* Blurs one line of the sheet, whose pixels lie `stride` floats apart. */
static void blur_line(float *line, size_t stride, float share)
{
    float before = 0;
    for (size_t i = 0; i < PST_SHEET; i++) {
        float here = line[i * stride];
        float after = i + 1 < PST_SHEET ? line[(i + 1) * stride] : 0;
        line[i * stride] = (1 - 2 * share) * here + share * (before + after);
        before = here;
    }
}

void pst_sheet_blur(float ink[PST_SHEET][PST_SHEET], float share)
{
    for (size_t i = 0; i < PST_SHEET; i++)
        blur_line(ink[i], 1, share);
    for (size_t j = 0; j < PST_SHEET; j++)
        blur_line(&ink[0][j], PST_SHEET, share);
}
