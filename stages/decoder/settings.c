/* Files of settings that --tune has found: a line for each, with the option's name. */
#include "stages/decoder/decoder.h"

#include <math.h>
#include <string.h>

#define LINES 3

static const char *const names[LINES] = { "prior-exponent", "language-model-scale", "word-penalty" };

struct reading {
    double values[LINES];
    bool known[LINES];
};

/* "prior-exponent 0.5" */
static enum pst_status take_line(void *context, char *line, struct pst_error *error)
{
    struct reading *reading = context;
    char *rest, *name = strtok_r(line, " \t", &rest);
    size_t i = 0;
    if (name == NULL || *name == '#')
        return PST_OK;
    while (i < LINES && strcmp(names[i], name) != 0)
        i++;
    if (i == LINES || reading->known[i])
        return pst_fail(error, PST_BAD_DATA, "'%.60s' is not a setting, or came already", name);
    const char *value = strtok_r(NULL, " \t", &rest);
    if (value == NULL || !pst_parse_double(value, -1e4, 1e4, &reading->values[i]) ||
        strtok_r(NULL, " \t", &rest) != NULL)
        return pst_fail(error, PST_BAD_DATA, "'%s' needs one number", names[i]);
    reading->known[i] = true;
    return PST_OK;
}

enum pst_status settings_read(struct pst_search_settings *settings, const char *path, struct pst_error *error)
{
    struct reading reading = { 0 };
    enum pst_status status = pst_file_lines(path, take_line, &reading, error);
    for (size_t i = 0; i < LINES && status == PST_OK; i++)
        if (!reading.known[i])
            status =
                pst_fail(error, PST_BAD_DATA, "%s: it does not say '%s NUMBER'; --tune %s writes it anew",
                         path, names[i], path);
    settings->prior_exponent = reading.values[0];
    settings->scale = reading.values[1];
    settings->penalty = reading.values[2];
    return status;
}

void settings_write(FILE *file, const struct pst_search_settings *settings)
{
    const double values[LINES] = { settings->prior_exponent, settings->scale, settings->penalty };
    for (size_t i = 0; i < LINES; i++) {
        char line[80];
        pst_print_plain(line, sizeof line, "%s %.17g\n", names[i], values[i]);
        fputs(line, file);
    }
}
