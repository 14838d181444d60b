/* Reading safetensors files (github.com/huggingface/safetensors describes the format): eight bytes of
 * length, a header in JSON, the tensors' bytes. Everything in the file is checked before it is used. */
#include "lib/nn/safetensors.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX 8                /* bytes of the header's length */
#define MAX_HEADER 100000000ULL /* bytes; the limit of the format's own library */

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    { "F32", 4 },     { "F64", 8 }, { "F16", 2 }, { "BF16", 2 }, { "F8_E4M3", 1 },
    { "F8_E5M2", 1 }, { "I64", 8 }, { "I32", 4 }, { "I16", 2 },  { "I8", 1 },
    { "U64", 8 },     { "U32", 4 }, { "U16", 2 }, { "U8", 1 },   { "BOOL", 1 },
};

/* ---- bytes ------------------------------------------------------------------------------------------- */

static enum pst_status read_all(int fd, void *bytes, size_t size, const char *path, struct pst_error *error)
{
    char *at = bytes;
    while (size > 0) {
        ssize_t got = read(fd, at, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return pst_fail(error, PST_IO_ERROR, "%s: cannot be read: %s", path, strerror(errno));
        if (got == 0)
            return pst_fail(error, PST_BAD_DATA, "%s: became shorter while it was read", path);
        at += got;
        size -= (size_t)got;
    }
    return PST_OK;
}

/* Where the sections of a loaded file are in memory. */
struct sections {
    const char *header;
    size_t header_size;
    const unsigned char *data;
    size_t data_size;
};

/* Reads the header's length and checks it against the file's size. */
static enum pst_status load_prefix(int fd, size_t size, const char *path, unsigned char prefix[PREFIX],
                                   size_t *header_size, struct pst_error *error)
{
    if (size < PREFIX)
        return pst_fail(error, PST_BAD_DATA, "%s: %zu bytes are too few for a safetensors file", path, size);
    enum pst_status status = read_all(fd, prefix, PREFIX, path, error);
    if (status != PST_OK)
        return status;
    uint64_t length = 0;
    for (unsigned i = 0; i < PREFIX; i++)
        length |= (uint64_t)prefix[i] << (8 * i);
    if (length > MAX_HEADER || length > size - PREFIX)
        return pst_fail(error, PST_BAD_DATA,
                        "%s: not a safetensors file, or a truncated one: its header would take %llu bytes",
                        path, (unsigned long long)length);
    *header_size = (size_t)length;
    return PST_OK;
}

/* Reads the file into memory, shifted so that the data section is aligned for every length of the header. */
static enum pst_status load_bytes(int fd, size_t size, const char *path, struct pst_safetensors *file,
                                  struct sections *sections, struct pst_error *error)
{
    unsigned char prefix[PREFIX];
    enum pst_status status = load_prefix(fd, size, path, prefix, &sections->header_size, error);
    if (status != PST_OK)
        return status;
    size_t before = PREFIX + sections->header_size;
    size_t shift = (PST_ALIGNMENT - before % PST_ALIGNMENT) % PST_ALIGNMENT;
    file->bytes = pst_allocate(shift + size, 1, error);
    if (file->bytes == NULL)
        return PST_TRY_AGAIN;
    unsigned char *start = (unsigned char *)file->bytes + shift;
    memcpy(start, prefix, PREFIX);
    status = read_all(fd, start + PREFIX, size - PREFIX, path, error);
    if (status != PST_OK)
        return status;
    pst_digest(start, size, file->digest);
    sections->header = (const char *)start + PREFIX;
    sections->data = start + before;
    sections->data_size = size - before;
    return PST_OK;
}

static enum pst_status load(const char *path, struct pst_safetensors *file, struct sections *sections,
                            struct pst_error *error)
{
    int fd;
    enum pst_status result = pst_file_open(path, &fd, error);
    if (result != PST_OK)
        return result;
    struct stat status;
    char start[PST_FILE_START];
    const char *is = pst_wrong_file(PST_SAFETENSORS_FILE, start, pst_file_start(path, start, sizeof start));
    if (fstat(fd, &status) != 0)
        result = pst_fail(error, PST_IO_ERROR, "%s: %s", path, strerror(errno));
    else if (is != NULL)
        result = pst_fail(error, PST_BAD_DATA, "%s: not a safetensors file, but %s", path, is);
    else
        result = load_bytes(fd, (size_t)status.st_size, path, file, sections, error);
    close(fd);
    return result;
}

/* ---- the header -------------------------------------------------------------------------------------- */

static enum pst_status parse(const char *path, const struct sections *sections, json_t **header,
                             struct pst_error *error)
{
    json_error_t problem;
    *header = json_loadb(sections->header, sections->header_size, JSON_REJECT_DUPLICATES, &problem);
    if (*header != NULL)
        return PST_OK;
    /* jansson sets a code for every fault of the text, and none if memory was short. */
    enum json_error_code code = json_error_code(&problem);
    if (code == json_error_out_of_memory || code == json_error_unknown)
        return pst_fail(error, PST_TRY_AGAIN, "%s: out of memory for the header", path);
    return pst_fail(error, PST_BAD_DATA, "%s: %s (byte %d)", path,
                    code == json_error_duplicate_key ? "a key stands twice in the header"
                                                     : "the header is not valid JSON",
                    problem.position + PREFIX);
}

/* Copies a name. Control characters are refused, because they would break the one line of a message. */
static enum pst_status take_name(const char *key, const char *path, struct pst_named_tensor *tensor,
                                 struct pst_error *error)
{
    size_t length = strlen(key);
    if (length >= sizeof tensor->name)
        return pst_fail(error, PST_BAD_DATA, "%s: a tensor's name has %zu bytes, more than %zu", path, length,
                        sizeof tensor->name - 1);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)key[i] < ' ' || key[i] == 127)
            return pst_fail(error, PST_BAD_DATA, "%s: a tensor's name holds control characters", path);
    memcpy(tensor->name, key, length + 1);
    return PST_OK;
}

/* Copies dtype and shape. bytes: receives the size of the tensor. Returns what is wrong, or NULL. */
static const char *take_shape(const char *dtype, const json_t *shape, struct pst_named_tensor *tensor,
                              size_t *bytes)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        if (strcmp(dtype, dtypes[i].name) == 0) {
            tensor->dtype = dtypes[i].name;
            *bytes = dtypes[i].size;
        }
    }
    if (tensor->dtype == NULL)
        return "its dtype is unknown";
    tensor->rank = json_array_size(shape);
    if (!json_is_array(shape) || tensor->rank > sizeof tensor->shape / sizeof *tensor->shape)
        return "its shape is not a list of at most 8 numbers";
    for (size_t i = 0; i < tensor->rank; i++) {
        const json_t *side = json_array_get(shape, i);
        if (!json_is_integer(side) || json_integer_value(side) < 0)
            return "its shape holds what is not a size";
        tensor->shape[i] = (size_t)json_integer_value(side);
        if (!pst_multiply(*bytes, tensor->shape[i], bytes))
            return "its shape is too large";
    }
    return NULL;
}

/* Reads one entry of the header. Returns what is wrong, or NULL. */
static const char *take_entry(const json_t *entry, const struct sections *sections,
                              struct pst_named_tensor *tensor)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    const json_t *shape = json_object_get(entry, "shape"), *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    if (dtype == NULL || shape == NULL || json_array_size(offsets) != 2 || !json_is_integer(first) ||
        !json_is_integer(last))
        return "its entry lacks dtype, shape or data_offsets";
    size_t bytes;
    const char *wrong = take_shape(dtype, shape, tensor, &bytes);
    if (wrong != NULL)
        return wrong;
    json_int_t begin = json_integer_value(first), end = json_integer_value(last);
    if (begin < 0 || end < begin || (uint64_t)end > sections->data_size)
        return "its data_offsets lie outside the file";
    tensor->data = sections->data + begin;
    tensor->bytes = (size_t)(end - begin);
    return tensor->bytes == bytes ? NULL : "its data_offsets do not fit its shape and dtype";
}

static enum pst_status take_metadata(const char *path, json_t *metadata, struct pst_safetensors *file,
                                     struct pst_error *error)
{
    file->metadata = metadata != NULL ? json_incref(metadata) : json_object();
    if (file->metadata == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    const char *key;
    json_t *value;
    json_object_foreach(file->metadata, key, value) if (!json_is_string(value)) return pst_fail(
        error, PST_BAD_DATA, "%s: __metadata__ holds what is not text", path);
    return json_is_object(file->metadata)
               ? PST_OK
               : pst_fail(error, PST_BAD_DATA, "%s: __metadata__ is not an object", path);
}

static int by_offset(const void *left, const void *right)
{
    const struct pst_named_tensor *a = left, *b = right;
    const unsigned char *a_data = a->data, *b_data = b->data;
    if (a_data != b_data)
        return a_data < b_data ? -1 : 1;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* Checks that the tensors fill the data section without overlap and without gaps. */
static enum pst_status check_layout(const char *path, const struct pst_safetensors *file,
                                    const struct sections *sections, struct pst_error *error)
{
    const unsigned char *at = sections->data;
    for (size_t i = 0; i < file->count; i++) {
        const struct pst_named_tensor *tensor = &file->tensors[i];
        if ((const unsigned char *)tensor->data != at)
            return pst_fail(error, PST_BAD_DATA, "%s: tensor %s: its bytes %s", path, tensor->name,
                            (const unsigned char *)tensor->data < at ? "overlap with another tensor's"
                                                                     : "come after a hole");
        at += tensor->bytes;
    }
    if (at != sections->data + sections->data_size)
        return pst_fail(error, PST_BAD_DATA, "%s: has %zu bytes behind the last tensor", path,
                        (size_t)(sections->data + sections->data_size - at));
    return PST_OK;
}

static enum pst_status take_tensors(const char *path, json_t *header, const struct sections *sections,
                                    struct pst_safetensors *file, struct pst_error *error)
{
    file->tensors = pst_allocate(json_object_size(header), sizeof *file->tensors, error);
    if (file->tensors == NULL)
        return PST_TRY_AGAIN;
    const char *key;
    json_t *entry;
    json_object_foreach(header, key, entry)
    {
        if (strcmp(key, "__metadata__") == 0)
            continue;
        struct pst_named_tensor *tensor = &file->tensors[file->count++];
        enum pst_status status = take_name(key, path, tensor, error);
        if (status != PST_OK)
            return status;
        const char *wrong = take_entry(entry, sections, tensor);
        if (wrong != NULL)
            return pst_fail(error, PST_BAD_DATA, "%s: tensor %s: %s", path, key, wrong);
    }
    qsort(file->tensors, file->count, sizeof *file->tensors, by_offset);
    return check_layout(path, file, sections, error);
}

/* Checks the checksum, if the file has one: files of other tools and older files have none. */
static enum pst_status check_sum(const char *path, json_t *header, const struct pst_safetensors *file,
                                 struct pst_error *error)
{
    const char *format = json_string_value(json_object_get(file->metadata, "format"));
    const char *said = json_string_value(json_object_get(file->metadata, PST_CHECKSUM_KEY));
    char expected[PST_DIGEST_TEXT], checksum[PST_DIGEST_TEXT];
    if (said == NULL || format == NULL || strncmp(format, "pipestill-", 10) != 0)
        return PST_OK;
    snprintf(expected, sizeof expected, "%s", said);
    json_object_del(file->metadata, PST_CHECKSUM_KEY);
    enum pst_status status = pst_safetensors_checksum(header, file->tensors, file->count, checksum, error);
    if (status != PST_OK || strcmp(checksum, expected) == 0)
        return status;
    return pst_fail(error, PST_BAD_DATA,
                    "%s: its checksum does not fit: it is damaged, or another program changed it and kept "
                    "'" PST_CHECKSUM_KEY "' in its metadata",
                    path);
}

static enum pst_status take_header(const char *path, const struct sections *sections,
                                   struct pst_safetensors *file, struct pst_error *error)
{
    json_t *header;
    enum pst_status status = parse(path, sections, &header, error);
    if (status != PST_OK)
        return status;
    if (!json_is_object(header))
        status = pst_fail(error, PST_BAD_DATA, "%s: the header is not a JSON object", path);
    if (status == PST_OK)
        status = take_metadata(path, json_object_get(header, "__metadata__"), file, error);
    if (status == PST_OK)
        status = take_tensors(path, header, sections, file, error);
    if (status == PST_OK)
        status = check_sum(path, header, file, error);
    json_decref(header);
    return status;
}

enum pst_status pst_safetensors_read(const char *path, struct pst_safetensors *file, struct pst_error *error)
{
    *file = (struct pst_safetensors){ 0 };
    struct sections sections = { 0 };
    enum pst_status status = load(path, file, &sections, error);
    if (status == PST_OK)
        status = take_header(path, &sections, file, error);
    if (status != PST_OK)
        pst_safetensors_free(file);
    return status;
}

void pst_safetensors_free(struct pst_safetensors *file)
{
    json_decref(file->metadata);
    free(file->tensors);
    free(file->bytes);
    *file = (struct pst_safetensors){ 0 };
}
