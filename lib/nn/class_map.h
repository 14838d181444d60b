/* class_map.h: a map of classes while it is made; from a text or another model's names by the same calls. */
#ifndef LIB_NN_CLASS_MAP_H
#define LIB_NN_CLASS_MAP_H

#include "pipestill/class_map.h"

#define PST_CLASS_NONE SIZE_MAX

/* A new class. */
struct pst_new_class {
    char *name;  /* owned; NULL: it has none */
    bool said;   /* the map names it; otherwise it has its old class's name */
    size_t line; /* that names it */
};

/* An old class, as far as the map has named it. */
struct pst_old_class {
    int32_t in;    /* new class, or -1 */
    uint32_t line; /* that says so */
    double weight;
};

struct pst_class_map_maker {
    const struct pst_classes *old;
    const char *place;
    const char *unit;            /* what messages count: "line", or "class" of a model; NULL: nothing */
    size_t line;                 /* that is read */
    uint32_t *order;             /* [old->count]: old classes by name; NULL: they have none; owned */
    struct pst_old_class *found; /* [old->count]; owned */
    struct pst_new_class *made;  /* [count]; owned */
    size_t count, room;
    size_t rest; /* the new class that takes the rest, or PST_CLASS_NONE */
};

/* Begins a map. Returns PST_OK; PST_USAGE if there are too many old classes; PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_maker_begin(struct pst_class_map_maker *maker, const struct pst_classes *old,
                                            const char *place, const char *unit, struct pst_error *error);

/* Refuses the line that is read: puts its place before the message. Returns PST_BAD_DATA or PST_USAGE. */
enum pst_status pst_maker_refuse(const struct pst_class_map_maker *maker, struct pst_error *error,
                                 const char *format, ...) PST_PRINTF(3, 4);

/* Adds a new class. name: copied; NULL: it has none. said: whether the map names it. */
PST_CHECKED enum pst_status pst_maker_add(struct pst_class_map_maker *maker, const char *name, bool said,
                                          struct pst_error *error);

/* Puts an old class into the new one that was added last. */
PST_CHECKED enum pst_status pst_maker_put(struct pst_class_map_maker *maker, size_t class, double weight,
                                          struct pst_error *error);

/* Makes the new class that was added last take the rest. */
PST_CHECKED enum pst_status pst_maker_put_rest(struct pst_class_map_maker *maker, struct pst_error *error);

/* Finds an old class by its name. class: receives it. */
PST_CHECKED enum pst_status pst_maker_find(const struct pst_class_map_maker *maker, const char *name,
                                           size_t *class, struct pst_error *error);

/* Ends the map. dustbin: see pst_class_map_parse. status: of the calls so far. Frees the maker. */
PST_CHECKED enum pst_status pst_maker_end(struct pst_class_map_maker *maker, enum pst_status status,
                                          const char *dustbin, struct pst_class_map *map,
                                          struct pst_error *error);

/*
 * As pst_class_map_parse, but reads one line of a file of sets, by its name. Its classes stay as they are.
 * set: the name; NULL: the text is a map.
 */
PST_CHECKED enum pst_status pst_class_map_parse_set(struct pst_class_map *map, const struct pst_classes *old,
                                                    const char *text, size_t size, const char *place,
                                                    bool lines, const char *set, const char *dustbin,
                                                    struct pst_error *error);

#endif
