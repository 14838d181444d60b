/* Conversion of matrices to words, and of sums to what is needed next. */
#include "lib/nn/kernels/tiles.h"

#if PST_HAS_TILES

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16,popcnt")))
#define TILE_INLINE static inline __attribute__((always_inline)) TARGET

enum { LANES = PST_VECTOR };

/* Of 16 lanes, those before count. */
static inline __mmask16 before(size_t count)
{
    return (__mmask16)(count >= LANES ? 0xffff : (1U << count) - 1);
}

/* 16 words of a row, of which `count` numbers are read, and the rest are 0. */
TILE_INLINE __m512i row_words(const float *values, size_t count, bool bf16)
{
    if (!bf16)
        return (__m512i)_mm512_maskz_loadu_ps(before(count), values);
    __m512 low = _mm512_maskz_loadu_ps(before(count), values);
    __m512 high =
        count > LANES ? _mm512_maskz_loadu_ps(before(count - LANES), values + LANES) : _mm512_setzero_ps();
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/* The pairs of two vectors, lane by lane. */
TILE_INLINE __m512i join(__m512 first, __m512 second)
{
    /* The place of lane i of the first vector, then of the second one, among the 32 numbers. */
    const __m512i order = _mm512_add_epi32(
        _mm512_set1_epi32(16 << 16),
        _mm512_mullo_epi32(_mm512_set1_epi32(0x00010001),
                           _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)));
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(second, first));
}

/* Turns 16 rows of 16 numbers of 32 bits. */
TILE_INLINE void turn(__m512i rows[LANES])
{
    __m512i step[LANES];
    _Pragma("GCC unroll 8") for (size_t i = 0; i < LANES; i += 2)
    {
        step[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        step[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    _Pragma("GCC unroll 4") for (size_t i = 0; i < LANES; i += 4)
    {
        rows[i] = _mm512_unpacklo_epi64(step[i], step[i + 2]);
        rows[i + 1] = _mm512_unpackhi_epi64(step[i], step[i + 2]);
        rows[i + 2] = _mm512_unpacklo_epi64(step[i + 1], step[i + 3]);
        rows[i + 3] = _mm512_unpackhi_epi64(step[i + 1], step[i + 3]);
    }
    _Pragma("GCC unroll 4") for (size_t i = 0; i < 4; i++)
    {
        step[i] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0x88);
        step[i + 4] = _mm512_shuffle_i32x4(rows[i], rows[i + 4], 0xdd);
        step[i + 8] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0x88);
        step[i + 12] = _mm512_shuffle_i32x4(rows[i + 8], rows[i + 12], 0xdd);
    }
    _Pragma("GCC unroll 8") for (size_t i = 0; i < LANES / 2; i++)
    {
        rows[i] = _mm512_shuffle_i32x4(step[i], step[i + 8], 0x88);
        rows[i + 8] = _mm512_shuffle_i32x4(step[i], step[i + 8], 0xdd);
    }
}

TARGET void pst_tiles_rows(uint32_t *words, size_t step, bool bf16, const float *values, size_t rows,
                           size_t columns, size_t apart)
{
    size_t word = pst_tiles_word(bf16);
    for (size_t row = 0; row < rows; row++)
        for (size_t at = 0; at < columns; at += LANES * word) {
            __m512i here = row_words(values + row * apart + at, columns - at, bf16);
            _mm512_mask_storeu_epi32(words + row * step + at / word,
                                     before(pst_tiles_words(columns - at, bf16)), here);
        }
}

/* 16 columns of a row, or of two rows, joined. */
TILE_INLINE __m512i column_words(const float *first, const float *second, __mmask16 mask, bool bf16)
{
    __m512 upper = _mm512_maskz_loadu_ps(mask, first);
    if (!bf16)
        return (__m512i)upper;
    return join(upper, second == NULL ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(mask, second));
}

TARGET void pst_tiles_columns(uint32_t *words, size_t step, bool bf16, const float *values, size_t rows,
                              size_t columns, size_t apart)
{
    size_t word = pst_tiles_word(bf16);
    for (size_t row = 0; row < rows; row += word)
        for (size_t at = 0; at < columns; at += LANES) {
            const float *from = values + row * apart + at, *second = row + 1 < rows ? from + apart : NULL;
            _mm512_storeu_si512(words + row / word * step + at,
                                column_words(from, second, before(columns - at), bf16));
        }
}

TARGET void pst_tiles_turned(uint32_t *panel, bool bf16, const float *values, size_t rows, size_t columns,
                             size_t apart)
{
    size_t word = pst_tiles_word(bf16);
    for (size_t first = 0; first < rows; first += LANES)
        for (size_t at = 0; at < columns; at += LANES * word) {
            __m512i block[LANES];
            for (size_t i = 0; i < LANES; i++)
                block[i] = first + i < rows ? row_words(values + (first + i) * apart + at, columns - at, bf16)
                                            : _mm512_setzero_si512();
            turn(block);
            size_t words = pst_tiles_least(LANES, pst_tiles_words(columns - at, bf16));
            for (size_t k = 0; k < words; k++)
                _mm512_storeu_si512(panel + (at / word + k) * PST_PANEL + first, block[k]);
        }
}

/* Numbers from `first` on, one in each lane. */
TILE_INLINE __m512i numbers_from(size_t first)
{
    return _mm512_add_epi32(_mm512_set1_epi32((int)first),
                            _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
}

TARGET void pst_tiles_squeeze_rows(uint32_t *words, size_t step, size_t rows, size_t count,
                                   struct pst_tiles_places *kept)
{
    kept->count = 0;
    for (size_t at = 0; at < count; at += LANES) {
        __m512i here[PST_TILE_ROWS], any = _mm512_setzero_si512();
        for (size_t row = 0; row < rows; row++) {
            here[row] = _mm512_maskz_loadu_epi32(before(count - at), words + row * step + at);
            any = _mm512_or_si512(any, here[row]);
        }
        __mmask16 mask = _mm512_test_epi32_mask(any, any);
        __mmask16 left = before((size_t)__builtin_popcount(mask));
        for (size_t row = 0; row < rows; row++)
            _mm512_mask_storeu_epi32(words + row * step + kept->count, left,
                                     _mm512_maskz_compress_epi32(mask, here[row]));
        __m256i places = _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(mask, numbers_from(at)));
        _mm256_mask_storeu_epi16(kept->places + kept->count, left, places);
        kept->count = (uint16_t)(kept->count + __builtin_popcount(mask));
    }
}

TARGET void pst_tiles_squeeze_columns(uint32_t *to, size_t place, const uint32_t *words, size_t step,
                                      size_t count, size_t columns, struct pst_tiles_places *kept)
{
    size_t found = 0;
    for (size_t k = 0; k < count; k++, words += step) {
        __m256i here = _mm256_maskz_loadu_epi32((__mmask8)before(columns), words);
        _mm256_storeu_si256((__m256i *)(to + found * place), here);
        kept->places[found] = (uint16_t)k;
        found += _mm256_test_epi32_mask(here, here) != 0;
    }
    kept->count = (uint16_t)found;
}

TARGET size_t pst_tiles_zeros(const float *values, size_t count)
{
    size_t zeros = 0;
    for (size_t at = 0; at < count; at += LANES) {
        __m512 here = _mm512_maskz_loadu_ps(before(count - at), values + at);
        zeros += (size_t)__builtin_popcount(
            _mm512_mask_cmp_ps_mask(before(count - at), here, _mm512_setzero_ps(), _CMP_EQ_OQ));
    }
    return zeros;
}

/* ReLU. Of NaN, the second operand. */
TILE_INLINE __m512 not_below_0(__m512 sum)
{
    return _mm512_max_ps(_mm512_setzero_ps(), sum);
}

/* A row of sums, finished. */
TILE_INLINE __m512 finished(const float *sums, size_t row, const struct pst_tiles_finish *finish)
{
    __m512 sum = _mm512_loadu_ps(sums);
    if (finish->bias != NULL)
        sum = _mm512_add_ps(sum, _mm512_set1_ps(finish->bias[row]));
    return finish->relu ? not_below_0(sum) : sum;
}

TARGET void pst_tiles_turn_sums(float *outputs, size_t apart, const float *sums, size_t rows, size_t columns,
                                const struct pst_tiles_finish *finish)
{
    for (size_t first = 0; first < rows; first += LANES)
        for (size_t at = 0; at < columns; at += LANES) {
            __m512i block[LANES];
            for (size_t i = 0; i < LANES; i++)
                block[i] = first + i < rows
                               ? (__m512i)finished(sums + (first + i) * PST_PANEL + at, first + i, finish)
                               : _mm512_setzero_si512();
            turn(block);
            for (size_t i = 0; i < pst_tiles_least(LANES, columns - at); i++)
                _mm512_mask_storeu_epi32(outputs + (at + i) * apart + first, before(rows - first), block[i]);
        }
}

TARGET void pst_tiles_finish_columns(float *sums, size_t rows, size_t columns,
                                     const struct pst_tiles_finish *finish)
{
    for (size_t at = 0; at < columns; at += LANES) {
        __m512 bias = finish->bias == NULL ? _mm512_setzero_ps()
                                           : _mm512_maskz_loadu_ps(before(columns - at), finish->bias + at);
        for (size_t row = 0; row < rows; row++) {
            __m512 sum = _mm512_loadu_ps(sums + row * PST_PANEL + at);
            if (finish->bias != NULL)
                sum = _mm512_add_ps(sum, bias);
            _mm512_storeu_ps(sums + row * PST_PANEL + at, finish->relu ? not_below_0(sum) : sum);
        }
    }
}

TARGET void pst_tiles_keep_sums(uint32_t *panel, bool bf16, const float *sums, size_t rows, size_t columns,
                                const struct pst_tiles_finish *finish)
{
    size_t word = pst_tiles_word(bf16);
    for (size_t row = 0; row < rows; row += word)
        for (size_t at = 0; at < columns; at += LANES) {
            const float *from = sums + row * PST_PANEL + at;
            __m512 first = finished(from, row, finish), second = _mm512_setzero_ps();
            if (bf16 && row + 1 < rows)
                second = finished(from + PST_PANEL, row + 1, finish);
            _mm512_storeu_si512(panel + row / word * PST_PANEL + at,
                                bf16 ? join(first, second) : (__m512i)first);
        }
}

#endif
