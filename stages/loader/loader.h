/* loader.h: what the files of loader share: the options and settings of data sets and augmentations. */
#ifndef PIPESTILL_STAGES_LOADER_H
#define PIPESTILL_STAGES_LOADER_H

#include "pipestill.h"

#define MOST_OPTIONS 128    /* with those of all types and augmentations */
#define SETTINGS_BYTES 4096 /* of all types and augmentations */

/* The contents of --like. {0}: nothing. */
struct like {
    struct json_t *about;      /* of the model or the recording; owned */
    size_t classes;            /* of the recording, which may have no names for them; 0: not known */
    struct pst_likeness found; /* its texts are borrowed from about */
    struct pst_column *columns;
    char splice[32];
    const char **categories, **class_names, **output_names; /* lists that found points to; owned */
};

/* The stage. */
struct loader {
    size_t batch;
    uint64_t epochs, start;
    const char *run, *like_path;
    bool standardise;
    size_t max_memory;
    struct pst_view_settings chosen;
    _Alignas(max_align_t) unsigned char settings[SETTINGS_BYTES]; /* those of all types, one after another */
    struct like likeness;
    struct pst_dataset data;
    struct pst_view view;
    size_t position;         /* in the epoch */
    size_t first, taken;     /* the next batch's samples in the view */
    bool is_job;             /* one of several, with a view of its own */
    char *special;           /* numbers of the classes of --special; owned */
    struct json_t *inputs;   /* what the header says of inputs; NULL: nothing; owned */
    size_t x, y, weight, id; /* places of the tensors; PST_NONE: there is none */
};

/*
 * Lists all options: those of the loader, of views, and of all types and augmentations.
 * options: receives them, ended by {0}. defaults: receives the settings' defaults.
 */
void list_options(const struct pst_option *own, struct pst_option options[MOST_OPTIONS],
                  struct loader *defaults);

/*
 * Finds the settings of a type as the options have set them. Returns PST_OK; PST_USAGE if an option of
 * another type was given; the message names it.
 */
PST_CHECKED enum pst_status find_settings(struct pst_run *run, const struct pst_dataset_type *type,
                                          const void **settings, struct pst_error *error);

/* The same for the augmentations. settings: receives them in the order of the table. */
void find_augmentations(struct loader *loader, const void *settings[PST_MAX_AUGMENTATIONS]);

/* Writes a list of the table's sets for --help. */
void describe_sets(FILE *text);

/* ---- header.c ---- */

/* Makes loader->inputs. Returns PST_OK; PST_USAGE if a header has no room for it; PST_TRY_AGAIN. */
PST_CHECKED enum pst_status describe_inputs(struct loader *loader, struct pst_error *error);

/* Declares the tensors, and enters the meaning of inputs and outputs. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status describe_data(struct pst_run *run, struct pst_header *header,
                                          struct pst_error *error);

/* ---- like.c ---- */

/*
 * Reads what a model or a recording says of its samples. like: {0}; to be freed, also after a failure.
 * Returns PST_OK; PST_NO_INPUT; PST_BAD_DATA; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status read_like(const struct pst_run *run, const char *path, struct like *like,
                                      struct pst_error *error);
void free_like(struct like *like);

/* ---- standard.c ---- */

/*
 * Opens the set, with a standard that is fitted to its training selection, also if another part is loaded.
 * Returns what pst_dataset_open, pst_select and pst_standard_fit return.
 */
PST_CHECKED enum pst_status open_standardised(struct loader *loader, const struct pst_dataset_type *type,
                                              const struct pst_dataset_request *request,
                                              struct pst_error *error);

#endif
