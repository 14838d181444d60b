/* Names of classes, from a model or a header. */
#include "stages/class-map/class-map.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* json: stolen, a list of texts. */
static enum pst_status take_list(struct class_names *names, json_t *json, struct pst_error *error)
{
    size_t count = json_array_size(json);
    names->json = json;
    names->list = pst_allocate(count, sizeof *names->list, error);
    if (names->list == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < count; i++)
        names->list[i] = json_string_value(json_array_get(json, i));
    names->classes = (struct pst_classes){ count, names->list };
    return PST_OK;
}

enum pst_status read_classes(struct class_names *names, const char *from, const char *option,
                             struct pst_error *error)
{
    uint64_t count;
    if (pst_parse_u64(from, 1, PST_CLASS_MAP_MOST_CLASSES, &count)) {
        names->classes.count = (size_t)count;
        return PST_OK;
    }
    json_t *about = NULL;
    enum pst_status status = pst_model_about(from, &about, error);
    json_t *list = json_object_get(about, "class_names");
    if (status != PST_OK)
        status = pst_fail_at(error, "%s", option);
    else if (list == NULL)
        status =
            pst_fail(error, PST_BAD_DATA,
                     "%s: the model %s does not say what its classes are called; write a --map by numbers",
                     option, from);
    else if (pst_about_check(about, error) != PST_OK)
        status = pst_fail_at(error, "%s: %s: metadata", option, from);
    else
        status = take_list(names, json_incref(list), error);
    json_decref(about);
    return status;
}

enum pst_status take_header_names(struct class_names *names, const struct pst_header *header, size_t count,
                                  struct pst_error *error)
{
    json_t *about = NULL;
    enum pst_status status = pst_header_about(header, &about, error);
    json_t *list = json_object_get(about, "class_names");
    names->classes.count = count;
    if (status == PST_OK && list != NULL && json_array_size(list) != count)
        status = pst_fail(error, PST_BAD_DATA, "the header names %zu classes, but there are %zu",
                          json_array_size(list), count);
    else if (status == PST_OK && list != NULL)
        status = take_list(names, json_incref(list), error);
    json_decref(about);
    return status;
}

void free_names(struct class_names *names)
{
    free((void *)names->list);
    json_decref(names->json);
    *names = (struct class_names){ 0 };
}
