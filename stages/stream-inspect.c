/* stream-inspect: a sink that shows what is in a stream, and says whether it is whole. */
#include "pipestill.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool check_only, as_json, summary;
static const char *endpoint = "the stream"; /* whatever --input says */

/* What is found of a tensor's numbers. */
static struct statistics {
    uint64_t count, not_finite;
    double least, most, sum, squares;
} * statistics;                     /* one a tensor; owned */
static struct pst_header described; /* a copy, for the end */
static uint64_t batches, samples;

static const struct pst_option options[] = {
    { .letter = 'c',
      .name = "check",
      .type = PST_FLAG,
      .target = &check_only,
      .help = "only say whether the stream is whole, by a line and the exit code" },
    { .letter = 'j',
      .name = "json",
      .type = PST_FLAG,
      .target = &as_json,
      .help = "JSON lines: the header, each batch, the end" },
    { .letter = 's', .name = "summary", .type = PST_FLAG, .target = &summary, .help = "no line a batch" },
    { 0 },
};

static enum pst_status start(size_t count, char **operands, struct pst_error *error)
{
    (void)error;
    if (count == 1) {
        endpoint = operands[0];
        pst_read_from(endpoint);
    }
    return PST_OK;
}

/* ---- printing ---- */

static enum pst_status print_json(json_t *object, struct pst_error *error)
{
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(object);
    if (text == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a line");
    enum pst_status status = pst_print(text, error);
    free(text);
    return status == PST_OK ? pst_print("\n", error) : status;
}

static void describe_shape(const struct pst_tensor_spec *spec, char *text, size_t size)
{
    size_t length = (size_t)snprintf(text, size, "[n");
    for (size_t i = 0; i < spec->rank && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, ", %zu", spec->shape[i]);
    if (length < size)
        snprintf(text + length, size - length, "]");
}

static void print_tensor(FILE *out, const struct pst_tensor_spec *spec)
{
    char shape[256];
    describe_shape(spec, shape, sizeof shape);
    fprintf(out, "  %-20s %-4s %-14s", spec->name, pst_dtype_name(spec->dtype), shape);
    if (spec->scale != 0)
        fprintf(out, " x = %g · element + %g", spec->scale, spec->offset);
    if (spec->temperature != 0)
        fprintf(out, " T = %g", spec->temperature);
    fprintf(out, "\n");
}

/* One stage's entry: its name and version, then what else it says of itself. */
static void print_entry(FILE *out, json_t *entry)
{
    const char *key;
    json_t *value;
    const char *stage = json_string_value(json_object_get(entry, "stage"));
    const char *version = json_string_value(json_object_get(entry, "version"));
    fprintf(out, "  %s %s\n   ", stage == NULL ? "?" : stage, version == NULL ? "?" : version);
    json_object_foreach(entry, key, value)
    {
        if (strcmp(key, "stage") == 0 || strcmp(key, "version") == 0)
            continue;
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
        fprintf(out, " %s=%s", key, text == NULL ? "?" : text);
        free(text);
    }
    fprintf(out, "\n");
}

static void print_count(FILE *out, const char *name, uint64_t count)
{
    if (count != 0)
        fprintf(out, "%-10s %" PRIu64 "\n", name, count);
}

/* The text that `write` makes goes out in one piece. */
static enum pst_status print_text(void (*write)(FILE *out, const void *what), const void *what,
                                  struct pst_error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a text");
    write(out, what);
    bool good = fclose(out) == 0;
    enum pst_status status =
        good ? pst_print(text, error) : pst_fail(error, PST_TRY_AGAIN, "out of memory for a text");
    free(text);
    return status;
}

static void write_header(FILE *out, const void *what)
{
    const struct pst_header *header = what;
    fprintf(out, "%-10s %s\n", "run", header->run);
    print_count(out, "classes", header->classes);
    print_count(out, "samples", header->samples);
    print_count(out, "epochs", header->epochs);
    print_count(out, "batches", header->batches);
    print_count(out, "first", header->first);
    fprintf(out, "tensors\n");
    for (size_t i = 0; i < header->tensor_count; i++)
        print_tensor(out, &header->tensors[i]);
    fprintf(out, "history\n");
    for (size_t i = 0; i < json_array_size(header->history); i++)
        print_entry(out, json_array_get(header->history, i));
}

static void write_statistics(FILE *out, const void *what)
{
    (void)what;
    fprintf(out, "%-22s %12s %12s %12s %12s %12s\n", "tensor", "least", "mean", "most", "deviation",
            "not finite");
    for (size_t i = 0; i < described.tensor_count; i++) {
        const struct statistics *found = &statistics[i];
        double n = (double)(found->count - found->not_finite), mean = found->sum / n;
        if (n > 0)
            fprintf(out, "%-22s %12.6g %12.6g %12.6g %12.6g %12" PRIu64 "\n", described.tensors[i].name,
                    found->least, mean, found->most, sqrt(fmax(found->squares / n - mean * mean, 0)),
                    found->not_finite);
    }
}

/* ---- looking ---- */

static double element(const struct pst_tensor_spec *spec, const void *data, size_t i)
{
    switch (spec->dtype) {
    case PST_DTYPE_U8:
        return ((const uint8_t *)data)[i];
    case PST_DTYPE_I32:
        return ((const int32_t *)data)[i];
    case PST_DTYPE_U64:
        return (double)((const uint64_t *)data)[i];
    case PST_DTYPE_F32:
        return (double)((const float *)data)[i];
    case PST_DTYPE_F16:
        return (double)pst_half_to_f32(((const uint16_t *)data)[i]);
    case PST_DTYPE_U16:
        return ((const uint16_t *)data)[i];
    case PST_DTYPES:
        break;
    }
    return 0;
}

static void look(struct statistics *found, const struct pst_tensor_spec *spec,
                 const struct pst_tensor *tensor)
{
    size_t count = tensor->bytes / pst_dtype_size(spec->dtype);
    for (size_t i = 0; i < count; i++) {
        double number = element(spec, tensor->data, i);
        if (!isfinite(number)) {
            found->not_finite++;
            continue;
        }
        found->least = fmin(found->least, number);
        found->most = fmax(found->most, number);
        found->sum += number;
        found->squares += number * number;
    }
    found->count += count;
}

static enum pst_status show_header(struct pst_header *header, struct pst_error *error)
{
    enum pst_status status = pst_header_copy(&described, header, error);
    if (status != PST_OK || check_only)
        return status;
    statistics = pst_allocate(header->tensor_count, sizeof *statistics, error);
    if (statistics == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < header->tensor_count; i++)
        statistics[i] = (struct statistics){ .least = INFINITY, .most = -INFINITY };
    if (!as_json)
        return print_text(write_header, header, error);
    json_t *object = pst_header_to_json(header);
    if (object != NULL)
        json_object_set_new(object, "kind", json_string("header"));
    return print_json(object, error);
}

static enum pst_status show_batch(struct pst_batch *batch, const struct pst_header *header,
                                  struct pst_error *error)
{
    batches++;
    samples += batch->n;
    if (check_only)
        return PST_OK;
    for (size_t i = 0; i < header->tensor_count; i++)
        look(&statistics[i], &header->tensors[i], &batch->tensors[i]);
    if (summary)
        return PST_OK;
    if (as_json)
        return print_json(json_pack("{s:s, s:I, s:I, s:I}", "kind", "batch", "seq", (json_int_t)batch->seq,
                                    "epoch", (json_int_t)batch->epoch, "n", (json_int_t)batch->n),
                          error);
    char line[128];
    snprintf(line, sizeof line, "batch %-8" PRIu64 " epoch %-6" PRIu64 " %zu samples\n", batch->seq,
             batch->epoch, batch->n);
    return pst_print(line, error);
}

/* ---- the end ---- */

static json_t *statistics_to_json(void)
{
    json_t *all = json_object();
    for (size_t i = 0; i < described.tensor_count; i++) {
        const struct statistics *found = &statistics[i];
        double n = (double)(found->count - found->not_finite);
        if (n > 0)
            json_object_set_new(all, described.tensors[i].name,
                                json_pack("{s:f, s:f, s:f, s:I}", "least", found->least, "mean",
                                          found->sum / n, "most", found->most, "not_finite",
                                          (json_int_t)found->not_finite));
    }
    return all;
}

/* The stream has ended as it should: the runner calls this only then. */
static enum pst_status show_end(struct pst_error *error)
{
    if (as_json)
        return print_json(json_pack("{s:s, s:b, s:I, s:I, s:o*}", "kind", "end", "whole", true, "batches",
                                    (json_int_t)batches, "samples", (json_int_t)samples, "tensors",
                                    check_only ? NULL : statistics_to_json()),
                          error);
    if (!check_only) {
        enum pst_status status = print_text(write_statistics, NULL, error);
        if (status != PST_OK)
            return status;
    }
    char line[512];
    snprintf(line, sizeof line, "%s: whole, %" PRIu64 " batches, %" PRIu64 " samples\n", endpoint, batches,
             samples);
    return pst_print(line, error);
}

static void stop(void)
{
    free(statistics);
    pst_header_free(&described);
}

int main(int argc, char **argv)
{
    return pst_sink_main(
        argc, argv,
        &(struct pst_sink){
            .stage = { .name = "stream-inspect",
                       .purpose = "show what is in a stream, and say whether it is whole",
                       .operands = "[FILE]",
                       .most_operands = 1,
                       .description =
                           "Shows the header, the history, a line a batch, and statistics of each tensor.\n"
                           "The exit code is 0 only where the stream is whole.",
                       .options = options,
                       .example = "loader digits --limit 300 | stream-inspect",
                       .see_also = "loader(1), pipestill(1)",
                       .start = start,
                       .stop = stop },
            .on_header = show_header,
            .on_batch = show_batch,
            .on_end = show_end });
}
