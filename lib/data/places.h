/* places.h: where sets with a fixed name, such as MNIST, are looked for. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_PLACES_H
#define PIPESTILL_LIB_DATA_PLACES_H

#include "pipestill/base.h"

/* How the folder of a set is found. */
struct pst_places {
    const char *title;        /* for messages: "MNIST" */
    const char *variable;     /* of the environment: "MNIST_DIR" */
    const char *const *usual; /* folders, ended by NULL; those that begin with "~/" are below HOME */
    const char *files;        /* what should be there, for messages: "a and b" */
    const char *below;        /* where else below it, for messages: " or in raw below"; "" */
    bool (*is_in)(const char *folder, void *found); /* whether the set is in a folder; found: as given */
};

/*
 * Finds the folder of a set: the one that is named, otherwise that of the variable, otherwise the first of
 * the usual ones that has it. named: NULL: none is. found: handed to is_in, which stores there what it finds.
 * Returns PST_OK, or PST_NO_INPUT.
 */
PST_CHECKED enum pst_status pst_find_place(const struct pst_places *places, const char *named, void *found,
                                           struct pst_error *error);

#endif
