/* The sums of a tile of up to 6 rows and 64 columns stay in registers while words are multiplied. */
#include "lib/nn/kernels/tiles.h"

#if PST_HAS_TILES

#include <immintrin.h>
#include <string.h>

#define TARGET __attribute__((target("avx512f,avx512bf16")))
#define TILE_INLINE static inline __attribute__((always_inline)) TARGET

/* Loops over the rows and vectors of a tile are unrolled: only then are its sums registers. */
#define EACH_ROW _Pragma("GCC unroll 6") for (size_t row = 0; row < rows; row++)
#define EACH_VECTOR _Pragma("GCC unroll 4") for (size_t v = 0; v < vectors; v++)

enum {
    MOST_VECTORS = PST_PANEL / PST_VECTOR,
    WORD = 4 /* bytes */,
    LINE = 16 /* words of the cache */,
    LINE_BYTES = LINE * WORD,
    AHEAD = 8 /* places */
};

/* With fewer floats in a matrix, to fetch it costs more than it saves. */
enum { SMALL = 1 << 20 };

/* Of the columns of a tile's last vector, those that count. */
static __mmask16 last_columns(const struct pst_tiles *tiles)
{
    return (__mmask16)(0xffffU >> (PST_VECTOR - 1 - (tiles->columns - 1) % PST_VECTOR));
}

/* A word in all lanes. */
TILE_INLINE __m512i word_of(const char *left)
{
    int word;
    memcpy(&word, left, WORD);
    return _mm512_set1_epi32(word);
}

/* sum + the products of a word of the left with 16 words of the right. */
TILE_INLINE __m512 add_products(__m512 sum, __m512i left, __m512i right, bool bf16)
{
    return bf16 ? _mm512_dpbf16_ps(sum, (__m512bh)left, (__m512bh)right)
                : _mm512_fmadd_ps((__m512)left, (__m512)right, sum);
}

/* Adds the products of one word of the depth to a tile. */
TILE_INLINE void add_word(__m512 sum[PST_TILE_ROWS][MOST_VECTORS], const uint32_t *panel, const char *left,
                          size_t row_step, size_t rows, size_t vectors, bool bf16)
{
    __m512i right[MOST_VECTORS];
    EACH_VECTOR right[v] = _mm512_loadu_si512(panel + v * PST_VECTOR);
    EACH_ROW
    {
        __m512i word = word_of(left + row * row_step * WORD);
        EACH_VECTOR sum[row][v] = add_products(sum[row][v], word, right[v], bf16);
    }
}

/* Fetches some lines of what is needed soon. */
TILE_INLINE void fetch(struct pst_tiles_soon *soon)
{
    for (size_t i = 0; i < soon->at_once && soon->piece < soon->count; i++) {
        const struct pst_tiles_piece *piece = &soon->pieces[soon->piece];
        _mm_prefetch(piece->memory + soon->row * piece->apart + soon->line * LINE_BYTES, _MM_HINT_T1);
        if (++soon->line < piece->lines)
            continue;
        soon->line = 0;
        if (++soon->row < piece->rows)
            continue;
        soon->row = 0;
        soon->piece++;
    }
}

/* One tile; rows, vectors, bf16 and whether there are places are constants where it is called. Meanwhile the
 * next tile's rows are fetched from memory: each has pages of its own, which the processor does not foresee.
 * Nor does it foresee places, so the panel's words are fetched into the first cache AHEAD places before.
 */
TILE_INLINE void multiply(const struct pst_tiles *tiles, const uint16_t *places, const char *left,
                          float *sums, size_t rows, size_t vectors, bool bf16)
{
    size_t row_step = tiles->row_step, depth_step = tiles->depth_step, apart = tiles->apart;
    size_t words = places == NULL ? tiles->words : tiles->kept->count;
    const char *next = left + PST_TILE_ROWS * row_step * WORD;
    __mmask16 last = last_columns(tiles);
    __m512 sum[PST_TILE_ROWS][MOST_VECTORS];
    EACH_ROW EACH_VECTOR
    {
        __mmask16 mask = v + 1 < vectors ? 0xffff : last;
        const float *from = sums + row * apart + v * PST_VECTOR;
        sum[row][v] = tiles->add ? _mm512_maskz_loadu_ps(mask, from) : _mm512_setzero_ps();
    }
    for (size_t k = 0, end; k < words; k = end) {
        end = k + LINE < words ? k + LINE : words;
        const char *ahead = next + k * depth_step * WORD;
        EACH_ROW _mm_prefetch(ahead + row * row_step * WORD, _MM_HINT_T0);
        if (tiles->soon != NULL)
            fetch(tiles->soon);
        for (size_t i = k; i < end; i++) {
            size_t place = places == NULL ? i : places[i];
            if (places != NULL && i + AHEAD < words)
                EACH_VECTOR _mm_prefetch(tiles->panel + places[i + AHEAD] * PST_PANEL + v * PST_VECTOR,
                                         _MM_HINT_T0);
            add_word(sum, tiles->panel + place * PST_PANEL, left + i * depth_step * WORD, row_step, rows,
                     vectors, bf16);
        }
    }
    EACH_ROW EACH_VECTOR
    {
        __mmask16 mask = v + 1 < vectors ? 0xffff : last;
        _mm512_mask_storeu_ps(sums + row * apart + v * PST_VECTOR, mask, sum[row][v]);
    }
}

#define TILE(rows, vectors, name, bf16)                                                           \
    TARGET static void name##_##rows##_##vectors(const struct pst_tiles *tiles, const char *left, \
                                                 float *sums)                                     \
    {                                                                                             \
        if (tiles->kept == NULL || tiles->kept->count == tiles->words)                            \
            multiply(tiles, NULL, left, sums, rows, vectors, bf16);                               \
        else                                                                                      \
            multiply(tiles, tiles->kept->places, left, sums, rows, vectors, bf16);                \
    }
#define TILES_OF(rows, name, bf16) \
    TILE(rows, 1, name, bf16) TILE(rows, 2, name, bf16) TILE(rows, 3, name, bf16) TILE(rows, 4, name, bf16)
#define TILES(rows) TILES_OF(rows, f32, false) TILES_OF(rows, bf16, true)
TILES(1)
TILES(2)
TILES(3)
TILES(4)
TILES(5)
TILES(6)

#define NAMES(name, rows)                                                          \
    {                                                                              \
        name##_##rows##_1, name##_##rows##_2, name##_##rows##_3, name##_##rows##_4 \
    }
#define ALL_NAMES(name)                                                                                \
    {                                                                                                  \
        NAMES(name, 1), NAMES(name, 2), NAMES(name, 3), NAMES(name, 4), NAMES(name, 5), NAMES(name, 6) \
    }
typedef void tile_function(const struct pst_tiles *tiles, const char *left, float *sums);
static tile_function *const tile_of[2][PST_TILE_ROWS][MOST_VECTORS] = { ALL_NAMES(f32), ALL_NAMES(bf16) };

void pst_tiles_need(struct pst_tiles_soon *soon, const float *piece, size_t rows, size_t columns, size_t all,
                    size_t apart)
{
    size_t before = (uintptr_t)piece % LINE_BYTES, bytes = before + columns * sizeof *piece;
    if (rows > 0 && columns > 0 && all * apart > SMALL)
        soon->pieces[soon->count++] =
            (struct pst_tiles_piece){ (const char *)piece - before, rows, apart * sizeof *piece,
                                      (bytes + LINE_BYTES - 1) / LINE_BYTES };
}

void pst_tiles_need_within(struct pst_tiles_soon *soon, size_t times, size_t rows, size_t words)
{
    if (soon->count == 0)
        return;
    size_t lines = 0,
           steps = times * ((rows + PST_TILE_ROWS - 1) / PST_TILE_ROWS) * ((words + LINE - 1) / LINE);
    for (size_t i = 0; i < soon->count; i++)
        lines += soon->pieces[i].rows * soon->pieces[i].lines;
    soon->at_once = steps > 0 ? (lines + steps - 1) / steps : 0;
}

void pst_tiles_multiply(const struct pst_tiles *tiles)
{
    size_t vectors = (tiles->columns + PST_VECTOR - 1) / PST_VECTOR;
    for (size_t row = 0; row < tiles->rows; row += PST_TILE_ROWS) {
        size_t rest = tiles->rows - row, rows = rest < PST_TILE_ROWS ? rest : PST_TILE_ROWS;
        tile_of[tiles->bf16][rows - 1][vectors - 1](tiles,
                                                    (const char *)tiles->left + row * tiles->row_step * WORD,
                                                    tiles->sums + row * tiles->apart);
    }
}

#endif
