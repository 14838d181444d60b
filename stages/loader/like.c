/* --like FILE: what a model or a recording says of its samples, for the data room. */
#include "stages/loader/loader.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ------------------------------------------------------------------------------------------- */

static enum pst_status read_model(const char *path, struct like *like, struct pst_error *error)
{
    enum pst_status status = pst_model_about(path, &like->about, error);
    if (status == PST_OK && pst_about_check(like->about, error) != PST_OK)
        status = pst_fail_at(error, "%s: metadata", path);
    return status;
}

static enum pst_status read_recording(const struct pst_run *run, const char *path, struct like *like,
                                      struct pst_error *error)
{
    struct pst_reader *reader = NULL;
    struct pst_header header = { 0 };
    enum pst_status status = pst_open_stream(run, path, &reader, &header, error);
    if (status == PST_OK && pst_header_about(&header, &like->about, error) != PST_OK)
        status = pst_fail_at(error, "%s", path);
    like->classes = header.classes;
    pst_header_free(&header);
    pst_reader_free(reader);
    return status;
}

/* ---- in the words of the data room ----------------------------------------------------------------------
 */

/* Lists the texts of a JSON list, borrowed from it. Returns the place for the next ones. */
static const char **take_names(const json_t *list, const char **names)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        *names++ = json_string_value(json_array_get(list, i));
    return names;
}

static enum pst_status take_columns(struct like *like, const json_t *columns, struct pst_error *error)
{
    size_t count = json_array_size(columns), categories = 0;
    for (size_t i = 0; i < count; i++)
        categories += json_array_size(json_object_get(json_array_get(columns, i), "categories"));
    struct pst_column *column = like->columns = pst_allocate(count + 1, sizeof *column, error);
    const char **names = like->categories = pst_allocate(categories + 1, sizeof *names, error);
    if (column == NULL || names == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(columns, i), *list = json_object_get(entry, "categories");
        const json_t *missing = json_object_get(entry, "missing");
        column[i] =
            (struct pst_column){ .name = json_string_value(json_object_get(entry, "name")),
                                 .categories = json_array_size(list),
                                 .category = names,
                                 .missing = missing != NULL ? json_number_value(missing) : (double)NAN };
        names = take_names(list, names);
    }
    like->found.columns = count;
    like->found.column = column;
    return PST_OK;
}

static enum pst_status take_standard(struct pst_standard *standard, const json_t *map,
                                     struct pst_error *error)
{
    const json_t *mean = json_object_get(map, "mean"), *deviation = json_object_get(map, "deviation");
    if (mean == NULL)
        return PST_OK;
    enum pst_status status = pst_standard_new(standard, json_array_size(mean), error);
    for (size_t i = 0; status == PST_OK && i < standard->channels; i++) {
        standard->mean[i] = json_number_value(json_array_get(mean, i));
        standard->deviation[i] = json_number_value(json_array_get(deviation, i));
    }
    return status;
}

/* Names of classes or of outputs. count: receives how many. Returns PST_OK or PST_TRY_AGAIN. */
static enum pst_status take_outputs(const json_t *list, const char ***block, size_t *count,
                                    const char *const **names, struct pst_error *error)
{
    *count = json_array_size(list);
    if (*count == 0)
        return PST_OK;
    *block = pst_allocate(*count, sizeof **block, error);
    if (*block == NULL)
        return PST_TRY_AGAIN;
    take_names(list, *block);
    *names = *block;
    return PST_OK;
}

enum pst_status read_like(const struct pst_run *run, const char *path, struct like *like,
                          struct pst_error *error)
{
    unsigned char start[9];
    bool model = pst_file_start(path, start, sizeof start) == sizeof start && start[8] == '{';
    struct pst_likeness *found = &like->found;
    enum pst_status status = model ? read_model(path, like, error) : read_recording(run, path, like, error);
    if (status != PST_OK)
        return status;
    const json_t *inputs = json_object_get(like->about, "inputs"),
                 *splice = json_object_get(inputs, "splice");
    found->name = path;
    found->made = json_string_value(json_object_get(inputs, "made"));
    if (splice != NULL) {
        snprintf(like->splice, sizeof like->splice, "%lld,%lld",
                 json_integer_value(json_array_get(splice, 0)),
                 json_integer_value(json_array_get(splice, 1)));
        found->splice = like->splice;
    }
    status = take_columns(like, json_object_get(inputs, "columns"), error);
    if (status == PST_OK)
        status = take_standard(&found->standard, inputs, error);
    if (status == PST_OK)
        status = take_standard(&found->targets, json_object_get(like->about, "outputs"), error);
    if (status == PST_OK)
        status = take_outputs(json_object_get(like->about, "class_names"), &like->class_names,
                              &found->classes, &found->class_names, error);
    if (status == PST_OK)
        status = take_outputs(json_object_get(like->about, "output_names"), &like->output_names,
                              &found->outputs, &found->output_names, error);
    if (found->classes == 0)
        found->classes = like->classes;
    return status;
}

void free_like(struct like *like)
{
    pst_standard_free(&like->found.standard);
    pst_standard_free(&like->found.targets);
    free(like->columns);
    free((void *)like->categories);
    free((void *)like->class_names);
    free((void *)like->output_names);
    json_decref(like->about);
    *like = (struct like){ 0 };
}
