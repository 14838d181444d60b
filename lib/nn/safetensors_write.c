/* Writing safetensors files: a length, a header in JSON, the tensors' bytes one after another. */
#include "lib/nn/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The header's entry for one tensor; NULL if memory is short. */
static json_t *describe(const struct pst_named_tensor *tensor, size_t begin)
{
    json_t *shape = json_array();
    for (size_t i = 0; i < tensor->rank; i++) {
        if (json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i])) != 0) {
            json_decref(shape);
            return NULL;
        }
    }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", tensor->dtype, "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)begin + (json_int_t)tensor->bytes);
}

enum pst_status pst_safetensors_checksum(const json_t *header, const struct pst_named_tensor *tensors,
                                         size_t count, char checksum[PST_DIGEST_TEXT],
                                         struct pst_error *error)
{
    enum { DIGITS = PST_DIGEST_TEXT - 1 };
    char *text = json_dumps(header, JSON_COMPACT | JSON_SORT_KEYS);
    char *digests = pst_allocate(count + 1, DIGITS, error);
    bool good = text != NULL && digests != NULL;
    if (good) {
        pst_digest(text, strlen(text), checksum);
        memcpy(digests, checksum, DIGITS);
        for (size_t i = 0; i < count; i++) {
            pst_digest(tensors[i].data, tensors[i].bytes, checksum);
            memcpy(digests + (i + 1) * DIGITS, checksum, DIGITS);
        }
        pst_digest(digests, (count + 1) * DIGITS, checksum);
    }
    free(text);
    free(digests);
    return good ? PST_OK : pst_fail(error, PST_TRY_AGAIN, "out of memory for a checksum");
}

/* Enters the checksum into the header's metadata. Returns false if memory is short. */
static bool seal(json_t *header, const struct pst_named_tensor *tensors, size_t count)
{
    char checksum[PST_DIGEST_TEXT];
    struct pst_error ignored;
    json_t *metadata = json_object_get(header, "__metadata__");
    return metadata == NULL ||
           (pst_safetensors_checksum(header, tensors, count, checksum, &ignored) == PST_OK &&
            json_object_set_new(metadata, PST_CHECKSUM_KEY, json_string(checksum)) == 0);
}

/* The whole header as text, to be freed; NULL if memory is short. Keys are sorted, so the text does not
 * depend on the order in which metadata was added. */
static char *header_text(const json_t *metadata, const struct pst_named_tensor *tensors, size_t count)
{
    json_t *header = json_object();
    bool good = header != NULL;
    if (good && metadata != NULL && json_object_size(metadata) > 0)
        good = json_object_set_new(header, "__metadata__", json_deep_copy(metadata)) == 0;
    size_t begin = 0;
    for (size_t i = 0; good && i < count; i++) {
        good = json_object_set_new(header, tensors[i].name, describe(&tensors[i], begin)) == 0;
        begin += tensors[i].bytes;
    }
    good = good && seal(header, tensors, count);
    char *text = good ? json_dumps(header, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(header);
    return text;
}

/* Writes the length and the header, with spaces at its end so that the data start at a multiple of 8. */
static enum pst_status write_header(int fd, const char *text, const char *name, struct pst_error *error)
{
    size_t length = strlen(text), padding = (8 - length % 8) % 8;
    unsigned char prefix[8];
    for (unsigned i = 0; i < sizeof prefix; i++)
        prefix[i] = (unsigned char)((uint64_t)(length + padding) >> (8 * i));
    enum pst_status status = pst_write_all(fd, prefix, sizeof prefix, name, error);
    if (status == PST_OK)
        status = pst_write_all(fd, text, length, name, error);
    if (status == PST_OK)
        status = pst_write_all(fd, "        ", padding, name, error);
    return status;
}

enum pst_status pst_safetensors_write(const char *path, const struct json_t *metadata,
                                      const struct pst_named_tensor *tensors, size_t count,
                                      struct pst_error *error)
{
    char *text = header_text(metadata, tensors, count);
    if (text == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "%s: out of memory for the header", path);
    struct pst_atomic_file file;
    enum pst_status status = pst_atomic_open(&file, path, PST_LEFTOVER_REPLACE, error);
    if (status == PST_OK) {
        status = write_header(file.fd, text, path, error);
        for (size_t i = 0; status == PST_OK && i < count; i++)
            status = pst_write_all(file.fd, tensors[i].data, tensors[i].bytes, path, error);
        if (status == PST_OK)
            status = pst_atomic_commit(&file, error);
        else
            pst_atomic_abandon(&file, false);
    }
    free(text);
    return status;
}
