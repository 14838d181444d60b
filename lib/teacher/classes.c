/* Classes that a command line names, of a stream that may have names for them. */
#include "pipestill/teacher.h"

#include <jansson.h>
#include <stdlib.h>

enum pst_status pst_stream_classes(const struct pst_header *header, size_t count, const char *text,
                                   const char *option, const char *dustbin, struct pst_class_map *map,
                                   struct pst_error *error)
{
    json_t *about = NULL;
    enum pst_status status = pst_header_about(header, &about, error);
    const json_t *list = json_object_get(about, "class_names");
    const char **names = NULL;
    if (status == PST_OK && json_array_size(list) == count) {
        names = pst_allocate(count, sizeof *names, error);
        status = names == NULL ? PST_TRY_AGAIN : PST_OK;
    }
    for (size_t i = 0; names != NULL && i < count; i++)
        names[i] = json_string_value(json_array_get(list, i));
    if (status == PST_OK)
        status =
            pst_class_map_named(map, &(struct pst_classes){ count, names }, text, option, dustbin, error);
    free((void *)names);
    json_decref(about);
    return status;
}
