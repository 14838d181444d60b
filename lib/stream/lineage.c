/* Lineage: what made each tensor of a stream, as a map from origins to entries. An origin is the SHA-256 of
 * its entry as JSON text, so nothing in it can be changed without a trace. */
#include "lib/stream/codec.h"

#include <stdlib.h>
#include <string.h>

#define IS_HEX "0123456789abcdef"

bool pst_is_origin(const char *text)
{
    return text != NULL && strlen(text) == PST_DIGEST_TEXT - 1 && strspn(text, IS_HEX) == PST_DIGEST_TEXT - 1;
}

/* The origin of an entry. Returns false if memory is short. */
static bool compute_origin(const json_t *entry, char origin[PST_DIGEST_TEXT])
{
    char *text = json_dumps(entry, JSON_COMPACT | JSON_SORT_KEYS);
    if (text == NULL)
        return false;
    pst_digest(text, strlen(text), origin);
    free(text);
    return true;
}

enum pst_status pst_lineage_enter(struct pst_header *header, json_t *entry, char origin[PST_DIGEST_TEXT],
                                  struct pst_error *error)
{
    if (header->lineage == NULL)
        header->lineage = json_object();
    if (entry == NULL || !compute_origin(entry, origin) ||
        json_object_set(header->lineage, origin, entry) != 0) {
        json_decref(entry);
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a lineage");
    }
    json_decref(entry);
    return PST_OK;
}

enum pst_status pst_lineage_merge(struct pst_header *header, const json_t *lineage, struct pst_error *error)
{
    if (lineage == NULL)
        return PST_OK;
    if (header->lineage == NULL)
        header->lineage = json_object();
    if (json_object_update_missing(header->lineage, (json_t *)(uintptr_t)lineage) != 0)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a lineage");
    return PST_OK;
}

/* ---- checks ------------------------------------------------------------------------------------------ */

static bool is_text_list(const json_t *value)
{
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!json_is_string(json_array_get(value, i)))
            return false;
    return json_is_array(value);
}

/* Values are text or lists of text, so that every language writes the same bytes. */
static bool is_entry(const json_t *entry)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)entry, key,
                        value) if (!json_is_string(value) && !is_text_list(value)) return false;
    return json_is_string(json_object_get(entry, "stage"));
}

enum pst_status pst_lineage_check(const json_t *lineage, struct pst_error *error)
{
    const char *key;
    json_t *entry;
    char origin[PST_DIGEST_TEXT];
    if (lineage != NULL && !json_is_object(lineage))
        return pst_fail(error, PST_BAD_DATA, "header: its lineage is not a map");
    json_object_foreach((json_t *)(uintptr_t)lineage, key, entry)
    {
        if (!is_entry(entry))
            return pst_fail(error, PST_BAD_DATA, "header: lineage: the entry %.16s is not a map of texts",
                            key);
        if (!compute_origin(entry, origin))
            return pst_fail(error, PST_TRY_AGAIN, "out of memory for a lineage");
        if (strcmp(origin, key) != 0)
            return pst_fail(error, PST_BAD_DATA,
                            "header: lineage: the entry %.16s has the digest %.16s: it was changed", key,
                            origin);
    }
    return PST_OK;
}

/* ---- parts ------------------------------------------------------------------------------------------- */

/* Adds an entry and all that it was made from to `part`. Returns false if memory is short. */
static bool add_part(const json_t *lineage, const char *origin, json_t *part)
{
    static const char *const lists[] = { "from", "learned_from" };
    json_t *entry = json_object_get(lineage, origin);
    if (entry == NULL || json_object_get(part, origin) != NULL)
        return true;
    if (json_object_set(part, origin, entry) != 0)
        return false;
    for (size_t list = 0; list < 2; list++) {
        const json_t *origins = json_object_get(entry, lists[list]);
        for (size_t i = 0; i < json_array_size(origins); i++)
            if (!add_part(lineage, json_string_value(json_array_get(origins, i)), part))
                return false;
    }
    return true;
}

json_t *pst_lineage_part(const json_t *lineage, const char *const *origins, size_t count)
{
    json_t *part = json_object();
    for (size_t i = 0; part != NULL && i < count; i++)
        if (!add_part(lineage, origins[i], part)) {
            json_decref(part);
            return NULL;
        }
    return part;
}
