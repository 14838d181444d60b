/* A data set made of two IDX files, images and labels. */
#include "lib/data/idx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void get_sample(const struct pst_dataset *dataset, size_t index, uint8_t *elements)
{
    const struct pst_idx *images = dataset->state;
    memcpy(elements, images->content + images->header + index * dataset->sample_bytes, dataset->sample_bytes);
}

static void free_images(void *state)
{
    pst_idx_free(state);
    free(state);
}

/* Reads the images and describes them. */
static enum pst_status open_images(struct pst_dataset *dataset, const char *path, struct pst_error *error)
{
    struct pst_idx *images = pst_allocate(1, sizeof *images, error);
    if (images == NULL)
        return PST_TRY_AGAIN;
    dataset->state = images;
    enum pst_status status = pst_idx_read(images, path, error);
    if (status != PST_OK)
        return status;
    if (images->rank < 2)
        return pst_fail(error, PST_BAD_DATA, "%s: one dimension at byte 3, so labels rather than images",
                        path);
    dataset->samples = images->shape[0];
    dataset->rank = images->rank - 1;
    memcpy(dataset->shape, images->shape + 1, dataset->rank * sizeof *dataset->shape);
    dataset->sample_bytes = (images->size - images->header) / dataset->samples;
    return PST_OK;
}

/* Turns bytes into labels and checks them against the number of classes, or finds that number. */
static enum pst_status convert_labels(struct pst_dataset *dataset, const struct pst_idx *file,
                                      const char *path, struct pst_error *error)
{
    int32_t *labels = pst_allocate(dataset->samples, sizeof *labels, error);
    if (labels == NULL)
        return PST_TRY_AGAIN;
    dataset->labels = labels;
    size_t largest = 0;
    for (size_t i = 0; i < dataset->samples; i++) {
        uint8_t label = file->content[file->header + i];
        if (dataset->classes > 0 && label >= dataset->classes)
            return pst_fail(error, PST_BAD_DATA,
                            "%s: label %u of sample %zu, at byte %zu: there are %zu classes", path, label, i,
                            file->header + i, dataset->classes);
        largest = label > largest ? label : largest;
        labels[i] = label;
    }
    if (dataset->classes == 0)
        dataset->classes = largest + 1;
    return PST_OK;
}

static enum pst_status check_labels(const struct pst_dataset *dataset, const struct pst_idx *labels,
                                    const char *images_path, const char *labels_path, struct pst_error *error)
{
    if (labels->rank != 1)
        return pst_fail(error, PST_BAD_DATA, "%s: %zu dimensions at byte 3; labels have one", labels_path,
                        labels->rank);
    if (labels->shape[0] != dataset->samples)
        return pst_fail(error, PST_BAD_DATA, "%s: %zu labels at byte 4, but %s has %zu samples", labels_path,
                        labels->shape[0], images_path, dataset->samples);
    return PST_OK;
}

/* The digest is of the content, so a file and its .gz are the same data. */
static void digest_both(struct pst_dataset *dataset, const struct pst_idx *labels)
{
    const struct pst_idx *images = dataset->state;
    char images_digest[PST_DIGEST_TEXT], labels_digest[PST_DIGEST_TEXT] = "";
    pst_digest(images->content, images->size, images_digest);
    if (labels->content != NULL)
        pst_digest(labels->content, labels->size, labels_digest);
    char text[2 * PST_DIGEST_TEXT + 2];
    int length = snprintf(text, sizeof text, "%s\n%s\n", images_digest, labels_digest);
    pst_digest(text, (size_t)length, dataset->digest);
}

/* Names the set after its images' file. */
static void name_after(struct pst_dataset *dataset, const char *path)
{
    const char *slash = strrchr(path, '/');
    snprintf(dataset->name, sizeof dataset->name, "%s", slash != NULL ? slash + 1 : path);
}

enum pst_status pst_dataset_open_idx(struct pst_dataset *dataset, const char *images_path,
                                     const char *labels_path, size_t classes, struct pst_error *error)
{
    *dataset = (struct pst_dataset){ .classes = classes, .get = get_sample, .free_state = free_images };
    name_after(dataset, images_path);
    struct pst_idx labels = { 0 };
    enum pst_status status = open_images(dataset, images_path, error);
    if (status == PST_OK && labels_path != NULL) {
        status = pst_idx_read(&labels, labels_path, error);
        if (status == PST_OK)
            status = check_labels(dataset, &labels, images_path, labels_path, error);
        if (status == PST_OK)
            status = convert_labels(dataset, &labels, labels_path, error);
    }
    if (status == PST_OK)
        digest_both(dataset, &labels);
    else
        pst_dataset_free(dataset);
    pst_idx_free(&labels);
    return status;
}
