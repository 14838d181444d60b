/* loader.h: what loader knows of the tables of data sets and augmentations: their options and settings. */
#ifndef PIPESTILL_STAGES_LOADER_H
#define PIPESTILL_STAGES_LOADER_H

#include "pipestill.h"

#define MOST_OPTIONS 64     /* with those of all types and augmentations */
#define SETTINGS_BYTES 4096 /* of all types and augmentations */

/* The stage. */
struct loader {
    size_t batch;
    uint64_t epochs, start;
    const char *run;
    size_t max_memory;
    struct pst_view_settings chosen;
    _Alignas(max_align_t) unsigned char settings[SETTINGS_BYTES]; /* one type's behind another's */
    struct pst_dataset data;
    struct pst_view view;
    size_t position; /* in the epoch */
    size_t x, y, id; /* places of the tensors; y is PST_NONE without labels */
};

/*
 * Lists all options: those of the loader, of views, and of all types and augmentations.
 * options: receives them, ended by {0}. defaults: receives the settings' defaults.
 */
void list_options(const struct pst_option *own, struct pst_option options[MOST_OPTIONS],
                  struct loader *defaults);

/*
 * Finds the settings of a type as the options have set them.
 * Returns PST_OK; PST_USAGE if an option was given that is another type's; the message names it.
 */
PST_CHECKED enum pst_status find_settings(struct pst_run *run, const struct pst_dataset_type *type,
                                          const void **settings, struct pst_error *error);

/* The same for the augmentations. settings: receives them in the order of the table. */
void find_augmentations(struct loader *loader, const void *settings[PST_MAX_AUGMENTATIONS]);

/* Writes the sets of the table for --help. */
void describe_sets(FILE *text);

#endif
