/* Lineage for people: as a tree, and how two origins differ. */
#include "lib/stream/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_link(const char *key)
{
    return strcmp(key, "from") == 0 || strcmp(key, "learned_from") == 0;
}

/* A value as words; digests are cut to what tells them apart. */
static void print_value(FILE *out, const char *key, const json_t *value)
{
    const char *text = json_string_value(value);
    fprintf(out, "%s=", key);
    if (text != NULL)
        fprintf(out, pst_is_origin(text) ? "%.12s" : "%s", text);
    for (size_t i = 0; i < json_array_size(value); i++)
        fprintf(out, "%s%s", i == 0 ? "" : ",", json_string_value(json_array_get(value, i)));
}

/* One line: the stage and its settings, keys in order. */
static void print_entry(FILE *out, const json_t *entry)
{
    const char *keys[64];
    size_t count = 0;
    const char *key;
    json_t *value;
    fprintf(out, "%s", json_string_value(json_object_get(entry, "stage")));
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

/* seen: the entries that stand above already, so that none is printed twice. */
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
    char *text = NULL;
    size_t size = 0;
    json_t *seen = json_object();
    FILE *out = seen == NULL ? NULL : open_memstream(&text, &size);
    if (out != NULL)
        print_tree(out, lineage, origin, depth, seen);
    json_decref(seen);
    if (out == NULL || fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- differences ------------------------------------------------------------------------------------- */

/* The two lineages that are compared, and where the words go. */
struct comparison {
    const json_t *a, *b;
    FILE *out;
};

static bool differ(const struct comparison *compared, const char *a, const char *b);

/* The first pair of origins in two lists that differ. Returns whether words were found for it. */
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

/* The first key of entry a whose value b lacks or has otherwise. */
static const char *first_difference(const json_t *a, const json_t *b)
{
    const char *key, *first = NULL;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)a, key, value)
    {
        if (!is_link(key) && !json_equal(value, json_object_get(b, key)) &&
            (first == NULL || strcmp(key, first) < 0))
            first = key;
    }
    return first;
}

static void print_side(FILE *out, const json_t *entry, const char *key)
{
    const json_t *value = json_object_get(entry, key);
    fprintf(out, "%s ", json_string_value(json_object_get(entry, "stage")));
    if (value == NULL)
        fprintf(out, "without %s", key);
    else
        print_value(out, key, value);
}

static bool differ(const struct comparison *compared, const char *a, const char *b)
{
    const json_t *one = json_object_get(compared->a, a), *other = json_object_get(compared->b, b);
    if (strcmp(a, b) == 0 || one == NULL || other == NULL)
        return false;
    const char *key = first_difference(one, other);
    if (key == NULL)
        key = first_difference(other, one);
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
    char *words = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&words, &length);
    struct comparison compared = { a_lineage, b_lineage, out };
    bool found = out != NULL && differ(&compared, a, b);
    if (out != NULL && fclose(out) == 0 && found)
        snprintf(text, size, "%s", words);
    else
        snprintf(text, size, "%.12s here, %.12s there", a, b);
    free(words);
}
