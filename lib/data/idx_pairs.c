/* Sets that are pairs of IDX files, of samples and of their labels. */
#include "lib/data/idx.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the pairs --------------------------------------------------------------------------------------- */

enum pst_status pst_idx_set_add(struct pst_idx_set *own, const char *images, const char *labels,
                                struct pst_error *error)
{
    struct pst_idx_pair *grown = realloc(own->pairs, (own->count + 1) * sizeof *grown);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the names of files");
    own->pairs = grown;
    struct pst_idx_pair *pair = &grown[own->count++];
    *pair = (struct pst_idx_pair){ .images_path = strdup(images),
                                   .labels_path = labels != NULL ? strdup(labels) : NULL };
    if (pair->images_path == NULL || (labels != NULL && pair->labels_path == NULL))
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the names of files");
    return PST_OK;
}

/* The pair that holds a sample. */
static const struct pst_idx_pair *pair_of(const struct pst_dataset *dataset, size_t index)
{
    const struct pst_idx_set *own = dataset->own;
    size_t i = own->count - 1;
    while (own->pairs[i].first > index)
        i--;
    return &own->pairs[i];
}

enum pst_status pst_idx_set_get(const struct pst_dataset *dataset, size_t index, void *elements,
                                struct pst_error *error)
{
    (void)error;
    const struct pst_idx_pair *pair = pair_of(dataset, index);
    size_t count = pst_dataset_elements(dataset);
    pst_idx_copy(&pair->images, (index - pair->first) * count, count, elements);
    return PST_OK;
}

void pst_idx_set_place(const struct pst_dataset *dataset, size_t index, char *text, size_t size)
{
    const struct pst_idx_pair *pair = pair_of(dataset, index);
    snprintf(text, size, "%s, sample %zu", pair->images_path, index - pair->first);
}

void pst_idx_set_close(struct pst_dataset *dataset)
{
    struct pst_idx_set *own = dataset->own;
    for (size_t i = 0; own != NULL && i < own->count; i++) {
        pst_idx_free(&own->pairs[i].images);
        pst_idx_free(&own->pairs[i].labels);
        free(own->pairs[i].images_path);
        free(own->pairs[i].labels_path);
    }
    if (own != NULL)
        free(own->pairs);
    free(own);
}

/* ---- samples ----------------------------------------------------------------------------------------- */

/* The first pair settles what samples are. */
static void describe_samples(struct pst_dataset *dataset, const struct pst_idx_pair *pair,
                             const struct pst_idx_meaning *meaning)
{
    const char *slash = strrchr(pair->images_path, '/');
    snprintf(dataset->name, sizeof dataset->name, "%s", slash != NULL ? slash + 1 : pair->images_path);
    pst_make_plain(dataset->name);
    dataset->element = pair->images.element;
    dataset->rank = pair->images.rank - 1;
    memcpy(dataset->shape, pair->images.shape + 1, dataset->rank * sizeof *dataset->shape);
    double usual = dataset->element == PST_ELEMENT_U8 ? 1.0 / 255 : 1;
    dataset->scale = meaning->scale == 0 ? usual : meaning->scale;
    dataset->offset = meaning->offset;
}

/* The type and shape of a sample, for a message: "f32 [28, 28]". */
static const char *kind_text(const struct pst_idx *idx, char text[static 128])
{
    static const char *const elements[] = {
        [PST_ELEMENT_U8] = "u8",   [PST_ELEMENT_I8] = "i8",   [PST_ELEMENT_I16] = "i16",
        [PST_ELEMENT_I32] = "i32", [PST_ELEMENT_F32] = "f32", [PST_ELEMENT_F64] = "f64"
    };
    size_t length = (size_t)snprintf(text, 128, "%s [", elements[idx->element]);
    for (size_t i = 1; i < idx->rank && length < 128; i++)
        length += (size_t)snprintf(text + length, 128 - length, "%s%zu", i == 1 ? "" : ", ", idx->shape[i]);
    if (length < 128)
        snprintf(text + length, 128 - length, "]");
    return text;
}

/* Whether two files hold samples, or labels, of one kind. what: which of them. */
static enum pst_status check_alike(const struct pst_idx *idx, const char *path, const struct pst_idx *first,
                                   const char *first_path, const char *what, struct pst_error *error)
{
    char has[128], other[128];
    if (idx->element == first->element && idx->rank == first->rank &&
        memcmp(idx->shape + 1, first->shape + 1, (idx->rank - 1) * sizeof *idx->shape) == 0)
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA, "%s: its %s have another type or shape than those of %s: %s, not %s",
                    path, what, first_path, kind_text(idx, has), kind_text(first, other));
}

static enum pst_status read_pair(struct pst_idx_set *own, struct pst_idx_pair *pair, struct pst_error *error)
{
    const struct pst_idx_pair *first = &own->pairs[0];
    enum pst_status status = pst_idx_read(&pair->images, pair->images_path, &own->memory, error);
    if (status == PST_OK && pair->images.rank < 2)
        return pst_fail(error, PST_BAD_DATA, "%s: one dimension at byte 3, so labels rather than images",
                        pair->images_path);
    if (status == PST_OK && pair->labels_path != NULL)
        status = pst_idx_read(&pair->labels, pair->labels_path, &own->memory, error);
    if (status != PST_OK)
        return status;
    status =
        check_alike(&pair->images, pair->images_path, &first->images, first->images_path, "samples", error);
    if (status != PST_OK)
        return status;
    if ((pair->labels_path == NULL) != (first->labels_path == NULL))
        return pst_fail(error, PST_USAGE, "%s has labels and %s has none: name all files of labels, or none",
                        pair->labels_path == NULL ? first->images_path : pair->images_path,
                        pair->labels_path == NULL ? pair->images_path : first->images_path);
    if (pair->labels_path == NULL)
        return PST_OK;
    status =
        check_alike(&pair->labels, pair->labels_path, &first->labels, first->labels_path, "labels", error);
    if (status != PST_OK)
        return status;
    if (pair->labels.shape[0] != pair->images.shape[0])
        return pst_fail(error, PST_BAD_DATA, "%s: %zu labels at byte 4, but %s has %zu samples",
                        pair->labels_path, pair->labels.shape[0], pair->images_path, pair->images.shape[0]);
    return PST_OK;
}

/* ---- labels ------------------------------------------------------------------------------------------ */

/* Whole numbers are classes, rows of bytes are bits, and fractions are numbers. */
static enum pst_status describe_labels(struct pst_dataset *dataset, const struct pst_idx_pair *pair,
                                       struct pst_error *error)
{
    const struct pst_idx *labels = &pair->labels;
    size_t width = labels->rank == 2 ? labels->shape[1] : 1;
    bool fractions = labels->element == PST_ELEMENT_F32 || labels->element == PST_ELEMENT_F64;
    if (labels->rank > 2)
        return pst_fail(error, PST_BAD_DATA, "%s: %zu dimensions at byte 3; labels have one or two",
                        pair->labels_path, labels->rank);
    if (!fractions && width > 1 && labels->element != PST_ELEMENT_U8)
        return pst_fail(error, PST_BAD_DATA,
                        "%s: rows of type %02x at byte 2; rows are numbers (0d, 0e) or bits (08)",
                        pair->labels_path, labels->content[2]);
    dataset->label_kind = fractions ? PST_LABELS_NUMBERS : width > 1 ? PST_LABELS_BITS : PST_LABELS_CLASS;
    dataset->label_width = labels->rank == 2 && dataset->label_kind != PST_LABELS_CLASS ? width : 0;
    return PST_OK;
}

/* A file of labels as it is turned into those of the set. */
struct conversion {
    struct pst_dataset *dataset;
    const struct pst_idx_meaning *meaning;
    const struct pst_idx_pair *pair;
    size_t width, largest;
};

static enum pst_status convert_class(struct conversion *conversion, double number, int32_t *class,
                                     struct pst_error *error)
{
    const struct pst_idx_meaning *meaning = conversion->meaning;
    enum pst_status status =
        pst_class_of_number(number, meaning->first_label, meaning->classes, class, error);
    if (status == PST_OK && (size_t) * class > conversion->largest)
        conversion->largest = (size_t) * class;
    return status;
}

/* Writes a label to its place among those of the set. */
static enum pst_status convert_label(struct conversion *conversion, size_t place, double number,
                                     struct pst_error *error)
{
    void *labels = conversion->dataset->labels;
    switch (conversion->dataset->label_kind) {
    case PST_LABELS_CLASS:
        return convert_class(conversion, number, (int32_t *)labels + place, error);
    case PST_LABELS_BITS:
        ((uint8_t *)labels)[place] = (uint8_t)number;
        return number <= 1 ? PST_OK : pst_fail(error, PST_BAD_DATA, "a bit is 0 or 1");
    default:
        ((float *)labels)[place] = (float)number;
        return isfinite((float)number)
                   ? PST_OK
                   : pst_fail(error, PST_BAD_DATA, "it is not a finite number of 32 bits");
    }
}

static enum pst_status convert_labels(struct conversion *conversion, struct pst_error *error)
{
    const struct pst_idx_pair *pair = conversion->pair;
    const struct pst_idx *labels = &pair->labels;
    size_t count = labels->shape[0] * conversion->width, before = pair->first * conversion->width;
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < count && status == PST_OK; i++) {
        double element; /* of whichever type; 8 bytes are enough */
        pst_idx_copy(labels, i, 1, &element);
        double number = pst_element_number(labels->element, &element, 0);
        status = convert_label(conversion, before + i, number, error);
        if (status != PST_OK && error != NULL)
            return pst_fail_at(error, "%s: label %g of sample %zu, at byte %zu", pair->labels_path, number,
                               i / conversion->width, labels->header + i * pst_element_size(labels->element));
    }
    return status;
}

static enum pst_status take_labels(struct pst_dataset *dataset, const struct pst_idx_meaning *meaning,
                                   struct pst_error *error)
{
    const struct pst_idx_set *own = dataset->own;
    enum pst_status status = describe_labels(dataset, &own->pairs[0], error);
    if (status != PST_OK)
        return status;
    if (dataset->label_kind != PST_LABELS_CLASS && (meaning->classes > 0 || meaning->first_label != 0))
        return pst_fail(
            error, PST_USAGE, "%s: its labels are %s, and --classes and --first-label are for classes",
            own->pairs[0].labels_path, dataset->label_kind == PST_LABELS_BITS ? "rows of bits" : "numbers");
    dataset->labels = pst_allocate(dataset->samples, pst_dataset_label_bytes(dataset), error);
    if (dataset->labels == NULL)
        return PST_TRY_AGAIN;
    struct conversion conversion = { .dataset = dataset,
                                     .meaning = meaning,
                                     .width = dataset->label_width > 0 ? dataset->label_width : 1 };
    for (size_t i = 0; i < own->count && status == PST_OK; i++) {
        conversion.pair = &own->pairs[i];
        status = convert_labels(&conversion, error);
    }
    if (status != PST_OK || dataset->label_kind != PST_LABELS_CLASS)
        return status;
    dataset->classes = meaning->classes > 0 ? meaning->classes : conversion.largest + 1;
    return meaning->first_label == 0 ? PST_OK
                                     : pst_dataset_name_classes(dataset, meaning->first_label, error);
}

/* ---- all of it --------------------------------------------------------------------------------------- */

/* The digest is of the content, so a file and its .gz are the same data. */
static enum pst_status digest_all(struct pst_dataset *dataset, struct pst_error *error)
{
    const struct pst_idx_set *own = dataset->own;
    char *text = pst_allocate(own->count, (size_t)2 * PST_DIGEST_TEXT + 2, error);
    size_t length = 0;
    if (text == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < own->count; i++) {
        const struct pst_idx *files[] = { &own->pairs[i].images, &own->pairs[i].labels };
        for (size_t k = 0; k < 2; k++) {
            if (files[k]->content != NULL)
                pst_digest(files[k]->content, files[k]->size, text + length);
            length = strlen(text);
            text[length++] = '\n';
        }
    }
    pst_digest(text, length, dataset->digest);
    free(text);
    return PST_OK;
}

enum pst_status pst_idx_set_open(struct pst_dataset *dataset, const struct pst_idx_meaning *meaning,
                                 size_t max_memory, struct pst_error *error)
{
    struct pst_idx_set *own = dataset->own;
    own->memory = max_memory == 0 ? SIZE_MAX : max_memory;
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < own->count && status == PST_OK; i++) {
        status = read_pair(own, &own->pairs[i], error);
        own->pairs[i].first = dataset->samples;
        dataset->samples += status == PST_OK ? own->pairs[i].images.shape[0] : 0;
    }
    if (status != PST_OK)
        return status;
    describe_samples(dataset, &own->pairs[0], meaning);
    status = digest_all(dataset, error);
    if (status == PST_OK && own->pairs[0].labels_path != NULL)
        status = take_labels(dataset, meaning, error);
    else if (status == PST_OK && (meaning->classes > 0 || meaning->first_label != 0))
        status = pst_fail(error, PST_USAGE, "--classes and --first-label do nothing without labels");
    for (size_t i = 0; i < own->count; i++)
        pst_idx_free(&own->pairs[i].labels);
    return status;
}
