/* Numbers of 16 bits: IEEE 754 binary16, by integer arithmetic and additions that round. There are no
 * branches, so loops over them can be vectorised. */
#include "pipestill/base.h"
#include "pipestill/vectorised.h"

/* The same exponent and fraction, read as f32, are too small by a factor of 2^112. This also holds for
 * subnormals. */
static inline float to_f32(uint16_t half)
{
    uint32_t magnitude = half & 0x7FFFU, sign = (half & 0x8000U) << 16;
    uint32_t bits = pst_bits_of_float(pst_float_of_bits(magnitude << 13) * 0x1p112F);
    return pst_float_of_bits(sign | bits | (magnitude >= 0x7C00U ? 0x7F800000U : 0));
}

float pst_half_to_f32(uint16_t half)
{
    return to_f32(half);
}

/*
 * Below 2^-14 a unit of a half is 2^-24, the unit of an f32 from 0.5 to 1: adding 0.5 rounds to it. Above,
 * half of the last kept bit is added before the rest is cut off; one unit less if that bit is even.
 */
uint16_t pst_half_from_f32(float number)
{
    uint32_t bits = pst_bits_of_float(number), sign = bits >> 16 & 0x8000U, magnitude = bits & 0x7FFFFFFFU;
    uint32_t small =
        pst_bits_of_float(pst_float_of_bits(magnitude < 0x38800000U ? magnitude : 0) + 0.5F) - 0x3F000000U;
    uint32_t usual = (magnitude + 0xFFFU + (magnitude >> 13 & 1U) - 0x38000000U) >> 13;
    uint32_t half = magnitude < 0x38800000U ? small : usual;
    half = magnitude >= 0x477FF000U ? 0x7C00U : half;
    half = magnitude > 0x7F800000U ? 0x7E00U : half;
    return (uint16_t)(sign | half);
}

void pst_halves_to_f32(const uint16_t *restrict halves, float *restrict numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] = to_f32(halves[i]);
}
