/* What samples are made of: elements of several types, and the numbers that they stand for. */
#include "pipestill/data.h"

#include <math.h>

/* The types that C has: ROW(element, bits of its name, type). */
#define ROWS(ROW)             \
    ROW(U8, "u8", uint8_t)    \
    ROW(I8, "i8", int8_t)     \
    ROW(U16, "u16", uint16_t) \
    ROW(I16, "i16", int16_t)  \
    ROW(U32, "u32", uint32_t) \
    ROW(I32, "i32", int32_t)  \
    ROW(U64, "u64", uint64_t) \
    ROW(I64, "i64", int64_t)  \
    ROW(F32, "f32", float)    \
    ROW(F64, "f64", double)

size_t pst_element_size(enum pst_element element)
{
#define SIZE(element, name, type) [PST_ELEMENT_##element] = sizeof(type),
    static const size_t sizes[] = { ROWS(SIZE)[PST_ELEMENT_F16] = sizeof(uint16_t) };
    return sizes[element];
}

const char *pst_element_name(enum pst_element element)
{
#define NAME(element, name, type) [PST_ELEMENT_##element] = (name),
    static const char *const names[] = { ROWS(NAME)[PST_ELEMENT_F16] = "f16" };
    return names[element];
}

double pst_element_number(enum pst_element element, const void *elements, size_t index)
{
#define NUMBER(element, name, type) \
    case PST_ELEMENT_##element:     \
        return (double)((const type *)elements)[index];
    switch (element) {
        ROWS(NUMBER)
    case PST_ELEMENT_F16:
        break;
    }
    return (double)pst_half_to_f32(((const uint16_t *)elements)[index]);
}

/* A loop for each type, without a branch in it, so that it can be vectorised. */
static void convert(enum pst_element element, const void *elements, size_t count, double scale, double offset,
                    float *restrict numbers)
{
#define CONVERT(element, name, type)                                                    \
    case PST_ELEMENT_##element:                                                         \
        for (size_t i = 0; i < count; i++)                                              \
            numbers[i] = (float)(scale * (double)((const type *)elements)[i] + offset); \
        break;
    switch (element) {
        ROWS(CONVERT)
    case PST_ELEMENT_F16:
        pst_halves_to_f32(elements, numbers, count);
        for (size_t i = 0; i < count; i++)
            numbers[i] = (float)(scale * (double)numbers[i] + offset);
        break;
    }
}

size_t pst_element_numbers(enum pst_element element, const void *elements, size_t count, double scale,
                           double offset, float *numbers)
{
    enum { BLOCK = 1024 }; /* numbers that stay in the nearest cache until they are checked */
    size_t size = pst_element_size(element);
    for (size_t at = 0; at < count; at += BLOCK) {
        size_t end = count - at < BLOCK ? count : at + BLOCK, wrong = 0;
        convert(element, (const unsigned char *)elements + at * size, end - at, scale, offset, numbers + at);
        for (size_t i = at; i < end; i++)
            wrong += !(fabsf(numbers[i]) <= 3.402823466e38F);
        for (size_t i = at; i < end && wrong > 0; i++)
            if (!isfinite(numbers[i]))
                return i;
    }
    return count;
}
