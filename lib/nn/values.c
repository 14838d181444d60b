/* The values of a tensor in a safetensors file, of whichever type of floating-point numbers, as f32. */
#include "lib/nn/model.h"

#include <math.h>
#include <string.h>

/* bfloat16 is the upper half of an f32. */
static float from_bf16(const unsigned char *bytes)
{
    uint32_t bits = (uint32_t)bytes[1] << 24 | (uint32_t)bytes[0] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float from_f16(const unsigned char *bytes)
{
    return pst_half_to_f32((uint16_t)(bytes[0] | bytes[1] << 8));
}

static float from_f32(const unsigned char *bytes)
{
    float value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static float from_f64(const unsigned char *bytes)
{
    double value;
    memcpy(&value, bytes, sizeof value);
    return (float)value;
}

static const struct {
    const char *dtype;
    size_t size;
    float (*read)(const unsigned char *bytes);
} types[] = {
    { "F32", 4, from_f32 }, { "F16", 2, from_f16 }, { "BF16", 2, from_bf16 }, { "F64", 8, from_f64 }
};

enum pst_status pst_tensor_values(const struct pst_named_tensor *tensor, float *values, const char *path,
                                  struct pst_error *error)
{
    size_t type = 0, known = sizeof types / sizeof *types;
    while (type < known && strcmp(tensor->dtype, types[type].dtype) != 0)
        type++;
    if (type == known)
        return pst_fail(error, PST_BAD_DATA, "%s: tensor %s is %s; convert it to F32, F16, BF16 or F64", path,
                        tensor->name, tensor->dtype);
    for (size_t i = 0; i < tensor->bytes / types[type].size; i++) {
        values[i] = types[type].read((const unsigned char *)tensor->data + i * types[type].size);
        if (!isfinite(values[i]))
            return pst_fail(error, PST_BAD_DATA, "%s: tensor %s: value %zu is not finite as f32", path,
                            tensor->name, i);
    }
    return PST_OK;
}
