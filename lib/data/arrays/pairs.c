/* Sets that are pairs of arrays, of samples and of their labels. */
#include "lib/data/arrays/pairs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The pair that holds a sample. */
static const struct pst_pair *pair_of(const struct pst_dataset *dataset, size_t index)
{
    const struct pst_pairs *own = dataset->own;
    size_t i = own->count - 1;
    while (own->pairs[i].first > index)
        i--;
    return &own->pairs[i];
}

/* Moves the last dimension to the front. places: elements of one channel. */
static void move_channels(const void *from, size_t places, size_t channels, size_t size, void *to)
{
    const uint8_t *of_place = from;
    uint8_t *next = to;
    for (size_t channel = 0; channel < channels; channel++)
        for (size_t i = 0; i < places; i++, next += size)
            for (size_t k = 0; k < size; k++)
                next[k] = of_place[(i * channels + channel) * size + k];
}

enum pst_status pst_pairs_get(const struct pst_dataset *dataset, size_t index, void *elements,
                              struct pst_error *error)
{
    const struct pst_pairs *own = dataset->own;
    const struct pst_pair *pair = pair_of(dataset, index);
    size_t count = pst_dataset_elements(dataset);
    void *to = own->channels > 1 ? own->sample : elements;
    enum pst_status status = pst_array_read(&pair->samples, (index - pair->first) * count, count, to, error);
    if (status == PST_OK && to != elements)
        move_channels(to, count / own->channels, own->channels, pst_element_size(dataset->element), elements);
    return status;
}

void pst_pairs_place(const struct pst_dataset *dataset, size_t index, char *text, size_t size)
{
    const struct pst_pair *pair = pair_of(dataset, index);
    snprintf(text, size, "%s, sample %zu", pair->samples_path, index - pair->first);
}

void pst_pairs_close(struct pst_dataset *dataset)
{
    struct pst_pairs *own = dataset->own;
    if (own == NULL)
        return;
    for (size_t i = 0; i < own->count; i++) {
        struct pst_pair *pair = &own->pairs[i];
        pst_array_free(&pair->samples);
        pst_array_free(&pair->labels);
        pst_array_free(&pair->weights);
        free(pair->samples_path);
        free(pair->labels_path);
        free(pair->weights_path);
    }
    free(own->pairs);
    free(own->sample);
    free(own);
}

/* ---- samples ----------------------------------------------------------------------------------------- */

/* The first pair settles what samples are. */
static enum pst_status describe_samples(struct pst_dataset *dataset, const struct pst_pair *pair,
                                        const struct pst_pairs_meaning *meaning, struct pst_error *error)
{
    struct pst_pairs *own = dataset->own;
    const char *slash = strrchr(pair->samples_path, '/');
    snprintf(dataset->name, sizeof dataset->name, "%s", slash != NULL ? slash + 1 : pair->samples_path);
    pst_make_plain(dataset->name);
    dataset->element = pair->samples.element;
    dataset->rank = pair->samples.rank > 1 ? pair->samples.rank - 1 : 1;
    dataset->shape[0] = 1; /* of samples that are one number */
    memcpy(dataset->shape, pair->samples.shape + 1, (pair->samples.rank - 1) * sizeof *dataset->shape);
    double usual = dataset->element == PST_ELEMENT_U8 && !pair->samples.boolean ? 1.0 / 255 : 1;
    dataset->scale = meaning->scale == 0 ? usual : meaning->scale;
    dataset->offset = meaning->offset;
    if (!meaning->channels_last)
        return PST_OK;
    if (dataset->rank < 2)
        return pst_fail(error, PST_USAGE,
                        "%s: its samples have one dimension; --channels-last is for two and more",
                        pair->samples_path);
    own->channels = dataset->shape[dataset->rank - 1];
    memmove(dataset->shape + 1, dataset->shape, (dataset->rank - 1) * sizeof *dataset->shape);
    dataset->shape[0] = own->channels;
    own->sample = pst_allocate(pst_dataset_elements(dataset), pst_element_size(dataset->element), error);
    return own->sample != NULL ? PST_OK : PST_TRY_AGAIN;
}

/* The type and shape of a sample, for a message: "f32 [28, 28]". */
static const char *kind_text(const struct pst_array *array, char text[static 128])
{
    size_t length =
        (size_t)snprintf(text, 128, "%s [", array->boolean ? "bool" : pst_element_name(array->element));
    for (size_t i = 1; i < array->rank && length < 128; i++)
        length += (size_t)snprintf(text + length, 128 - length, "%s%zu", i == 1 ? "" : ", ", array->shape[i]);
    if (length < 128)
        snprintf(text + length, 128 - length, "]");
    return text;
}

/* Whether two arrays hold samples, or labels, of one kind. what: which of them. */
static enum pst_status check_alike(const struct pst_array *array, const char *path,
                                   const struct pst_array *first, const char *first_path, const char *what,
                                   struct pst_error *error)
{
    char has[128], other[128];
    if (array->element == first->element && array->boolean == first->boolean && array->rank == first->rank &&
        memcmp(array->shape + 1, first->shape + 1, (array->rank - 1) * sizeof *array->shape) == 0)
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA, "%s: its %s have another type or shape than those of %s: %s, not %s",
                    path, what, first_path, kind_text(array, has), kind_text(first, other));
}

/* Checks a pair against the first, and its labels against its samples. */
static enum pst_status check_pair(const struct pst_pair *pair, const struct pst_pair *first,
                                  struct pst_error *error)
{
    enum pst_status status = check_alike(&pair->samples, pair->samples_path, &first->samples,
                                         first->samples_path, "samples", error);
    if (status != PST_OK)
        return status;
    if ((pair->labels_path == NULL) != (first->labels_path == NULL))
        return pst_fail(error, PST_USAGE, "%s has labels and %s has none: name all files of labels, or none",
                        pair->labels_path == NULL ? first->samples_path : pair->samples_path,
                        pair->labels_path == NULL ? pair->samples_path : first->samples_path);
    if (pair->labels_path == NULL)
        return PST_OK;
    status =
        check_alike(&pair->labels, pair->labels_path, &first->labels, first->labels_path, "labels", error);
    if (status == PST_OK && pair->labels.shape[0] != pair->samples.shape[0])
        return pst_fail(error, PST_BAD_DATA, "%s: %zu labels, but %s has %zu samples", pair->labels_path,
                        pair->labels.shape[0], pair->samples_path, pair->samples.shape[0]);
    return status;
}

/* ---- labels ------------------------------------------------------------------------------------------ */

/* Allocates labels or weights, within the memory that files may take. Returns NULL on failure. */
static void *take_room(struct pst_pairs *own, size_t samples, size_t bytes, struct pst_error *error)
{
    size_t size;
    if (!pst_multiply(samples, bytes, &size) || size > own->memory) {
        (void)pst_fail(error, PST_BAD_DATA,
                       "%s: labels take %zu bytes a sample, more in all than --max-memory leaves (%zu)",
                       own->pairs[0].samples_path, bytes, own->memory);
        return NULL;
    }
    own->memory -= size;
    return pst_allocate(samples, bytes, error);
}

static enum pst_status take_labels(struct pst_dataset *dataset, const struct pst_label_meaning *meaning,
                                   struct pst_error *error)
{
    struct pst_pairs *own = dataset->own;
    size_t largest = 0;
    enum pst_status status =
        pst_labels_describe(dataset, &own->pairs[0].labels, own->pairs[0].labels_path, meaning, error);
    if (status != PST_OK)
        return status;
    dataset->labels = take_room(own, dataset->samples, pst_dataset_label_bytes(dataset), error);
    if (dataset->labels == NULL)
        return error != NULL ? error->status : PST_BAD_DATA;
    for (size_t i = 0; i < own->count && status == PST_OK; i++)
        status = pst_labels_convert(dataset, &own->pairs[i].labels, own->pairs[i].labels_path, meaning,
                                    own->pairs[i].first, &largest, error);
    if (status != PST_OK || dataset->label_kind != PST_LABELS_CLASS)
        return status;
    dataset->classes = meaning->classes > 0 ? meaning->classes : largest + 1;
    return meaning->first_label == 0 ? PST_OK
                                     : pst_dataset_name_classes(dataset, meaning->first_label, error);
}

/* Refuses options about labels, because there are none. */
static enum pst_status check_unlabelled(const struct pst_label_meaning *meaning, struct pst_error *error)
{
    if (meaning->classes > 0 || meaning->first_label != 0)
        return pst_fail(error, PST_USAGE, "--classes and --first-label do nothing without labels");
    if (meaning->regression || meaning->one_hot)
        return pst_fail(error, PST_USAGE, "--regression and --one-hot do nothing without labels");
    return PST_OK;
}

/* Takes how much each sample counts, if the first pair has weights; then all pairs have them. */
static enum pst_status take_weights(struct pst_dataset *dataset, struct pst_error *error)
{
    struct pst_pairs *own = dataset->own;
    enum pst_status status = PST_OK;
    dataset->weights = take_room(own, dataset->samples, sizeof *dataset->weights, error);
    if (dataset->weights == NULL)
        return error != NULL ? error->status : PST_BAD_DATA;
    for (size_t i = 0; i < own->count && status == PST_OK; i++) {
        const struct pst_pair *pair = &own->pairs[i];
        if (pair->weights.shape[0] != pair->samples.shape[0] || pst_array_width(&pair->weights) != 1)
            return pst_fail(error, PST_BAD_DATA, "%s: it has not one weight for each of the %zu samples",
                            pair->weights_path, pair->samples.shape[0]);
        status =
            pst_weights_convert(dataset->weights + pair->first, &pair->weights, pair->weights_path, error);
    }
    return status;
}

/* ---- all of it --------------------------------------------------------------------------------------- */

/* The digest is over those of the arrays, so it does not depend on the files' names. */
static void digest_all(struct pst_dataset *dataset)
{
    const struct pst_pairs *own = dataset->own;
    struct pst_digest_state state;
    pst_digest_start(&state);
    for (size_t i = 0; i < own->count; i++) {
        const struct pst_pair *pair = &own->pairs[i];
        const struct pst_array *arrays[] = { &pair->samples, &pair->labels, &pair->weights };
        for (size_t k = 0; k < (pair->weights_path != NULL ? 3 : 2); k++) {
            pst_digest_add(&state, arrays[k]->digest, strlen(arrays[k]->digest));
            pst_digest_add(&state, "\n", 1);
        }
    }
    pst_digest_finish(&state, dataset->digest);
}

static enum pst_status read_pairs(struct pst_dataset *dataset, pst_pair_reader *read, const void *how,
                                  struct pst_error *error)
{
    struct pst_pairs *own = dataset->own;
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < own->count && status == PST_OK; i++) {
        struct pst_pair *pair = &own->pairs[i];
        status = read(pair, &own->memory, how, error);
        if (status == PST_OK)
            status = check_pair(pair, &own->pairs[0], error);
        pair->first = dataset->samples;
        dataset->samples += status == PST_OK ? pair->samples.shape[0] : 0;
    }
    return status;
}

enum pst_status pst_pairs_open(struct pst_dataset *dataset, pst_pair_reader *read, const void *how,
                               const struct pst_pairs_meaning *meaning, size_t max_memory,
                               struct pst_error *error)
{
    struct pst_pairs *own = dataset->own;
    own->memory = max_memory == 0 ? SIZE_MAX : max_memory;
    if (meaning->labels.first_label != floor(meaning->labels.first_label))
        return pst_fail(error, PST_USAGE, "--first-label: %g is not a whole number",
                        meaning->labels.first_label);
    enum pst_status status = read_pairs(dataset, read, how, error);
    if (status == PST_OK)
        status = describe_samples(dataset, &own->pairs[0], meaning, error);
    if (status == PST_OK)
        digest_all(dataset);
    if (status == PST_OK)
        status = own->pairs[0].labels_path != NULL ? take_labels(dataset, &meaning->labels, error)
                                                   : check_unlabelled(&meaning->labels, error);
    if (status == PST_OK && own->pairs[0].weights_path != NULL)
        status = take_weights(dataset, error);
    for (size_t i = 0; i < own->count; i++) {
        pst_array_free(&own->pairs[i].labels);
        pst_array_free(&own->pairs[i].weights);
    }
    return status;
}
