/*
 * tiles.h: products of matrices with sums in f32, by the vectors of AVX-512: of numbers in f32, or in bf16 by
 * the dot products of pairs that AVX512_BF16 has. The left matrix is read word by word, the right one in
 * panels of 64 columns. Each sum runs over the depth in its order, so its bits depend neither on the other
 * rows and columns nor on the number of threads. If the inputs are on the left, a tile leaves out what is 0
 * in all its rows: times a finite number it would add 0.
 *
 * A word is a number in f32; or a pair of numbers in bf16 that follow each other along the depth, the first
 * in the lower half. If the depth is odd, the last pair ends with 0. Numbers are rounded to the nearest bf16,
 * ties to even.
 */
#ifndef PIPESTILL_NN_TILES_H
#define PIPESTILL_NN_TILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#define PST_HAS_TILES 1
#else
#define PST_HAS_TILES 0
#endif

/* Columns of a vector and of a panel; rows of a tile. Left matrices are made in blocks of rows. */
enum { PST_VECTOR = 16, PST_PANEL = 64, PST_TILE_ROWS = 6, PST_BLOCK_ROWS = 48 };

/* Samples, and words of the depth, that are multiplied at a time: what they need stays in a core's cache. */
enum { PST_TILES_SAMPLES = 2 * PST_PANEL, PST_TILES_DEPTH = 640 };

/* Numbers in a word. */
static inline size_t pst_tiles_word(bool bf16)
{
    return bf16 ? 2 : 1;
}

/* Words that so many numbers take. */
static inline size_t pst_tiles_words(size_t depth, bool bf16)
{
    return bf16 ? depth / 2 + depth % 2 : depth;
}

static inline size_t pst_tiles_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t pst_tiles_up_to(size_t count, size_t unit)
{
    return (count + unit - 1) / unit * unit;
}

/* Parts of about the same size, of PST_TILES_DEPTH at most: how many there are, and their size. */
static inline size_t pst_tiles_parts(size_t depth)
{
    return (depth + PST_TILES_DEPTH - 1) / PST_TILES_DEPTH;
}

static inline size_t pst_tiles_part(size_t depth)
{
    size_t parts = pst_tiles_parts(depth);
    return (depth + parts - 1) / parts;
}

/* Which words of a part of the depth are not 0 in all rows of a tile. The others add nothing to any sum. */
struct pst_tiles_places {
    uint16_t count, places[PST_TILES_DEPTH];
};

/* Leaves only these in words[rows, step], of which so many follow each other in a row, up to PST_TILES_DEPTH.
 * rows: 1 to 6. */
void pst_tiles_squeeze_rows(uint32_t *words, size_t step, size_t rows, size_t count,
                            struct pst_tiles_places *kept);

/* The same of columns: words[count, step] go to kept[places, place]. columns: 1 to 6; place: 8 or more. */
void pst_tiles_squeeze_columns(uint32_t *to, size_t place, const uint32_t *words, size_t step, size_t count,
                               size_t columns, struct pst_tiles_places *kept);

/* How many of the numbers are 0. */
size_t pst_tiles_zeros(const float *values, size_t count);

/* Up to so many pieces of memory. */
enum { PST_TILES_PIECES = 4 };

/*
 * Memory that is needed soon. A product reads and writes little memory while it computes, so meanwhile the
 * lines of these pieces come into the core's cache: some with each 16 words of a tile's depth.
 */
struct pst_tiles_soon {
    struct pst_tiles_piece {
        const char *memory;
        size_t rows, apart, lines; /* apart: bytes from row to row; lines: of the cache, in a row */
    } pieces[PST_TILES_PIECES];
    size_t count;            /* pieces */
    size_t at_once;          /* lines with each 16 words */
    size_t piece, row, line; /* the line that comes next */
};

/* Adds a piece of a matrix [all, apart]: so many rows and columns, which begin at `piece`. Nothing, if there
 * are none, or if the matrix is so small that to fetch it costs more than it saves. */
void pst_tiles_need(struct pst_tiles_soon *soon, const float *piece, size_t rows, size_t columns, size_t all,
                    size_t apart);

/* All pieces are to come while `times` products of so many rows and words are computed. */
void pst_tiles_need_within(struct pst_tiles_soon *soon, size_t times, size_t rows, size_t words);

/* A product of some rows with one panel: sums[rows, apart] receives rows × columns numbers. */
struct pst_tiles {
    bool bf16;                   /* what words are */
    const void *left;            /* the word of row r at step k is left[r * row_step + k * depth_step] */
    size_t row_step, depth_step; /* in words */
    const uint32_t *panel;       /* [words, 64]; all words of a vector that has one of the columns are set */
    size_t rows, columns, words; /* columns: 1 to 64 */
    const struct pst_tiles_places *kept; /* of one tile: which words of the panel meet those of its rows, as
                                            pst_tiles_squeeze_rows left them; NULL: all */
    float *sums;
    size_t apart;
    bool add;                    /* to the numbers that are in sums already */
    struct pst_tiles_soon *soon; /* what comes into the cache meanwhile; NULL: nothing */
};

void pst_tiles_multiply(const struct pst_tiles *tiles);

/* The following read values, f32 [rows, columns], whose rows are `apart` numbers apart. */

/* words[rows, step]: words along the rows. */
void pst_tiles_rows(uint32_t *words, size_t step, bool bf16, const float *values, size_t rows, size_t columns,
                    size_t apart);

/* words[pst_tiles_words(rows), step]: words along the columns; columns up to the next multiple of 16 are set
 * to 0. */
void pst_tiles_columns(uint32_t *words, size_t step, bool bf16, const float *values, size_t rows,
                       size_t columns, size_t apart);

/* panel[pst_tiles_words(columns), 64]: words along up to 64 rows, turned, so that a row becomes a column;
 * columns up to the next multiple of 16 are set to 0. */
void pst_tiles_turned(uint32_t *panel, bool bf16, const float *values, size_t rows, size_t columns,
                      size_t apart);

/* What is added to a row of sums, and whether what is below 0 becomes 0. NaN stays NaN. */
struct pst_tiles_finish {
    const float *bias; /* [rows]; NULL: 0 */
    bool relu;
};

/* outputs[columns, apart]: up to 48 rows of sums[rows, 64], turned. */
void pst_tiles_turn_sums(float *outputs, size_t apart, const float *sums, size_t rows, size_t columns,
                         const struct pst_tiles_finish *finish);

/* Finishes rows of sums[rows, 64] in place, as turned ones: bias[columns]. */
void pst_tiles_finish_columns(float *sums, size_t rows, size_t columns,
                              const struct pst_tiles_finish *finish);

/* panel[pst_tiles_words(rows), 64]: the rows of sums[rows, 64] as the next product's panel. */
void pst_tiles_keep_sums(uint32_t *panel, bool bf16, const float *sums, size_t rows, size_t columns,
                         const struct pst_tiles_finish *finish);

#endif
