/* A header as a JSON object, and back with every field checked. */
#include "lib/stream/codec.h"

#include <float.h>
#include <string.h>

static void set_count(json_t *object, const char *name, uint64_t count)
{
    if (count != 0)
        json_object_set_new(object, name, json_integer((json_int_t)count));
}

static void set_real(json_t *object, const char *name, double number)
{
    if (number != 0)
        json_object_set_new(object, name, json_real(number));
}

json_t *pst_spec_to_json(const struct pst_tensor_spec *spec)
{
    json_t *shape = json_array();
    for (size_t i = 0; i < spec->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)spec->shape[i]));
    json_t *object = json_pack("{s:s, s:s, s:o}", "name", spec->name, "dtype", pst_dtype_name(spec->dtype),
                               "shape", shape);
    if (object == NULL)
        return NULL;
    set_real(object, "scale", spec->scale);
    set_real(object, "offset", spec->offset);
    set_real(object, "temperature", spec->temperature);
    if (spec->origin[0] != '\0')
        json_object_set_new(object, "origin", json_string(spec->origin));
    return object;
}

json_t *pst_header_to_json(const struct pst_header *header)
{
    json_t *object = json_pack("{s:i, s:s}", "format", PST_FORMAT_VERSION, "run", header->run);
    json_t *tensors = json_array();
    for (size_t i = 0; i < header->tensor_count; i++)
        json_array_append_new(tensors, pst_spec_to_json(&header->tensors[i]));
    if (object == NULL || json_array_size(tensors) != header->tensor_count) {
        json_decref(object);
        json_decref(tensors);
        return NULL;
    }
    set_count(object, "classes", header->classes);
    set_count(object, "samples", header->samples);
    set_count(object, "epochs", header->epochs);
    set_count(object, "batches", header->batches);
    set_count(object, "first", header->first);
    if (header->encoding == PST_ZSTD)
        json_object_set_new(object, "encoding", json_string("zstd"));
    json_object_set_new(object, "tensors", tensors);
    json_object_set(object, "history", header->history);
    if (json_object_size(header->lineage) > 0)
        json_object_set(object, "lineage", header->lineage);
    if (header->other != NULL)
        json_object_update_missing(object, header->other);
    return object;
}

/* Takes a key out of the object, so that what is left at the end is what this version does not know. */
static json_t *take_key(json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    json_incref(value);
    json_object_del(object, name);
    return value;
}

static bool take_count(json_t *object, const char *name, uint64_t *count)
{
    json_t *value = take_key(object, name);
    json_int_t number = json_integer_value(value);
    bool good = value == NULL || (json_is_integer(value) && number >= 0 && number <= (json_int_t)1 << 53);
    *count = (uint64_t)number;
    json_decref(value);
    return good;
}

/* Copies a string of 1 to size - 1 bytes. */
static bool get_text(const json_t *value, char *text, size_t size)
{
    size_t length = json_string_length(value);
    if (!json_is_string(value) || length == 0 || length >= size || strlen(json_string_value(value)) != length)
        return false;
    memcpy(text, json_string_value(value), length + 1);
    return true;
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

bool pst_spec_from_json(struct pst_tensor_spec *spec, const json_t *object)
{
    *spec = (struct pst_tensor_spec){ 0 };
    return get_text(json_object_get(object, "name"), spec->name, sizeof spec->name) &&
           get_dtype(json_object_get(object, "dtype"), &spec->dtype) &&
           get_shape(json_object_get(object, "shape"), spec) && get_real(object, "scale", &spec->scale) &&
           get_real(object, "offset", &spec->offset) && get_real(object, "temperature", &spec->temperature) &&
           spec->temperature >= 0 && get_origin(object, spec->origin);
}

/* Whether a tensor says another temperature than what made it does. */
static bool contradicts_lineage(const struct pst_header *header, const struct pst_tensor_spec *spec)
{
    const json_t *entry = json_object_get(header->lineage, spec->origin);
    const char *said = json_string_value(json_object_get(entry, "temperature"));
    double temperature;
    return spec->temperature != 0 && pst_parse_double(said, 0, DBL_MAX, &temperature) &&
           temperature != spec->temperature;
}

static enum pst_status take_tensor(struct pst_header *header, const json_t *object, struct pst_error *error)
{
    struct pst_tensor_spec spec;
    if (!pst_spec_from_json(&spec, object))
        return pst_fail(error, PST_BAD_DATA, "header: tensor %zu is not described as it should be",
                        header->tensor_count);
    size_t index;
    enum pst_status status = pst_header_add_tensor(header, &spec, &index, error);
    if (status == PST_OK && contradicts_lineage(header, &spec))
        return pst_fail(
            error, PST_BAD_DATA,
            "header: tensor '%s' says that it is at temperature %g, but its lineage says another one",
            spec.name, spec.temperature);
    if (status == PST_OK)
        pst_header_set_origin(header, index, spec.origin);
    return status;
}

static enum pst_status take_tensors(struct pst_header *header, json_t *object, struct pst_error *error)
{
    json_t *tensors = take_key(object, "tensors");
    enum pst_status status = PST_OK;
    if (!json_is_array(tensors))
        status = pst_fail(error, PST_BAD_DATA, "header: there is no list of tensors");
    for (size_t i = 0; i < json_array_size(tensors) && status == PST_OK; i++)
        status = take_tensor(header, json_array_get(tensors, i), error);
    json_decref(tensors);
    return status;
}

static enum pst_status take_format(json_t *object, struct pst_error *error)
{
    json_t *format = take_key(object, "format");
    json_int_t version = json_integer_value(format);
    bool number = json_is_integer(format);
    json_decref(format);
    if (!number || version < 1)
        return pst_fail(error, PST_BAD_DATA, "header: there is no format version");
    if (version > PST_FORMAT_VERSION)
        return pst_fail(error, PST_BAD_DATA,
                        "header: format version %lld is newer than this program's %d; use a newer pipestill",
                        (long long)version, PST_FORMAT_VERSION);
    return PST_OK;
}

static enum pst_status take_encoding(struct pst_header *header, json_t *object, struct pst_error *error)
{
    json_t *encoding = take_key(object, "encoding");
    const char *name = json_string_value(encoding);
    enum pst_status status = PST_OK;
    if (name != NULL && strcmp(name, "zstd") == 0)
        header->encoding = PST_ZSTD;
    else if (encoding != NULL)
        status = pst_fail(
            error, PST_BAD_DATA,
            "header: this program does not know the encoding '%.32s' of tensors; use a newer pipestill",
            name == NULL ? "?" : name);
    json_decref(encoding);
    return status;
}

enum pst_status pst_header_from_json(struct pst_header *header, json_t *object, struct pst_error *error)
{
    *header = (struct pst_header){ 0 };
    if (!json_is_object(object))
        return pst_fail(error, PST_BAD_DATA, "header: its metadata is not a map");
    enum pst_status status = take_format(object, error);
    if (status != PST_OK)
        return status;
    json_t *run = take_key(object, "run");
    bool good = get_text(run, header->run, sizeof header->run);
    json_decref(run);
    good = take_count(object, "classes", &header->classes) && good;
    good = take_count(object, "samples", &header->samples) && good;
    good = take_count(object, "epochs", &header->epochs) && good;
    good = take_count(object, "batches", &header->batches) && good;
    good = take_count(object, "first", &header->first) && good;
    header->history = take_key(object, "history");
    if (!good || !json_is_array(header->history))
        return pst_fail(error, PST_BAD_DATA, "header: run, history, or a count is missing or out of bounds");
    header->lineage = take_key(object, "lineage");
    status = pst_lineage_check(header->lineage, error);
    if (status == PST_OK)
        status = take_encoding(header, object, error);
    if (status == PST_OK)
        status = take_tensors(header, object, error);
    if (status == PST_OK && json_object_size(object) > 0)
        header->other = json_incref(object);
    return status;
}
