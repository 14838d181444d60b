/* Sets that are pictures in files: one shape for all, a digest of their contents, and samples made ahead. */
#include "lib/data/pictures/image_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one picture ------------------------------------------------------------------------------------- */

static enum pst_status decode_file(const struct pst_image_set *set, struct pst_image_worker *worker,
                                   size_t index, struct pst_error *error)
{
    const uint8_t *bytes;
    size_t size;
    enum pst_status status = pst_pictures_read(&set->pictures, index, &worker->file, &bytes, &size, error);
    return status == PST_OK ? pst_picture_decode(&worker->picture, bytes, size, error) : status;
}

/* Makes a sample of a picture; for the decoders. */
static enum pst_status make_sample(void *own, size_t number, size_t index, void *elements,
                                   struct pst_error *error)
{
    const struct pst_image_set *set = own;
    struct pst_image_worker *worker = &set->workers[number];
    struct pst_picture *picture = &worker->picture;
    picture->only_width = set->resized ? 0 : set->width;
    picture->only_height = set->height;
    enum pst_status status = decode_file(set, worker, set->first + index, error);
    if (status == PST_OK && picture->channels > set->channels && !set->may_lose_colour)
        status =
            pst_fail(error, PST_BAD_DATA,
                     "it has colours, but the first picture is grey; --colour rgb or --colour grey makes "
                     "all alike");
    if (status == PST_OK)
        status = pst_picture_recolour(picture, set->channels, error);
    if (status == PST_OK && set->resized)
        status = pst_picture_resize(picture, &worker->resizing, set->width, set->height, error);
    if (status == PST_OK)
        pst_picture_planes(picture, elements);
    return status;
}

enum pst_status pst_image_set_get(struct pst_image_set *set, size_t index, void *elements,
                                  struct pst_error *error)
{
    return pst_decoders_get(set->decoders, index, elements, error);
}

enum pst_status pst_image_set_plan(struct pst_image_set *set, const size_t *samples, size_t count,
                                   struct pst_error *error)
{
    return pst_decoders_plan(set->decoders, samples, count, error);
}

void pst_image_set_place(const struct pst_image_set *set, size_t index, char *text, size_t size)
{
    pst_pictures_place(&set->pictures, set->first + index, text, size);
}

void pst_image_set_close(struct pst_image_set *set)
{
    pst_decoders_free(set->decoders);
    for (size_t i = 0; set->workers != NULL && i <= PST_MOST_DECODERS; i++) {
        pst_buffer_free(&set->workers[i].file);
        pst_picture_free(&set->workers[i].picture);
        pst_resizing_free(&set->workers[i].resizing);
    }
    free(set->workers);
    pst_pictures_close(&set->pictures);
    *set = (struct pst_image_set){ 0 };
}

/* ---- opening ----------------------------------------------------------------------------------------- */

/* Finds the pictures of the part that is wanted. */
static enum pst_status take_part(struct pst_image_set *set, struct pst_dataset *dataset, bool test,
                                 struct pst_error *error)
{
    const struct pst_pictures *pictures = &set->pictures;
    int part = test ? PST_PICTURE_TEST : PST_PICTURE_TRAIN;
    while (set->first < pictures->count && pictures->files[set->first].part != part)
        set->first++;
    size_t end = set->first;
    while (end < pictures->count && pictures->files[end].part == part)
        end++;
    dataset->samples = end - set->first;
    dataset->first_id = set->first;
    if (dataset->samples > 0)
        return PST_OK;
    return pst_fail(
        error, PST_USAGE,
        "%s has no test part of its own, which would be a folder test, val or validation beside a "
        "folder train",
        pictures->path);
}

/* "WIDTHxHEIGHT" */
static enum pst_status take_size(struct pst_image_set *set, const char *text, struct pst_error *error)
{
    char width[24] = "", height[24] = "";
    uint64_t wide, high;
    size_t pixels;
    int end = 0;
    if (sscanf(text, "%23[0-9]x%23[0-9]%n", width, height, &end) != 2 || text[end] != '\0' ||
        !pst_parse_u64(width, 1, PST_PICTURE_MOST_PIXELS, &wide) ||
        !pst_parse_u64(height, 1, PST_PICTURE_MOST_PIXELS, &high) ||
        !pst_multiply((size_t)wide, (size_t)high, &pixels) || pixels > PST_PICTURE_MOST_PIXELS)
        return pst_fail(error, PST_USAGE,
                        "--resize %s: it should be WIDTHxHEIGHT, as in 32x32, of at most %zu pixels", text,
                        PST_PICTURE_MOST_PIXELS);
    set->width = (size_t)wide;
    set->height = (size_t)high;
    set->resized = true;
    return PST_OK;
}

/* Settles shape and colours. What is not set is as in the first picture of all parts. */
static enum pst_status settle_shape(struct pst_image_set *set, const struct pst_image_settings *settings,
                                    struct pst_error *error)
{
    struct pst_image_worker *worker = &set->workers[PST_MOST_DECODERS];
    enum pst_status status = settings->resize != NULL ? take_size(set, settings->resize, error) : PST_OK;
    set->may_lose_colour = settings->colour == PST_COLOUR_GREY;
    set->channels = settings->colour == PST_COLOUR_RGB ? 3 : 1;
    if (status != PST_OK || (set->resized && settings->colour != PST_COLOUR_AUTO))
        return status;
    if (decode_file(set, worker, 0, error) != PST_OK) {
        char place[400];
        pst_pictures_place(&set->pictures, 0, place, sizeof place);
        return pst_fail_at(error, "%s", place);
    }
    if (settings->colour == PST_COLOUR_AUTO)
        set->channels = worker->picture.channels;
    if (!set->resized) {
        set->width = worker->picture.width;
        set->height = worker->picture.height;
    }
    return PST_OK;
}

static void describe(const struct pst_image_set *set, struct pst_dataset *dataset)
{
    const char *path = set->pictures.source == PST_PICTURES_LIST ? set->pictures.path : set->pictures.root;
    const char *slash = strrchr(path, '/');
    snprintf(dataset->name, sizeof dataset->name, "%s", slash != NULL && slash[1] != '\0' ? slash + 1 : path);
    pst_make_plain(dataset->name);
    dataset->element = PST_ELEMENT_U8;
    dataset->scale = 1.0 / 255;
    const size_t shape[] = { set->channels, set->height, set->width };
    dataset->rank = set->channels == 1 ? 2 : 3;
    memcpy(dataset->shape, shape + 3 - dataset->rank, dataset->rank * sizeof *shape);
}

/* Reads the files of the part that were not read yet, for their digests. */
static enum pst_status digest_files(struct pst_image_set *set, size_t count, struct pst_error *error)
{
    struct pst_image_worker *worker = &set->workers[PST_MOST_DECODERS];
    enum pst_status status = PST_OK;
    for (size_t i = set->first; i < set->first + count && status == PST_OK; i++) {
        struct pst_picture_file *file = &set->pictures.files[i];
        const uint8_t *bytes;
        size_t size;
        if (file->digest[0] != '\0')
            continue;
        if (pst_stop_signal() != 0)
            return pst_fail(error, PST_STOPPED, "stopped by a signal");
        status = pst_pictures_read(&set->pictures, i, &worker->file, &bytes, &size, error);
        if (status == PST_OK) {
            pst_digest(bytes, size, file->digest);
            file->size = size;
        } else {
            char place[400];
            pst_pictures_place(&set->pictures, i, place, sizeof place);
            status = pst_fail_at(error, "%s", place);
        }
    }
    return status;
}

/* The digest of the lines "DIGEST  PATH", as sha256sum prints them for the files of the part; those of a list
 * end with a TAB and the label. */
static enum pst_status digest_part(struct pst_image_set *set, struct pst_dataset *dataset,
                                   struct pst_error *error)
{
    bool list = set->pictures.source == PST_PICTURES_LIST;
    struct pst_text text;
    FILE *out = pst_text_open(&text);
    for (size_t i = set->first; out != NULL && i < set->first + dataset->samples; i++) {
        const struct pst_picture_file *file = &set->pictures.files[i];
        bool labelled = list && file->label != NULL;
        fprintf(out, "%s  %s%s%s\n", file->digest, file->below, labelled ? "\t" : "",
                labelled ? file->label : "");
    }
    char *lines = pst_text_close(&text);
    if (lines == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the digests of %zu files", dataset->samples);
    pst_digest(lines, strlen(lines), dataset->digest);
    free(lines);
    return PST_OK;
}

enum pst_status pst_image_set_open(struct pst_image_set *set, struct pst_dataset *dataset, const char *path,
                                   const struct pst_image_settings *settings,
                                   const struct pst_dataset_request *request, struct pst_error *error)
{
    set->workers = pst_allocate(PST_MOST_DECODERS + 1, sizeof *set->workers, error);
    if (set->workers == NULL)
        return PST_TRY_AGAIN;
    enum pst_status status = pst_pictures_open(&set->pictures, path, request->max_memory, error);
    if (status == PST_OK)
        status = take_part(set, dataset, request->test, error);
    if (status == PST_OK)
        status = settle_shape(set, settings, error);
    if (status == PST_OK)
        status = digest_files(set, dataset->samples, error);
    if (status == PST_OK)
        status = digest_part(set, dataset, error);
    if (status != PST_OK)
        return status;
    describe(set, dataset);
    status = pst_image_set_label(set, dataset, request->like, error);
    if (status != PST_OK)
        return status;
    set->decoders =
        pst_decoders_new(settings->decoders, pst_dataset_elements(dataset), make_sample, set, error);
    return set->decoders != NULL ? PST_OK : PST_TRY_AGAIN;
}
