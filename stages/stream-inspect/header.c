/* A stream's header, for people. */
#include "stages/stream-inspect/inspect.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void describe_shape(const struct pst_tensor_spec *spec, char *text, size_t size)
{
    size_t length = (size_t)snprintf(text, size, "[n");
    for (size_t i = 0; i < spec->rank && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, ", %zu", spec->shape[i]);
    if (length < size)
        snprintf(text + length, size - length, "]");
}

static void write_tensor(FILE *out, const struct pst_tensor_spec *spec)
{
    char shape[256];
    describe_shape(spec, shape, sizeof shape);
    fputs("  ", out);
    pst_write_plain(out, 20, spec->name);
    fprintf(out, " %-4s %-14s", pst_dtype_name(spec->dtype), shape);
    if (spec->scale != 0)
        fprintf(out, " x = %g · element + %g", spec->scale, spec->offset);
    if (spec->temperature != 0)
        fprintf(out, " T = %g", spec->temperature);
    fprintf(out, "\n");
}

static void write_history(FILE *out, const json_t *history, int indent);

/* Writes one stage's entry: its name and version, then its other keys; below it, a history that it joined. */
static void write_entry(FILE *out, json_t *entry, int indent)
{
    const char *key;
    json_t *value;
    const char *stage = json_string_value(json_object_get(entry, "stage"));
    const char *version = json_string_value(json_object_get(entry, "version"));
    fprintf(out, "%*s", indent, "");
    pst_write_plain(out, 0, stage == NULL ? "?" : stage);
    fputc(' ', out);
    pst_write_plain(out, 0, version == NULL ? "?" : version);
    fprintf(out, "\n%*s", indent + 1, "");
    json_object_foreach(entry, key, value)
    {
        if (strcmp(key, "stage") == 0 || strcmp(key, "version") == 0 ||
            (strcmp(key, "recording") == 0 && json_is_array(value)))
            continue;
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
        fputc(' ', out);
        pst_write_plain(out, 0, key);
        fputc('=', out);
        pst_write_plain(out, 0, text == NULL ? "?" : text);
        free(text);
    }
    fprintf(out, "\n");
    value = json_object_get(entry, "recording");
    if (json_is_array(value)) {
        fprintf(out, "%*srecording\n", indent + 2, "");
        write_history(out, value, indent + 4);
    }
}

static void write_history(FILE *out, const json_t *history, int indent)
{
    for (size_t i = 0; i < json_array_size(history); i++)
        write_entry(out, json_array_get(history, i), indent);
}

static void write_count(FILE *out, const char *name, uint64_t count)
{
    if (count != 0)
        fprintf(out, "%-10s %" PRIu64 "\n", name, count);
}

/* ---- lineage ----------------------------------------------------------------------------------------- */

/* Whether another tensor of the stream is made from this one, whose tree then shows this one, too. */
static bool is_inner(const struct pst_header *header, size_t tensor)
{
    const char *origin = header->tensors[tensor].origin;
    for (size_t i = 0; i < header->tensor_count; i++) {
        const char *other = header->tensors[i].origin;
        json_t *part = pst_lineage_part(header->lineage, &other, 1);
        bool inner = strcmp(other, origin) != 0 && json_object_get(part, origin) != NULL;
        json_decref(part);
        if (inner)
            return true;
    }
    return false;
}

static void write_name(FILE *out, const char *name, const char *after)
{
    fputs("  ", out);
    pst_write_plain(out, 0, name);
    fputs(after, out);
}

static void write_lineage(FILE *out, const struct pst_header *header)
{
    fprintf(out, "lineage\n");
    for (size_t i = 0; i < header->tensor_count; i++) {
        const struct pst_tensor_spec *spec = &header->tensors[i];
        if (spec->origin[0] == '\0')
            write_name(out, spec->name, ": not told\n");
        if (spec->origin[0] == '\0' || is_inner(header, i))
            continue;
        char *tree = pst_lineage_tree(header->lineage, spec->origin, 2);
        write_name(out, spec->name, "\n");
        fputs(tree == NULL ? "" : tree, out);
        free(tree);
    }
}

void write_header(FILE *out, const void *what)
{
    const struct pst_header *header = what;
    fprintf(out, "%-10s ", "run");
    pst_write_plain(out, 0, header->run);
    fputc('\n', out);
    write_count(out, "classes", header->classes);
    write_count(out, "samples", header->samples);
    write_count(out, "epochs", header->epochs);
    write_count(out, "batches", header->batches);
    write_count(out, "first", header->first);
    if (header->encoding == PST_ZSTD)
        fprintf(out, "%-10s zstd\n", "encoding");
    write_about(out, 10, header->other);
    fprintf(out, "tensors\n");
    for (size_t i = 0; i < header->tensor_count; i++)
        write_tensor(out, &header->tensors[i]);
    fprintf(out, "history\n");
    write_history(out, header->history, 2);
    write_lineage(out, header);
}
