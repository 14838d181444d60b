/* Tensors: types of elements, descriptions as JSON, and elements as numbers. */
#include "lib/stream/wire.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} dtypes[PST_DTYPES] = {
    [PST_DTYPE_U8] = { "u8", 1 },   [PST_DTYPE_I32] = { "i32", 4 }, [PST_DTYPE_U64] = { "u64", 8 },
    [PST_DTYPE_F32] = { "f32", 4 }, [PST_DTYPE_F16] = { "f16", 2 }, [PST_DTYPE_U16] = { "u16", 2 },
};

size_t pst_dtype_size(enum pst_dtype dtype)
{
    return dtypes[dtype].size;
}

const char *pst_dtype_name(enum pst_dtype dtype)
{
    return dtypes[dtype].name;
}

size_t pst_spec_elements(const struct pst_tensor_spec *spec)
{
    size_t elements = 1;
    for (size_t i = 0; i < spec->rank; i++)
        elements *= spec->shape[i];
    return elements;
}

/* ---- descriptions ------------------------------------------------------------------------------------- */

static void set_real(json_t **object, const char *name, double number)
{
    if (number != 0)
        pst_json_put(object, name, json_real(number));
}

static json_t *shape_to_json(const struct pst_tensor_spec *spec)
{
    json_t *shape = json_array();
    for (size_t i = 0; i < spec->rank; i++) {
        if (json_array_append_new(shape, json_integer((json_int_t)spec->shape[i])) != 0) {
            json_decref(shape);
            return NULL;
        }
    }
    return shape;
}

json_t *pst_spec_to_json(const struct pst_tensor_spec *spec)
{
    json_t *object = json_pack("{s:s, s:s}", "name", spec->name, "dtype", pst_dtype_name(spec->dtype));
    pst_json_put(&object, "shape", shape_to_json(spec));
    set_real(&object, "scale", spec->scale);
    set_real(&object, "offset", spec->offset);
    set_real(&object, "temperature", spec->temperature);
    if (spec->origin[0] != '\0')
        pst_json_put(&object, "origin", json_string(spec->origin));
    return object;
}

static bool get_real(const json_t *object, const char *name, double *number)
{
    const json_t *value = json_object_get(object, name);
    *number = json_number_value(value);
    return value == NULL || json_is_number(value);
}

static bool get_dtype(const json_t *value, enum pst_dtype *dtype)
{
    for (*dtype = 0; json_is_string(value) && *dtype < PST_DTYPES; ++*dtype) {
        if (strcmp(json_string_value(value), pst_dtype_name(*dtype)) == 0)
            return true;
    }
    return false;
}

static bool get_shape(const json_t *value, struct pst_tensor_spec *spec)
{
    spec->rank = json_array_size(value);
    if (!json_is_array(value) || spec->rank >= PST_MAX_RANK)
        return false;
    for (size_t i = 0; i < spec->rank; i++) {
        json_int_t size = json_integer_value(json_array_get(value, i));
        if (size < 1)
            return false;
        spec->shape[i] = (size_t)size;
    }
    return true;
}

static bool get_origin(const json_t *object, char origin[PST_DIGEST_TEXT])
{
    const json_t *value = json_object_get(object, "origin");
    if (value == NULL)
        return true;
    if (!pst_is_origin(json_string_value(value)))
        return false;
    memcpy(origin, json_string_value(value), PST_DIGEST_TEXT);
    return true;
}

/* Takes the value of one key. Returns whether it is valid. */
static bool take_name(struct pst_tensor_spec *spec, const json_t *object)
{
    return pst_json_text(json_object_get(object, "name"), spec->name, sizeof spec->name);
}

static bool take_dtype(struct pst_tensor_spec *spec, const json_t *object)
{
    return get_dtype(json_object_get(object, "dtype"), &spec->dtype);
}

static bool take_shape(struct pst_tensor_spec *spec, const json_t *object)
{
    return get_shape(json_object_get(object, "shape"), spec);
}

static bool take_scale(struct pst_tensor_spec *spec, const json_t *object)
{
    return get_real(object, "scale", &spec->scale);
}

static bool take_offset(struct pst_tensor_spec *spec, const json_t *object)
{
    return get_real(object, "offset", &spec->offset);
}

static bool take_temperature(struct pst_tensor_spec *spec, const json_t *object)
{
    return get_real(object, "temperature", &spec->temperature) && spec->temperature >= 0;
}

static bool take_origin(struct pst_tensor_spec *spec, const json_t *object)
{
    return get_origin(object, spec->origin);
}

const char *pst_spec_from_json(struct pst_tensor_spec *spec, const json_t *object, const char **due)
{
    static const struct {
        const char *name, *due;
        bool (*take)(struct pst_tensor_spec *spec, const json_t *object);
    } keys[] = {
        { "name", "a text of 1 to 127 bytes", take_name },
        { "dtype", "one of u8, i32, u64, f32, f16 and u16", take_dtype },
        { "shape", "a list of at most 7 sizes from 1", take_shape },
        { "scale", "a number", take_scale },
        { "offset", "a number", take_offset },
        { "temperature", "a number from 0", take_temperature },
        { "origin", "64 hexadecimal digits", take_origin },
    };
    *spec = (struct pst_tensor_spec){ 0 };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        *due = keys[i].due;
        if (!keys[i].take(spec, object))
            return keys[i].name;
    }
    return NULL;
}

const char *pst_spec_text(const struct pst_tensor_spec *spec, char *text, size_t size)
{
    size_t length = (size_t)snprintf(text, size, "%s [", pst_dtype_name(spec->dtype));
    for (size_t i = 0; i < spec->rank && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%zu", i == 0 ? "" : ", ", spec->shape[i]);
    if (length < size)
        snprintf(text + length, size - length, "]");
    return text;
}

enum pst_status pst_spec_of_classes(const struct pst_tensor_spec *spec, struct pst_error *error)
{
    char text[128];
    if (spec->dtype == PST_DTYPE_F32 && spec->rank == 1)
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA, "tensor '%s' is %s, not f32 with one dimension of classes",
                    spec->name, pst_spec_text(spec, text, sizeof text));
}

#define INFINITY_BITS 0x7f800000

/* ---- numbers ------------------------------------------------------------------------------------------ */

static void u8_to_f32(const uint8_t *elements, size_t count, float scale, float offset, float *numbers)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] = scale * (float)elements[i] + offset;
}

/* The place of the first number that is not finite, or count. Without their signs, the bits of floats are in
 * the order of their sizes, with infinity and NaN behind all others. */
static size_t first_not_finite(const float *numbers, size_t count)
{
    int32_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t bits;
        memcpy(&bits, &numbers[i], sizeof bits);
        bits &= INT32_MAX;
        largest = bits > largest ? bits : largest;
    }
    if (largest < INFINITY_BITS)
        return count;
    size_t at = 0;
    while (at < count && isfinite(numbers[at]))
        at++;
    return at;
}

enum pst_status pst_tensor_to_f32(const struct pst_tensor_spec *spec, const struct pst_tensor *tensor,
                                  size_t n, float *numbers, struct pst_error *error)
{
    size_t elements = pst_spec_elements(spec);
    size_t count = n * elements;
    if (spec->dtype == PST_DTYPE_U8) {
        if (!(255 * fabs(spec->scale) + fabs(spec->offset) <= (double)FLT_MAX))
            return pst_fail(error, PST_BAD_DATA, "tensor '%s': scale %g and offset %g lead beyond f32",
                            spec->name, spec->scale, spec->offset);
        u8_to_f32(tensor->data, count, spec->scale == 0 ? 1 : (float)spec->scale, (float)spec->offset,
                  numbers);
        return PST_OK;
    }
    if (spec->dtype == PST_DTYPE_F16)
        pst_halves_to_f32(tensor->data, numbers, count);
    else if (spec->dtype == PST_DTYPE_F32)
        memcpy(numbers, tensor->data, count * sizeof *numbers);
    else
        return pst_fail(error, PST_BAD_DATA, "tensor '%s' is %s; u8, f16 or f32 is needed", spec->name,
                        pst_dtype_name(spec->dtype));
    size_t bad = first_not_finite(numbers, count);
    if (bad < count)
        return pst_fail(error, PST_BAD_DATA,
                        "tensor '%s', sample %zu of the batch: a number is NaN or infinite", spec->name,
                        bad / elements);
    return PST_OK;
}
