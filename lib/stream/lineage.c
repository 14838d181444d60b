/* Lineage: what made each tensor of a stream, as a map from origins to entries. An origin is the SHA-256 of
 * its entry as JSON text, so every change of an entry is found. */
#include "lib/stream/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IS_HEX "0123456789abcdef"

bool pst_is_origin(const char *text)
{
    return text != NULL && strlen(text) == PST_DIGEST_TEXT - 1 && strspn(text, IS_HEX) == PST_DIGEST_TEXT - 1;
}

/* Makes the letters of escapes such as \u001B lower case, as most languages write them. All other escapes
 * have two letters. */
static void lower_escapes(char *text)
{
    for (char *at = text; (at = strchr(at, '\\')) != NULL; at += 2)
        for (size_t i = 4; at[1] == 'u' && i < 6; i++)
            at[i] = at[i] >= 'A' && at[i] <= 'F' ? (char)(at[i] | 32) : at[i];
}

/* The origin of an entry. Returns false if memory is short. */
static bool compute_origin(const json_t *entry, char origin[PST_DIGEST_TEXT])
{
    char *text = json_dumps(entry, JSON_COMPACT | JSON_SORT_KEYS);
    if (text == NULL)
        return false;
    lower_escapes(text);
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

/* Values are texts or lists of texts, so that every language writes the same bytes. */
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

/* ---- as a tree ---------------------------------------------------------------------------------------- */

static bool is_link(const char *key)
{
    return strcmp(key, "from") == 0 || strcmp(key, "learned_from") == 0;
}

/* A value as words; digests are cut to their first 12 digits. */
static void print_value(FILE *out, const char *key, const json_t *value)
{
    const char *text = json_string_value(value);
    pst_write_plain(out, 0, key);
    fputc('=', out);
    if (text != NULL && pst_is_origin(text))
        fprintf(out, "%.12s", text);
    else if (text != NULL)
        pst_write_plain(out, 0, text);
    for (size_t i = 0; i < json_array_size(value); i++) {
        fputs(i == 0 ? "" : ",", out);
        pst_write_plain(out, 0, json_string_value(json_array_get(value, i)));
    }
}

/* One line: the stage and its settings, keys in order. */
static void print_entry(FILE *out, const json_t *entry)
{
    const char *keys[64];
    size_t count = 0;
    const char *key;
    json_t *value;
    pst_write_plain(out, 0, json_string_value(json_object_get(entry, "stage")));
    json_object_foreach((json_t *)(uintptr_t)entry, key, value)
    {
        if (is_link(key) || strcmp(key, "stage") == 0 || count == sizeof keys / sizeof *keys)
            continue;
        size_t at = count++;
        for (; at > 0 && strcmp(keys[at - 1], key) > 0; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
    for (size_t i = 0; i < count; i++) {
        fputc(' ', out);
        print_value(out, keys[i], json_object_get(entry, keys[i]));
    }
}

/* seen: the entries that are printed already, so that none is printed twice. */
static void print_tree(FILE *out, const json_t *lineage, const char *origin, int depth, json_t *seen)
{
    const json_t *entry = json_object_get(lineage, origin);
    bool again = json_object_get(seen, origin) != NULL;
    fprintf(out, "%*s%.12s  ", 2 * depth, "", origin);
    if (entry == NULL)
        fputs("not told", out);
    else
        print_entry(out, entry);
    fputs(again ? " (as above)\n" : "\n", out);
    if (entry == NULL || again || json_object_set_new(seen, origin, json_true()) != 0)
        return;
    const json_t *from = json_object_get(entry, "from"), *learned = json_object_get(entry, "learned_from");
    for (size_t i = 0; i < json_array_size(from); i++)
        print_tree(out, lineage, json_string_value(json_array_get(from, i)), depth + 1, seen);
    if (json_array_size(learned) > 0)
        fprintf(out, "%*sits model learned from\n", 2 * depth + 2, "");
    for (size_t i = 0; i < json_array_size(learned); i++)
        print_tree(out, lineage, json_string_value(json_array_get(learned, i)), depth + 2, seen);
}

char *pst_lineage_tree(const json_t *lineage, const char *origin, int depth)
{
    struct pst_text text;
    json_t *seen = json_object();
    FILE *out = pst_text_open(&text);
    if (out != NULL && seen != NULL)
        print_tree(out, lineage, origin, depth, seen);
    json_decref(seen);
    return pst_text_close(&text);
}

/* ---- differences ------------------------------------------------------------------------------------- */

/* The two lineages that are compared, and where the words are written. */
struct comparison {
    const json_t *a, *b;
    FILE *out;
};

static bool differ(const struct comparison *compared, const char *a, const char *b);

/* Writes how the first pair of origins in two lists differs. Returns false if nothing was written. */
static bool lists_differ(const struct comparison *compared, const json_t *a, const json_t *b)
{
    size_t count = json_array_size(a);
    if (count != json_array_size(b)) {
        fprintf(compared->out, "made from %zu tensors and from %zu", count, json_array_size(b));
        return true;
    }
    for (size_t i = 0; i < count; i++)
        if (differ(compared, json_string_value(json_array_get(a, i)),
                   json_string_value(json_array_get(b, i))))
            return true;
    return false;
}

/* Whether a key comes before another one. A setting tells people more than a digest, which may be made from
 * it. */
static bool comes_before(const char *key, const json_t *value, const char *other, const json_t *other_value)
{
    bool digest = pst_is_origin(json_string_value(value));
    bool other_digest = pst_is_origin(json_string_value(other_value));
    return digest != other_digest ? other_digest : strcmp(key, other) < 0;
}

/* The first key of entry a, with its value, that b lacks or that has another value in b; *first, if that
 * comes before. */
static void find_difference(const json_t *a, const json_t *b, const char **first, const json_t **its)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)a, key, value)
    {
        if (is_link(key) || json_equal(value, json_object_get(b, key)) ||
            (*first != NULL && !comes_before(key, value, *first, *its)))
            continue;
        *first = key;
        *its = value;
    }
}

static void print_side(FILE *out, const json_t *entry, const char *key)
{
    const json_t *value = json_object_get(entry, key);
    pst_write_plain(out, 0, json_string_value(json_object_get(entry, "stage")));
    fputs(value == NULL ? " without " : " ", out);
    if (value == NULL)
        pst_write_plain(out, 0, key);
    else
        print_value(out, key, value);
}

static bool differ(const struct comparison *compared, const char *a, const char *b)
{
    const json_t *one = json_object_get(compared->a, a), *other = json_object_get(compared->b, b);
    if (strcmp(a, b) == 0 || one == NULL || other == NULL)
        return false;
    const char *key = NULL;
    const json_t *value = NULL;
    find_difference(one, other, &key, &value);
    find_difference(other, one, &key, &value);
    if (key != NULL) {
        print_side(compared->out, one, key);
        fputs(" here, ", compared->out);
        print_side(compared->out, other, key);
        fputs(" there", compared->out);
        return true;
    }
    return lists_differ(compared, json_object_get(one, "from"), json_object_get(other, "from"));
}

void pst_lineage_difference(const json_t *a_lineage, const char *a, const json_t *b_lineage, const char *b,
                            char *text, size_t size)
{
    struct pst_text made;
    FILE *out = pst_text_open(&made);
    struct comparison compared = { a_lineage, b_lineage, out };
    bool found = out != NULL && differ(&compared, a, b);
    char *words = pst_text_close(&made);
    if (words != NULL && found)
        snprintf(text, size, "%s", words);
    else
        snprintf(text, size, "%.12s here, %.12s there", a, b);
    free(words);
}

/* ---- lists of origins -------------------------------------------------------------------------------- */

void pst_lineage_add(json_t *list, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), text) == 0)
            return;
    json_array_append_new(list, json_string(text));
}

void pst_lineage_add_origins(json_t *list, const json_t *entry, const char *key)
{
    const json_t *origins = json_object_get(entry, key);
    for (size_t i = 0; i < json_array_size(origins); i++)
        pst_lineage_add(list, json_string_value(json_array_get(origins, i)));
}
