/* One sample, for people: its image drawn in letters, its targets as classes, largest first. */
#include "stages/stream-inspect/inspect.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    MOST_COLUMNS = 120, /* of a drawing, in letters */
    MOST_LINES = 128,
    MOST_CLASSES = 10,  /* shown of targets */
    MOST_ELEMENTS = 16, /* shown of any other tensor */
    BAR = 40,           /* letters of a probability of 1 */
};

static bool is_named(const struct pst_tensor_spec *spec, const char *kind)
{
    size_t length = strlen(kind);
    return strncmp(spec->name, kind, length) == 0 &&
           (spec->name[length] == '\0' || spec->name[length] == '/');
}

static bool is_row_of(const struct pst_tensor_spec *spec, const char *kind)
{
    return is_named(spec, kind) && spec->rank == 1 && spec->dtype == PST_DTYPE_F32;
}

static bool is_image(const struct pst_tensor_spec *spec)
{
    return spec->dtype == PST_DTYPE_U8 && spec->rank == 2 && spec->shape[0] <= MOST_LINES &&
           spec->shape[1] <= MOST_COLUMNS;
}

/* ---- images ---- */

/* Draws the largest element with the darkest letter. A pixel is two letters wide if there is room, because
 * letters are twice as high as wide. Blanks at a line's end are left out. */
static void draw(FILE *out, const struct pst_tensor_spec *spec, const uint8_t *pixels)
{
    static const char ramp[] = " .:-=+*#%@";
    size_t lines = spec->shape[0], width = spec->shape[1], wide = 2 * width <= MOST_COLUMNS ? 2 : 1;
    for (size_t line = 0; line < lines; line++) {
        char letters[MOST_COLUMNS + 1] = "";
        size_t length = 0, used = 0;
        for (size_t i = 0; i < width; i++) {
            char letter = ramp[pixels[line * width + i] * (sizeof ramp - 1) / 256];
            for (size_t w = 0; w < wide; w++)
                letters[length++] = letter;
            if (letter != ' ')
                used = length;
        }
        fprintf(out, "  |%.*s\n", (int)used, letters);
    }
}

/* ---- classes ---- */

/* Whether class a is shown before class b: larger first, NaN before all, then by number. */
static bool comes_before(const float *row, size_t a, size_t b)
{
    if (isnan(row[a]) != isnan(row[b]))
        return isnan(row[a]);
    if (row[a] != row[b] && !isnan(row[a]))
        return row[a] > row[b];
    return a < b;
}

/* Finds the first classes in that order. Returns how many there are. */
static size_t find_largest(const float *row, size_t classes, size_t *found)
{
    size_t count = 0;
    for (size_t c = 0; c < classes; c++) {
        size_t place = count;
        while (place > 0 && comes_before(row, c, found[place - 1]))
            place--;
        if (place == MOST_CLASSES)
            continue;
        count += count < MOST_CLASSES;
        memmove(found + place + 1, found + place, (count - place - 1) * sizeof *found);
        found[place] = c;
    }
    return count;
}

static void write_bar(FILE *out, double probability)
{
    static const char bar[] = "########################################";
    double length = round(probability * BAR);
    if (length >= 1 && length <= BAR)
        fprintf(out, " %.*s", (int)length, bar);
}

static void write_classes(FILE *out, const float *row, size_t classes, bool probabilities)
{
    size_t largest[MOST_CLASSES], count = find_largest(row, classes, largest);
    double shown = 0, all = 0;
    for (size_t i = 0; i < count; i++) {
        double value = (double)row[largest[i]];
        fprintf(out, "  class %-6zu %12.6g", largest[i], value);
        if (probabilities)
            write_bar(out, value);
        fprintf(out, "\n");
        shown += value;
    }
    for (size_t c = 0; c < classes; c++)
        all += (double)row[c];
    if (count == classes)
        return;
    if (probabilities)
        fprintf(out, "  %zu other classes: %.6g together\n", classes - count, all - shown);
    else
        fprintf(out, "  %zu other classes\n", classes - count);
}

/* ---- any tensor ---- */

static void write_elements(FILE *out, const struct pst_tensor_spec *spec, const void *data)
{
    size_t count = pst_spec_elements(spec), shown = count < MOST_ELEMENTS ? count : MOST_ELEMENTS;
    double scale = spec->scale == 0 ? 1 : spec->scale;
    fprintf(out, " ");
    for (size_t i = 0; i < shown; i++) {
        if (spec->dtype == PST_DTYPE_U64)
            fprintf(out, " %" PRIu64, ((const uint64_t *)data)[i]);
        else
            fprintf(out, " %.6g",
                    spec->dtype == PST_DTYPE_U8 ? scale * element(spec, data, i) + spec->offset
                                                : element(spec, data, i));
    }
    if (shown < count)
        fprintf(out, " and %zu more", count - shown);
    fprintf(out, "\n");
}

static const void *row_of(const struct sample *sample, size_t tensor)
{
    return (const char *)sample->batch->tensors[tensor].data +
           sample->row * sample->header->tensors[tensor].sample_bytes;
}

static void write_tensor(FILE *out, const struct sample *sample, size_t tensor)
{
    const struct pst_tensor_spec *spec = &sample->header->tensors[tensor];
    const void *data = row_of(sample, tensor);
    if (strcmp(spec->name, "id") == 0)
        return;
    pst_write_plain(out, 0, spec->name);
    if (spec->temperature != 0)
        fprintf(out, " (T = %g)", spec->temperature);
    if (is_row_of(spec, "soft") || is_row_of(spec, "logits")) {
        fprintf(out, "\n");
        write_classes(out, data, spec->shape[0], is_named(spec, "soft"));
    } else if (is_named(spec, "x") && is_image(spec)) {
        fprintf(out, "\n");
        draw(out, spec, data);
    } else {
        write_elements(out, spec, data);
    }
}

void write_sample(FILE *out, const void *what)
{
    const struct sample *sample = what;
    if (sample->has_id)
        fprintf(out, "sample %" PRIu64 ": ", sample->id);
    fprintf(out, "batch %" PRIu64 ", row %zu, epoch %" PRIu64, sample->batch->seq, sample->row,
            sample->batch->epoch);
    size_t y = pst_header_find(sample->header, "y");
    bool labelled = y != PST_NONE && sample->header->tensors[y].rank == 0 &&
                    sample->header->tensors[y].dtype == PST_DTYPE_I32;
    if (labelled)
        fprintf(out, ", label %" PRId32, *(const int32_t *)row_of(sample, y));
    fprintf(out, "\n");
    for (size_t i = 0; i < sample->header->tensor_count; i++) {
        if (!labelled || i != y)
            write_tensor(out, sample, i);
    }
    fprintf(out, "\n");
}

/* ---- for programs ---- */

/* Whole numbers stay whole. JSON has no NaN, which becomes null, and no ids beyond 2^63: these are texts. */
static json_t *element_to_json(const struct pst_tensor_spec *spec, const void *data, size_t i)
{
    char text[24];
    if (spec->dtype == PST_DTYPE_U64) {
        uint64_t value = ((const uint64_t *)data)[i];
        snprintf(text, sizeof text, "%" PRIu64, value);
        return value <= INT64_MAX ? json_integer((json_int_t)value) : json_string(text);
    }
    double value = element(spec, data, i);
    if (!isfinite(value))
        return json_null();
    bool whole = spec->dtype != PST_DTYPE_F32 && value == trunc(value);
    return whole ? json_integer((json_int_t)value) : json_real(value);
}

json_t *sample_to_json(const struct sample *sample)
{
    json_t *tensors = json_object();
    for (size_t t = 0; t < sample->header->tensor_count; t++) {
        const struct pst_tensor_spec *spec = &sample->header->tensors[t];
        const void *data = row_of(sample, t);
        json_t *numbers = json_array();
        for (size_t i = 0; i < pst_spec_elements(spec); i++)
            json_array_append_new(numbers, element_to_json(spec, data, i));
        json_object_set_new(tensors, spec->name, numbers);
    }
    return json_pack("{s:s, s:I, s:I, s:I, s:o}", "kind", "sample", "batch", (json_int_t)sample->batch->seq,
                     "row", (json_int_t)sample->row, "epoch", (json_int_t)sample->batch->epoch, "tensors",
                     tensors);
}
