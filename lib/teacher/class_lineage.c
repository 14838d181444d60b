/* The class maps in a lineage: those that changed a tensor, or the tensors that a model learned from. */
#include "pipestill/teacher.h"

#include <jansson.h>
#include <string.h>

/* Adds an entry's map, if it has one, to `found`, and the origins before it to `next`. */
static void look(const json_t *entry, bool of_models, json_t *found, json_t *next)
{
    const char *map = json_string_value(json_object_get(entry, "class_map"));
    if (map != NULL && json_object_get(entry, "inverse") == NULL)
        pst_lineage_add(found, map);
    bool learned = json_array_size(json_object_get(entry, "learned_from")) > 0;
    if (!learned)
        pst_lineage_add_origins(next, entry, "from");
    else if (of_models)
        pst_lineage_add_origins(next, entry, "learned_from");
}

/* Goes back step by step until a step has maps. */
json_t *pst_lineage_class_maps(const json_t *lineage, const char *origin, bool of_models)
{
    json_t *found = json_array(), *level = json_array(), *seen = json_object();
    pst_lineage_add(level, origin);
    while (json_array_size(level) > 0 && json_array_size(found) == 0) {
        json_t *next = json_array();
        for (size_t i = 0; i < json_array_size(level); i++) {
            const char *at = json_string_value(json_array_get(level, i));
            const json_t *entry = json_object_get(lineage, at);
            if (entry == NULL || json_object_get(seen, at) != NULL)
                continue;
            json_object_set_new(seen, at, json_true());
            look(entry, of_models, found, next);
        }
        json_decref(level);
        level = next;
    }
    json_decref(level);
    json_decref(seen);
    return found;
}
