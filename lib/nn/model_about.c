/* The meaning of a model's inputs and outputs. A file of its own, so that a program that reads only this
 * needs no networks. */
#include "lib/nn/model.h"

#include <jansson.h>
#include <string.h>

const char *const pst_about_keys[PST_ABOUT_KEYS] = { "inputs", "class_names", "output_names", "outputs",
                                                     "input_shape" };

static const char *said(const struct pst_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(file->metadata, key));
}

enum pst_status pst_model_check_format(const struct pst_safetensors *file, const char *path, bool *own,
                                       struct pst_error *error)
{
    const char *format = said(file, "format");
    *own = format != NULL && strcmp(format, PST_MODEL_FORMAT) == 0;
    if (format != NULL && !*own && strncmp(format, PST_FORMAT_FAMILY, strlen(PST_FORMAT_FAMILY)) == 0)
        return pst_fail(error, PST_BAD_DATA, "%s: metadata: the format is %.60s, not " PST_MODEL_FORMAT, path,
                        format);
    return PST_OK;
}

/* Each key is a JSON text. Its contents are not checked here, but by those who use them. */
enum pst_status pst_model_take_about(const struct pst_safetensors *file, const char *path,
                                     struct json_t **about, struct pst_error *error)
{
    *about = json_object();
    bool whole = *about != NULL;
    for (size_t i = 0; i < PST_ABOUT_KEYS && whole; i++) {
        const char *key = pst_about_keys[i], *text = said(file, key);
        json_error_t problem = { 0 };
        if (text == NULL)
            continue;
        json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, &problem);
        if (value == NULL && json_error_code(&problem) != json_error_unknown)
            return pst_fail(error, PST_BAD_DATA, "%s: metadata: %s is not JSON", path, key);
        whole = json_object_set_new(*about, key, value) == 0;
    }
    return whole ? PST_OK : pst_fail(error, PST_TRY_AGAIN, "%s: out of memory for the metadata", path);
}

enum pst_status pst_model_about(const char *path, struct json_t **about, struct pst_error *error)
{
    struct pst_safetensors file;
    bool own;
    *about = NULL;
    enum pst_status status = pst_safetensors_read(path, &file, error);
    if (status != PST_OK)
        return status;
    status = pst_model_check_format(&file, path, &own, error);
    if (status == PST_OK && !own)
        status = pst_fail(error, PST_BAD_DATA,
                          "%s is a model of another tool, and says nothing of its inputs", path);
    if (status == PST_OK)
        status = pst_model_take_about(&file, path, about, error);
    pst_safetensors_free(&file);
    return status;
}
