/* images: pictures in a folder for each class, in a list, or in a tar file. */
#include "lib/data/pictures/image_set.h"

#include "lib/data/pictures/tar.h"

#include <stdlib.h>

static const char *const colours[] = { "auto", "rgb", "grey", NULL };

static const struct pst_option options[] = {
    { 0, "colour", PST_CHOICE, offsetof(struct pst_image_settings, colour),
      "channels of pictures; auto: those of the first", .choices = colours },
    { 0, "resize", PST_STRING, offsetof(struct pst_image_settings, resize),
      "scale all pictures to this size; otherwise all must have the same", .metavar = "WIDTHxHEIGHT" },
    PST_DECODERS_OPTION(offsetof(struct pst_image_settings, decoders)),
    { 0 },
};

static enum pst_status open_images(struct pst_dataset *dataset, const struct pst_dataset_request *request,
                                   struct pst_error *error)
{
    if (request->count == 0)
        return pst_fail(error, PST_USAGE,
                        "which pictures? images:FOLDER, images:LIST.txt or images:FILE.tar");
    struct pst_image_set *own = dataset->own = pst_allocate(1, sizeof *own, error);
    return own == NULL
               ? PST_TRY_AGAIN
               : pst_image_set_open(own, dataset, request->arguments[0], request->settings, request, error);
}

static enum pst_status get_image(const struct pst_dataset *dataset, size_t index, void *elements,
                                 struct pst_error *error)
{
    return pst_image_set_get(dataset->own, index, elements, error);
}

static enum pst_status plan_images(const struct pst_dataset *dataset, const struct pst_plan *plan,
                                   struct pst_error *error)
{
    return pst_image_set_plan(dataset->own, plan->samples, plan->count, error);
}

static void place_image(const struct pst_dataset *dataset, size_t index, char *text, size_t size)
{
    pst_image_set_place(dataset->own, index, text, size);
}

static void close_images(struct pst_dataset *dataset)
{
    if (dataset->own != NULL)
        pst_image_set_close(dataset->own);
    free(dataset->own);
}

const struct pst_dataset_type pst_dataset_images = {
    .name = "images",
    .help = "PNG, JPEG, PPM or PGM in a folder for each class, a list or a tar file",
    .arguments = "FOLDER|LIST|TAR",
    .most_arguments = 1,
    .has_test_part = true,
    .settings = { options, sizeof(struct pst_image_settings), NULL },
    .recognises = pst_tar_recognises,
    .takes_folders = true,
    .open = open_images,
    .get = get_image,
    .plan = plan_images,
    .place = place_image,
    .close = close_images,
};
