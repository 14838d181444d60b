/* Maps of classes: put together class by class, checked, and laid out for the loops that use them. */
#include "lib/nn/class_map.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- old classes by name ------------------------------------------------------------------------------- */

/* qsort has no context, so each item that is sorted has its name. */
struct named {
    const char *name;
    uint32_t number;
};

static int by_name(const void *left, const void *right)
{
    const struct named *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : (a->number > b->number) - (a->number < b->number);
}

static enum pst_status sort_names(struct pst_class_map_maker *maker, struct pst_error *error)
{
    size_t count = maker->old->count;
    struct named *named = pst_allocate(count, sizeof *named, error);
    maker->order = pst_allocate(count, sizeof *maker->order, error);
    if (named == NULL || maker->order == NULL) {
        free(named);
        return PST_TRY_AGAIN;
    }
    for (size_t i = 0; i < count; i++)
        named[i] = (struct named){ maker->old->names[i], (uint32_t)i };
    qsort(named, count, sizeof *named, by_name);
    for (size_t i = 0; i < count; i++)
        maker->order[i] = named[i].number;
    free(named);
    return PST_OK;
}

enum pst_status pst_maker_find(const struct pst_class_map_maker *maker, const char *name, size_t *class,
                               struct pst_error *error)
{
    const char *const *names = maker->old->names;
    size_t low = 0, high = maker->old->count;
    if (names == NULL)
        return pst_maker_refuse(maker, error,
                                "'%.200s' is a name, but the old classes have none; say numbers", name);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(names[maker->order[middle]], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == maker->old->count || strcmp(names[maker->order[low]], name) != 0)
        return pst_maker_refuse(maker, error,
                                "no class is called '%.200s'; there are %zu, the first is '%.60s'", name,
                                maker->old->count, names[0]);
    *class = maker->order[low];
    if (low + 1 < maker->old->count && strcmp(names[maker->order[low + 1]], name) == 0)
        return pst_maker_refuse(maker, error,
                                "classes %zu and %" PRIu32 " are both called '%.200s'; say the number",
                                *class, maker->order[low + 1], name);
    return PST_OK;
}

/* ---- making -------------------------------------------------------------------------------------------- */

enum pst_status pst_maker_refuse(const struct pst_class_map_maker *maker, struct pst_error *error,
                                 const char *format, ...)
{
    char what[400];
    va_list values;
    va_start(values, format);
    vsnprintf(what, sizeof what, format, values);
    va_end(values);
    if (maker->unit == NULL)
        return pst_fail(error, PST_USAGE, "%s: %s", maker->place, what);
    return pst_fail(error, PST_BAD_DATA, "%s, %s %zu: %s", maker->place, maker->unit, maker->line, what);
}

enum pst_status pst_maker_begin(struct pst_class_map_maker *maker, const struct pst_classes *old,
                                const char *place, const char *unit, struct pst_error *error)
{
    *maker = (struct pst_class_map_maker){ .old = old, .place = place, .unit = unit, .line = 1 };
    maker->rest = PST_CLASS_NONE;
    if (old->count == 0 || old->count > PST_CLASS_MAP_MOST_CLASSES)
        return pst_fail(error, PST_USAGE, "%s: there are %zu old classes; a map can have 1 to %zu", place,
                        old->count, PST_CLASS_MAP_MOST_CLASSES);
    maker->found = pst_allocate(old->count, sizeof *maker->found, error);
    if (maker->found == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < old->count; i++)
        maker->found[i].in = -1;
    return old->names != NULL ? sort_names(maker, error) : PST_OK;
}

enum pst_status pst_maker_add(struct pst_class_map_maker *maker, const char *name, bool said,
                              struct pst_error *error)
{
    if (maker->count > maker->old->count)
        return pst_maker_refuse(maker, error,
                                "there are more new classes than old ones, of which there are %zu",
                                maker->old->count);
    struct pst_new_class *grown = pst_grown(maker->made, &maker->room, maker->count, sizeof *grown, error);
    if (grown == NULL)
        return PST_TRY_AGAIN;
    maker->made = grown;
    struct pst_new_class *new = &maker->made[maker->count];
    *new = (struct pst_new_class){ .said = said, .line = maker->line };
    if (name != NULL && (new->name = strdup(name)) == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a map of classes");
    maker->count++;
    return PST_OK;
}

enum pst_status pst_maker_put(struct pst_class_map_maker *maker, size_t class, double weight,
                              struct pst_error *error)
{
    struct pst_old_class *found = &maker->found[class];
    const char *name = maker->old->names != NULL ? maker->old->names[class] : "";
    char called[80] = "", where[40] = "";
    if (maker->old->names != NULL)
        snprintf(called, sizeof called, " ('%.60s')", name);
    if (maker->unit != NULL)
        snprintf(where, sizeof where, ", first in %s %" PRIu32, maker->unit, found->line);
    if (found->in >= 0)
        return pst_maker_refuse(maker, error, "class %zu%s is %s%s", class, called,
                                (size_t)found->in == maker->count - 1 ? "named twice in one new class"
                                                                      : "in two new classes",
                                where);
    *found = (struct pst_old_class){ (int32_t)(maker->count - 1), (uint32_t)maker->line, weight };
    return PST_OK;
}

enum pst_status pst_maker_put_rest(struct pst_class_map_maker *maker, struct pst_error *error)
{
    if (maker->rest != PST_CLASS_NONE)
        return pst_maker_refuse(maker, error, "a second class takes the rest; the first is '%.200s'",
                                maker->made[maker->rest].name);
    maker->rest = maker->count - 1;
    return PST_OK;
}

/* ---- the end ------------------------------------------------------------------------------------------- */

static int by_new_name(const void *left, const void *right)
{
    const struct pst_new_class *a = *(const struct pst_new_class *const *)left,
                               *b = *(const struct pst_new_class *const *)right;
    return strcmp(a->name, b->name);
}

/* Two new classes may have the same name only if two old ones have it. */
static enum pst_status check_names(struct pst_class_map_maker *maker, struct pst_error *error)
{
    const struct pst_new_class **named = pst_allocate(maker->count, sizeof *named, error);
    size_t count = 0;
    enum pst_status status = named == NULL ? PST_TRY_AGAIN : PST_OK;
    for (size_t i = 0; i < maker->count && status == PST_OK; i++)
        if (maker->made[i].name != NULL)
            named[count++] = &maker->made[i];
    if (status == PST_OK)
        qsort(named, count, sizeof *named, by_new_name);
    for (size_t i = 1; i < count && status == PST_OK; i++) {
        const struct pst_new_class *a = named[i - 1], *b = named[i];
        if ((!a->said && !b->said) || strcmp(a->name, b->name) != 0)
            continue;
        maker->line = a->line > b->line ? a->line : b->line;
        status = pst_maker_refuse(maker, error, "two new classes are called '%.200s'", a->name);
    }
    free((void *)named);
    return status;
}

/* Puts all old classes that no line names into the class of the rest. */
static enum pst_status settle_rest(struct pst_class_map_maker *maker, struct pst_error *error)
{
    size_t left = 0;
    for (size_t i = 0; i < maker->old->count && maker->rest != PST_CLASS_NONE; i++) {
        if (maker->found[i].in >= 0)
            continue;
        maker->found[i] = (struct pst_old_class){ .in = (int32_t)maker->rest, .weight = 1 };
        left++;
    }
    if (maker->rest == PST_CLASS_NONE || left > 0)
        return PST_OK;
    maker->line = maker->made[maker->rest].line;
    return pst_maker_refuse(maker, error, "nothing is left for '%.200s': all %zu classes are named",
                            maker->made[maker->rest].name, maker->old->count);
}

static enum pst_status allocate(struct pst_class_map *map, size_t kept, struct pst_error *error)
{
    map->new_of = pst_allocate(map->from, sizeof *map->new_of, error);
    map->begin = pst_allocate(map->to + 1, sizeof *map->begin, error);
    map->members = pst_allocate(kept, sizeof *map->members, error);
    map->weights = pst_allocate(kept, sizeof *map->weights, error);
    map->shares = pst_allocate(kept, sizeof *map->shares, error);
    map->log_shares = pst_allocate(kept, sizeof *map->log_shares, error);
    map->names = pst_allocate(map->to, sizeof *map->names, error);
    return map->new_of != NULL && map->begin != NULL && map->members != NULL && map->weights != NULL &&
                   map->shares != NULL && map->log_shares != NULL && map->names != NULL
               ? PST_OK
               : PST_TRY_AGAIN;
}

/* Counts the members of each class, then puts each old class in its place. begin[c] is where the next member
 * of class c goes, so in the end it is the end of class c, which is the beginning of class c + 1. */
static void place_members(struct pst_class_map *map, const struct pst_old_class *found)
{
    for (size_t i = 0; i < map->from; i++) {
        map->new_of[i] = found[i].in;
        if (found[i].in >= 0)
            map->begin[found[i].in + 1]++;
    }
    for (size_t c = 0; c < map->to; c++)
        map->begin[c + 1] += map->begin[c];
    for (size_t i = 0; i < map->from; i++) {
        if (found[i].in < 0)
            continue;
        size_t at = map->begin[found[i].in]++;
        map->members[at] = (uint32_t)i;
        map->weights[at] = found[i].weight;
    }
    memmove(map->begin + 1, map->begin, map->to * sizeof *map->begin);
    map->begin[0] = 0;
}

static void settle_shares(struct pst_class_map *map)
{
    map->plain = true;
    for (size_t c = 0; c < map->to; c++) {
        double sum = 0;
        for (size_t at = map->begin[c]; at < map->begin[c + 1]; at++)
            sum += map->weights[at];
        for (size_t at = map->begin[c]; at < map->begin[c + 1]; at++) {
            map->shares[at] = map->weights[at] / sum;
            map->log_shares[at] = log(map->shares[at]);
        }
        map->plain = map->plain && map->begin[c + 1] - map->begin[c] == 1;
    }
}

static enum pst_status lay_out(struct pst_class_map_maker *maker, struct pst_class_map *map,
                               struct pst_error *error)
{
    size_t kept = 0;
    for (size_t i = 0; i < maker->old->count; i++)
        kept += maker->found[i].in >= 0;
    map->from = maker->old->count;
    map->to = maker->count;
    map->dropped = map->from - kept;
    enum pst_status status = allocate(map, kept, error);
    if (status != PST_OK)
        return status;
    place_members(map, maker->found);
    settle_shares(map);
    for (size_t c = 0; c < map->to; c++) {
        map->names[c] = maker->made[c].name;
        maker->made[c].name = NULL;
    }
    return PST_OK;
}

enum pst_status pst_maker_end(struct pst_class_map_maker *maker, enum pst_status status, const char *dustbin,
                              struct pst_class_map *map, struct pst_error *error)
{
    *map = (struct pst_class_map){ 0 };
    if (status == PST_OK && maker->count == 0)
        status = pst_fail(error, maker->unit != NULL ? PST_BAD_DATA : PST_USAGE, "%s: it names no class",
                          maker->place);
    if (status == PST_OK && dustbin != NULL && maker->rest == PST_CLASS_NONE) {
        status = pst_maker_add(maker, dustbin, true, error);
        if (status == PST_OK)
            status = pst_maker_put_rest(maker, error);
    }
    if (status == PST_OK)
        status = settle_rest(maker, error);
    if (status == PST_OK)
        status = check_names(maker, error);
    if (status == PST_OK)
        status = lay_out(maker, map, error);
    for (size_t c = 0; c < maker->count; c++)
        free(maker->made[c].name);
    free(maker->made);
    free(maker->found);
    free(maker->order);
    if (status != PST_OK)
        pst_class_map_free(map);
    return status;
}

void pst_class_map_free(struct pst_class_map *map)
{
    for (size_t c = 0; map->names != NULL && c < map->to; c++)
        free(map->names[c]);
    free(map->new_of);
    free(map->begin);
    free(map->members);
    free(map->weights);
    free(map->shares);
    free(map->log_shares);
    free(map->names);
    *map = (struct pst_class_map){ 0 };
}
