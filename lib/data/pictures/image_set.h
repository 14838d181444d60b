/* image_set.h: sets that are pictures in files. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_PICTURES_IMAGE_SET_H
#define PIPESTILL_LIB_DATA_PICTURES_IMAGE_SET_H

#include "lib/data/pictures/decoders.h"
#include "lib/data/pictures/picture.h"
#include "lib/data/pictures/pictures.h"

enum pst_colour { PST_COLOUR_AUTO, PST_COLOUR_RGB, PST_COLOUR_GREY };

/* How pictures are read. {0}: the defaults. */
struct pst_image_settings {
    int colour;         /* of enum pst_colour; auto: as the first picture has it */
    const char *resize; /* "WIDTHxHEIGHT"; NULL: all have the size of the first */
    size_t decoders;    /* threads; 0: as many as there are processors */
};

/* The option of all types that decode pictures. place: of a size_t in the settings. */
#define PST_DECODERS_OPTION(place)                                                                       \
    {                                                                                                    \
        .name = "decoders", .type = PST_SIZE, .at = (place), .metavar = "N", .most = PST_MOST_DECODERS,  \
        .silent = true, .help = "threads that decode pictures ahead; 0: as many as there are processors" \
    }

/* What one decoding needs. */
struct pst_image_worker {
    struct pst_buffer file;
    struct pst_picture picture;
    struct pst_resizing resizing;
};

/* What a set of pictures owns. {0} is closed. */
struct pst_image_set {
    struct pst_pictures pictures;
    size_t first; /* first picture of the part */
    size_t channels, width, height;
    bool resized;
    bool may_lose_colour;
    struct pst_decoders *decoders;
    struct pst_image_worker *workers; /* [PST_MOST_DECODERS + 1]; owned */
};

/*
 * Opens the pictures of a folder, of a list or of a tar file as a set: all of dataset but type and own.
 * set: {0}; must keep its address until it is closed, after a failure, too. Returns what a type's open
 * returns.
 */
PST_CHECKED enum pst_status pst_image_set_open(struct pst_image_set *set, struct pst_dataset *dataset,
                                               const char *path, const struct pst_image_settings *settings,
                                               const struct pst_dataset_request *request,
                                               struct pst_error *error);

/* As the functions of a type. */
PST_CHECKED enum pst_status pst_image_set_get(struct pst_image_set *set, size_t index, void *elements,
                                              struct pst_error *error);
PST_CHECKED enum pst_status pst_image_set_plan(struct pst_image_set *set, const size_t *samples, size_t count,
                                               struct pst_error *error);
void pst_image_set_place(const struct pst_image_set *set, size_t index, char *text, size_t size);
void pst_image_set_close(struct pst_image_set *set);

/* Settles labels, classes and their names by the label of each picture of the part. For pst_image_set_open;
 * returns as that. */
PST_CHECKED enum pst_status pst_image_set_label(const struct pst_image_set *set, struct pst_dataset *dataset,
                                                const struct pst_likeness *like, struct pst_error *error);

#endif
