/* The meaning of inputs and outputs, in a few lines for people. */
#include "stages/stream-inspect/inspect.h"

#include <string.h>

#define MOST_SHOWN 12

/* The first names of a list. */
static void write_names(FILE *out, int width, const char *what, const json_t *names)
{
    size_t count = json_array_size(names);
    if (count == 0)
        return;
    fprintf(out, "%-*s %zu: ", width, what, count);
    for (size_t i = 0; i < count && i < MOST_SHOWN; i++) {
        const json_t *name = json_array_get(names, i);
        if (json_is_object(name)) /* a column */
            name = json_object_get(name, "name");
        fputs(i == 0 ? "" : ", ", out);
        pst_write_plain(out, 0, json_is_string(name) ? json_string_value(name) : "?");
    }
    fputs(count > MOST_SHOWN ? ", ...\n" : "\n", out);
}

void write_about(FILE *out, int width, const json_t *about)
{
    const json_t *inputs = json_object_get(about, "inputs");
    size_t channels = json_array_size(json_object_get(inputs, "mean"));
    write_names(out, width, "columns", json_object_get(inputs, "columns"));
    if (channels > 0)
        fprintf(out, "%-*s by mean and deviation of %zu channel%s\n", width, "standardised", channels,
                channels == 1 ? "" : "s");
    write_names(out, width, "class names", json_object_get(about, "class_names"));
    write_names(out, width, "output names", json_object_get(about, "output_names"));
    if (json_array_size(json_object_get(json_object_get(about, "outputs"), "mean")) > 0)
        fprintf(out, "%-*s learned by their mean and deviation\n", width, "outputs");
}
