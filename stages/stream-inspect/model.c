/* A model file, for people and programs: what it is, and what it learned from. */
#include "stages/stream-inspect/inspect.h"

#include <stdlib.h>
#include <string.h>

/* Eight bytes of length, then a header in JSON. */
bool is_model(const char *path)
{
    char start[9];
    return pst_file_start(path, start, sizeof start) == sizeof start && start[8] == '{';
}

struct model {
    const struct pst_safetensors *file;
    json_t *lineage;            /* as in struct pst_network; NULL: not known; owned */
    json_t *about;              /* likewise */
    struct pst_network network; /* of its architecture, without its numbers; {0} if it names none, or one that
                                   is not known */
};

/* ---- for people -------------------------------------------------------------------------------------- */

static void write_tensors(FILE *out, const struct pst_safetensors *file)
{
    size_t numbers = 0;
    for (size_t i = 0; i < file->count; i++) {
        const struct pst_named_tensor *tensor = &file->tensors[i];
        size_t count = 1;
        fputs("  ", out);
        pst_write_plain(out, 20, tensor->name);
        fprintf(out, " %-4s [", tensor->dtype);
        for (size_t d = 0; d < tensor->rank; d++) {
            fprintf(out, "%s%zu", d == 0 ? "" : ", ", tensor->shape[d]);
            count *= tensor->shape[d];
        }
        fputs("]\n", out);
        numbers += count;
    }
    fprintf(out, "%-14s %zu\n", "parameters", numbers);
}

static void write_model(FILE *out, const void *what)
{
    const struct model *model = what;
    const struct pst_safetensors *file = model->file;
    const char *key;
    json_t *value;
    fprintf(out, "%-14s %s\n", "digest", file->digest);
    json_object_foreach(file->metadata, key, value)
    {
        if (strcmp(key, "lineage") == 0 || json_object_get(model->about, key) != NULL)
            continue;
        pst_write_plain(out, 14, key);
        fputc(' ', out);
        pst_write_plain(out, 0, json_string_value(value));
        fputc('\n', out);
    }
    write_about(out, 14, model->about);
    if (model->network.architecture != NULL)
        write_network(out, &model->network);
    fputs("tensors\n", out);
    write_tensors(out, file);
    const json_t *from = json_object_get(model->lineage, "from");
    fputs(json_array_size(from) > 0 ? "learned from\n" : "learned from   not told\n", out);
    for (size_t i = 0; i < json_array_size(from); i++) {
        char *tree = pst_lineage_tree(json_object_get(model->lineage, "entries"),
                                      json_string_value(json_array_get(from, i)), 1);
        fputs(tree == NULL ? "" : tree, out);
        free(tree);
    }
}

/* ---- for programs ------------------------------------------------------------------------------------ */

static json_t *tensors_to_json(const struct pst_safetensors *file)
{
    json_t *list = json_array();
    for (size_t i = 0; i < file->count; i++) {
        const struct pst_named_tensor *tensor = &file->tensors[i];
        json_t *shape = json_array();
        for (size_t d = 0; d < tensor->rank; d++)
            json_array_append_new(shape, json_integer((json_int_t)tensor->shape[d]));
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:o}", "name", tensor->name, "dtype", tensor->dtype, "shape", shape));
    }
    return list;
}

static json_t *model_to_json(const struct model *model)
{
    json_t *metadata = json_deep_copy(model->file->metadata);
    json_object_del(metadata, "lineage");
    json_t *network = model->network.architecture == NULL ? NULL : network_to_json(&model->network);
    return json_pack("{s:s, s:s, s:o, s:o, s:O*, s:o*}", "kind", "model", "digest", model->file->digest,
                     "metadata", metadata, "tensors", tensors_to_json(model->file), "lineage", model->lineage,
                     "network", network);
}

/* ---- both -------------------------------------------------------------------------------------------- */

/* Reads the lineage in a model's metadata and checks it, so that a changed one is an error. */
static enum pst_status read_lineage(struct model *model, const char *path, struct pst_error *error)
{
    const char *text = json_string_value(json_object_get(model->file->metadata, "lineage"));
    if (text == NULL)
        return PST_OK;
    model->lineage = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(model->lineage))
        return pst_fail(error, PST_BAD_DATA, "%s: metadata: the lineage is not a JSON object", path);
    enum pst_status status = pst_lineage_check(json_object_get(model->lineage, "entries"), error);
    return status == PST_OK ? PST_OK : pst_fail_at(error, "%s", path);
}

/* Reads the meaning of inputs and outputs; leaves out a text that is not JSON, which is shown as it is. */
static enum pst_status read_about(struct model *model, struct pst_error *error)
{
    static const char *const keys[] = { "inputs", "class_names", "output_names", "outputs" };
    model->about = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = json_string_value(json_object_get(model->file->metadata, keys[i]));
        json_t *value = text == NULL ? NULL : json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        if (value != NULL && json_object_set_new(model->about, keys[i], value) != 0)
            return pst_fail(error, PST_TRY_AGAIN, "out of memory for the metadata");
    }
    return PST_OK;
}

/* Reads the layers of a model of this project. If this build does not have one of them, says so. */
static enum pst_status read_network(struct pst_run *run, struct model *model, const char *path,
                                    struct pst_error *error)
{
    const char *format = json_string_value(json_object_get(model->file->metadata, "format"));
    const char *text = json_string_value(json_object_get(model->file->metadata, "architecture"));
    if (text == NULL || format == NULL || strcmp(format, "pipestill-model-1") != 0)
        return PST_OK;
    struct pst_error why = { 0 };
    enum pst_status status = pst_network_new(&model->network, text, &why);
    if (status == PST_USAGE)
        pst_say(run, "%s: its layers are not shown: %s", path, why.message);
    if (status == PST_TRY_AGAIN && error != NULL)
        *error = why;
    return status == PST_TRY_AGAIN ? status : PST_OK;
}

enum pst_status show_model(struct pst_run *run, const char *path, bool as_json, struct pst_error *error)
{
    struct pst_safetensors file;
    enum pst_status status = pst_safetensors_read(path, &file, error);
    if (status != PST_OK)
        return status;
    struct model model = { .file = &file };
    status = read_lineage(&model, path, error);
    if (status == PST_OK)
        status = read_about(&model, error);
    if (status == PST_OK)
        status = read_network(run, &model, path, error);
    if (status == PST_OK)
        status = as_json ? print_json(run, model_to_json(&model), error)
                         : print_text(run, write_model, &model, error);
    json_decref(model.lineage);
    json_decref(model.about);
    pst_network_free(&model.network);
    pst_safetensors_free(&file);
    return status;
}
