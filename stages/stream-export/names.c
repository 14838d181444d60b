/* Names of inputs, classes and outputs, from a stream's header. */
#include "stages/stream-export/export.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const char *names_at(const struct names *names, size_t index)
{
    return json_string_value(json_array_get(names->list, index));
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum pst_status find_repeated(struct names *names, struct pst_error *error)
{
    const char **sorted = pst_allocate(names->count, sizeof *sorted, error);
    if (sorted == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < names->count; i++)
        sorted[i] = names_at(names, i);
    qsort(sorted, names->count, sizeof *sorted, compare_texts);
    names->unique = true;
    for (size_t i = 1; i < names->count; i++)
        names->unique = names->unique && strcmp(sorted[i - 1], sorted[i]) != 0;
    free(sorted);
    return PST_OK;
}

/* Takes a list of texts, which was checked before. */
static enum pst_status take_list(struct names *names, const json_t *list, struct pst_error *error)
{
    *names = (struct names){ .list = list, .count = json_array_size(list) };
    return names->count > 0 ? find_repeated(names, error) : PST_OK;
}

/* Adds the name of a column of the inputs; if it has categories, NAME=CATEGORY for each. */
static bool add_input(json_t *list, json_t *column)
{
    json_t *name = json_object_get(column, "name"), *categories = json_object_get(column, "categories");
    bool added = categories != NULL || json_array_append(list, name) == 0;
    for (size_t i = 0; added && i < json_array_size(categories); i++)
        added =
            json_array_append_new(list, json_sprintf("%s=%s", json_string_value(name),
                                                     json_string_value(json_array_get(categories, i)))) == 0;
    return added;
}

static enum pst_status list_inputs(json_t *about, struct pst_error *error)
{
    const json_t *columns = json_object_get(json_object_get(about, "inputs"), "columns");
    json_t *list = json_array();
    bool added = list != NULL;
    for (size_t i = 0; added && i < json_array_size(columns); i++)
        added = add_input(list, json_array_get(columns, i));
    added = json_object_set_new(about, "input_names", list) == 0 && added;
    return added ? PST_OK : pst_fail(error, PST_TRY_AGAIN, "out of memory for names");
}

enum pst_status names_read(struct all_names *names, const struct pst_header *header, struct pst_error *error)
{
    enum pst_status status = pst_header_about(header, &names->about, error);
    if (status == PST_OK)
        status = list_inputs(names->about, error);
    if (status == PST_OK)
        status = take_list(&names->inputs, json_object_get(names->about, "input_names"), error);
    if (status == PST_OK)
        status = take_list(&names->classes, json_object_get(names->about, "class_names"), error);
    if (status == PST_OK)
        status = take_list(&names->outputs, json_object_get(names->about, "output_names"), error);
    return status;
}

void names_free(struct all_names *names)
{
    json_decref(names->about);
}
