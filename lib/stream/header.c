/* Headers: the list of tensors, and the header as a JSON object. */
#include "pipestill/linux.h"

#include "lib/stream/message.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum pst_status pst_header_new(struct pst_header *header, struct pst_error *error)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char random[16];
    *header = (struct pst_header){ .history = json_array() };
    if (header->history == NULL || getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        pst_header_free(header);
        return pst_fail(error, PST_TRY_AGAIN, "out of memory or random numbers for a header");
    }
    for (size_t i = 0; i < sizeof random; i++) {
        header->run[2 * i] = digits[random[i] >> 4];
        header->run[2 * i + 1] = digits[random[i] & 15];
    }
    return PST_OK;
}

uint32_t pst_run_mark(const struct pst_header *header)
{
    return pst_crc32c(0, header->run, strlen(header->run));
}

enum pst_status pst_header_copy(struct pst_header *copy, const struct pst_header *header,
                                struct pst_error *error)
{
    *copy = *header;
    copy->tensors = pst_allocate(header->tensor_count, sizeof *copy->tensors, error);
    copy->history = json_copy(header->history); /* entries are shared, because nothing changes them */
    copy->lineage = header->lineage == NULL ? NULL : json_copy(header->lineage);
    copy->other = header->other == NULL ? NULL : json_copy(header->other);
    if (copy->tensors == NULL || copy->history == NULL || (header->other != NULL && copy->other == NULL) ||
        (header->lineage != NULL && copy->lineage == NULL)) {
        pst_header_free(copy);
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a header");
    }
    if (header->tensor_count > 0)
        memcpy(copy->tensors, header->tensors, header->tensor_count * sizeof *copy->tensors);
    return PST_OK;
}

enum pst_status pst_header_pass(struct pst_header *out, const struct pst_header *in, struct pst_error *error)
{
    enum pst_status status = pst_header_copy(out, in, error);
    for (size_t i = 0; i < out->tensor_count; i++)
        out->tensors[i].passed_from = i;
    return status;
}

void pst_header_drop(struct pst_header *header, size_t index)
{
    struct pst_tensor_spec *place = &header->tensors[index];
    header->tensor_count--;
    memmove(place, place + 1, (header->tensor_count - index) * sizeof *place);
}

void pst_header_replace(struct pst_header *header, size_t index)
{
    header->tensors[index].passed_from = PST_NONE;
    header->tensors[index].origin[0] = '\0';
}

void pst_header_set_origin(struct pst_header *header, size_t index, const char *origin)
{
    snprintf(header->tensors[index].origin, PST_DIGEST_TEXT, "%s", origin);
}

void pst_header_free(struct pst_header *header)
{
    free(header->tensors);
    json_decref(header->history);
    json_decref(header->lineage);
    json_decref(header->other);
    *header = (struct pst_header){ 0 };
}

/* Computes the bytes of one sample. Returns false if the shape is out of bounds. */
static bool measure(struct pst_tensor_spec *spec)
{
    if (spec->rank >= PST_MAX_RANK)
        return false;
    size_t bytes = pst_dtype_size(spec->dtype);
    for (size_t i = 0; i < spec->rank; i++) {
        if (spec->shape[i] == 0 || !pst_multiply(bytes, spec->shape[i], &bytes))
            return false;
    }
    spec->sample_bytes = bytes;
    return bytes <= SIZE_MAX / 4;
}

enum pst_status pst_header_add_tensor(struct pst_header *header, const struct pst_tensor_spec *spec,
                                      size_t *index, struct pst_error *error)
{
    struct pst_tensor_spec measured = *spec;
    measured.passed_from = PST_NONE;
    measured.origin[0] = '\0'; /* a copied description has another tensor's origin */
    char text[128];
    if (spec->name[0] == '\0')
        return pst_fail(error, PST_BAD_DATA, "a tensor without a name");
    if (!measure(&measured))
        return pst_fail(error, PST_BAD_DATA, "tensor '%s': its shape is out of bounds: %s", spec->name,
                        spec->rank < PST_MAX_RANK ? pst_spec_text(spec, text, sizeof text)
                                                  : "too many sizes");
    if (!pst_is_utf8(spec->name))
        return pst_fail(error, PST_BAD_DATA, "tensor '%s': its name is not UTF-8", spec->name);
    if (strcmp(spec->name, "id") == 0 && (spec->dtype != PST_DTYPE_U64 || spec->rank != 0))
        return pst_fail(error, PST_BAD_DATA, "tensor 'id' must be one u64 a sample, and is %s",
                        pst_spec_text(spec, text, sizeof text));
    if (pst_header_find(header, spec->name) != PST_NONE)
        return pst_fail(error, PST_BAD_DATA, "tensor '%s' is in the stream already; choose another name",
                        spec->name);
    if (header->tensor_count == PST_MAX_TENSORS)
        return pst_fail(error, PST_BAD_DATA, "more than %d tensors in a stream", PST_MAX_TENSORS);
    size_t count = header->tensor_count + 1;
    struct pst_tensor_spec *grown = realloc(header->tensors, count * sizeof *grown);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for %zu tensors", count);
    grown[count - 1] = measured;
    header->tensors = grown;
    header->tensor_count = count;
    if (index != NULL)
        *index = count - 1;
    return PST_OK;
}

enum pst_status pst_header_pass_tensor(struct pst_header *header, const struct pst_tensor_spec *spec,
                                       size_t from, size_t *index, struct pst_error *error)
{
    size_t at = 0;
    enum pst_status status = pst_header_add_tensor(header, spec, &at, error);
    if (status != PST_OK)
        return status;
    header->tensors[at].passed_from = from;
    pst_header_set_origin(header, at, spec->origin);
    if (index != NULL)
        *index = at;
    return PST_OK;
}

size_t pst_header_find(const struct pst_header *header, const char *name)
{
    for (size_t i = 0; i < header->tensor_count; i++) {
        if (strcmp(header->tensors[i].name, name) == 0)
            return i;
    }
    return PST_NONE;
}

size_t pst_header_find_all(const struct pst_header *header, const char *prefix, size_t *indices, size_t room)
{
    size_t length = strlen(prefix), found = 0;
    for (size_t i = 0; i < header->tensor_count; i++) {
        const char *name = header->tensors[i].name;
        if (strncmp(name, prefix, length) != 0 || name[length] != '/')
            continue;
        if (found < room)
            indices[found] = i;
        found++;
    }
    return found;
}

enum pst_status pst_header_require(const struct pst_header *header, const char *name, enum pst_dtype dtype,
                                   size_t rank, const size_t *shape, size_t *index, struct pst_error *error)
{
    *index = pst_header_find(header, name);
    if (*index == PST_NONE)
        return pst_fail(error, PST_BAD_DATA, "the stream has no tensor '%s'", name);
    const struct pst_tensor_spec *spec = &header->tensors[*index];
    if (dtype == PST_DTYPE_I32 && strcmp(name, "y") == 0 && pst_labels_are_mixed(header))
        return pst_fail(error, PST_BAD_DATA,
                        "tensor 'y' holds shares of classes, for samples were mixed, and labels are needed; "
                        "leave out loader's --mixup and --cutmix");
    if (spec->dtype != dtype || spec->rank != rank)
        return pst_fail(error, PST_BAD_DATA,
                        "tensor '%s' is %s of rank %zu a sample; %s of rank %zu is needed", name,
                        pst_dtype_name(spec->dtype), spec->rank, pst_dtype_name(dtype), rank);
    for (size_t i = 0; shape != NULL && i < rank; i++) {
        if (shape[i] != 0 && shape[i] != spec->shape[i])
            return pst_fail(error, PST_BAD_DATA,
                            "tensor '%s' has %zu elements in dimension %zu; %zu are needed", name,
                            spec->shape[i], i + 1, shape[i]);
    }
    return PST_OK;
}

enum pst_status pst_header_append_history(struct pst_header *header, const char *stage, json_t *details,
                                          struct pst_error *error)
{
    json_t *entry = json_pack("{s:s, s:s}", "stage", stage, "version", PST_VERSION);
    bool good = entry != NULL && (details == NULL || json_object_update_missing(entry, details) == 0);
    json_decref(details);
    if (!good || json_array_append_new(header->history, entry) != 0)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the stream's history");
    return PST_OK;
}

/* ---- as a JSON object --------------------------------------------------------------------------------- */

static void set_count(json_t **object, const char *name, uint64_t count)
{
    if (count != 0)
        pst_json_put(object, name, json_integer((json_int_t)count));
}

static json_t *tensors_to_json(const struct pst_header *header)
{
    json_t *tensors = json_array();
    for (size_t i = 0; i < header->tensor_count; i++) {
        if (json_array_append_new(tensors, pst_spec_to_json(&header->tensors[i])) != 0) {
            json_decref(tensors);
            return NULL;
        }
    }
    return tensors;
}

json_t *pst_header_to_json(const struct pst_header *header)
{
    json_t *object = json_pack("{s:i, s:s}", "format", PST_FORMAT_VERSION, "run", header->run);
    set_count(&object, "classes", header->classes);
    set_count(&object, "samples", header->samples);
    set_count(&object, "epochs", header->epochs);
    set_count(&object, "batches", header->batches);
    set_count(&object, "first", header->first);
    if (header->encoding == PST_ZSTD)
        pst_json_put(&object, "encoding", json_string("zstd"));
    pst_json_put(&object, "tensors", tensors_to_json(header));
    pst_json_put(&object, "history", json_incref(header->history));
    if (json_object_size(header->lineage) > 0)
        pst_json_put(&object, "lineage", json_incref(header->lineage));
    if (object != NULL && header->other != NULL && json_object_update_missing(object, header->other) != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* Takes a key out of the object, so that at the end only keys are left that this version does not use. */
static json_t *take_key(json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    json_incref(value);
    json_object_del(object, name);
    return value;
}

/* Refuses a key's value. where: "" or "tensor 3: ". value: NULL if it is missing. due: what it should be. */
static enum pst_status refuse_key(const char *where, const char *key, const json_t *value, const char *due,
                                  struct pst_error *error)
{
    char *text = value == NULL ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    pst_fail(error, PST_BAD_DATA, "header: %s'%s' is %.80s, and not %s", where, key,
             text != NULL ? text : "missing", due);
    free(text);
    return PST_BAD_DATA;
}

static enum pst_status take_count(json_t *object, const char *name, uint64_t *count, struct pst_error *error)
{
    json_t *value = take_key(object, name);
    json_int_t number = json_integer_value(value);
    enum pst_status status = PST_OK;
    if (value != NULL && !(json_is_integer(value) && number >= 0 && number <= (json_int_t)1 << 53))
        status = refuse_key("", name, value, "a count, from 0 to 2^53", error);
    *count = (uint64_t)number;
    json_decref(value);
    return status;
}

static enum pst_status take_counts(struct pst_header *header, json_t *object, struct pst_error *error)
{
    const struct {
        const char *name;
        uint64_t *count;
    } counts[] = { { "classes", &header->classes },
                   { "samples", &header->samples },
                   { "epochs", &header->epochs },
                   { "batches", &header->batches },
                   { "first", &header->first } };
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < sizeof counts / sizeof *counts && status == PST_OK; i++)
        status = take_count(object, counts[i].name, counts[i].count, error);
    return status;
}

static enum pst_status take_run(struct pst_header *header, json_t *object, struct pst_error *error)
{
    json_t *run = take_key(object, "run");
    enum pst_status status = PST_OK;
    if (!pst_json_text(run, header->run, sizeof header->run))
        status = refuse_key("", "run", run, "a text of 1 to 32 bytes", error);
    json_decref(run);
    return status;
}

/* Whether a tensor's temperature differs from that in its lineage. */
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
    const char *due, *key = pst_spec_from_json(&spec, object, &due);
    char where[PST_NAME_SIZE + 40];
    snprintf(where, sizeof where, "tensor %zu%s%s%s: ", header->tensor_count,
             spec.name[0] == '\0' ? "" : ", '", spec.name, spec.name[0] == '\0' ? "" : "'");
    if (key != NULL)
        return refuse_key(where, key, json_object_get(object, key), due, error);
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
    status = take_run(header, object, error);
    if (status == PST_OK)
        status = take_counts(header, object, error);
    if (status != PST_OK)
        return status;
    header->history = take_key(object, "history");
    if (!json_is_array(header->history))
        return refuse_key("", "history", header->history, "a list", error);
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
