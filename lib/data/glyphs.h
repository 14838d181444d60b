/* glyphs.h: how people write digits, as strokes through a few points. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_GLYPHS_H
#define PIPESTILL_LIB_DATA_GLYPHS_H

#include <stdint.h>

#define PST_STROKE_POINTS 14
#define PST_GLYPH_STROKES 2
#define PST_CLASS_GLYPHS 4

/* A smooth line through points; a point given twice makes a corner. Unused points are {0, 0}. */
struct pst_stroke {
    unsigned count;
    uint8_t points[PST_STROKE_POINTS][2]; /* x to the right, y downwards, 0 … 100 */
};

/* One way to write a digit. */
struct pst_glyph {
    unsigned weight; /* how often, against the other ways */
    unsigned stroke_count;
    struct pst_stroke strokes[PST_GLYPH_STROKES];
};

/* All ways to write a digit; those with weight 0 do not exist. */
struct pst_glyph_class {
    struct pst_glyph glyphs[PST_CLASS_GLYPHS];
};

extern const struct pst_glyph_class pst_digit_glyphs[10];

#endif
