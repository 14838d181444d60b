/* What samples are made of: elements of several types, and the numbers that they stand for. */
#include "pipestill/data.h"

#include <math.h>

size_t pst_element_size(enum pst_element element)
{
    static const size_t sizes[] = { [PST_ELEMENT_U8] = 1,  [PST_ELEMENT_I8] = 1,  [PST_ELEMENT_I16] = 2,
                                    [PST_ELEMENT_I32] = 4, [PST_ELEMENT_F32] = 4, [PST_ELEMENT_F64] = 8 };
    return sizes[element];
}

double pst_element_number(enum pst_element element, const void *elements, size_t index)
{
    switch (element) {
    case PST_ELEMENT_U8:
        return ((const uint8_t *)elements)[index];
    case PST_ELEMENT_I8:
        return ((const int8_t *)elements)[index];
    case PST_ELEMENT_I16:
        return ((const int16_t *)elements)[index];
    case PST_ELEMENT_I32:
        return ((const int32_t *)elements)[index];
    case PST_ELEMENT_F32:
        return (double)((const float *)elements)[index];
    case PST_ELEMENT_F64:
        break;
    }
    return ((const double *)elements)[index];
}

size_t pst_element_numbers(enum pst_element element, const void *elements, size_t count, double scale,
                           double offset, float *numbers)
{
    for (size_t i = 0; i < count; i++) {
        numbers[i] = (float)(scale * pst_element_number(element, elements, i) + offset);
        if (!isfinite(numbers[i]))
            return i;
    }
    return count;
}
