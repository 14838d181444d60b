/*
 * cifar10, cifar100: CIFAR-10 and CIFAR-100 (Krizhevsky 2009, "Learning multiple layers of features from tiny
 * images") in their published binary form: records of one label, or of a coarse and a fine one, and 32 by 32
 * pixels in three planes. CIFAR-100 may also be a tar file of PNG pictures.
 */
#include "lib/data/pictures/image_set.h"
#include "lib/data/places.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIXELS ((size_t)3 * 32 * 32)
#define MOST_FILES 5
#define TRAINING_SAMPLES 50000 /* ids of the test part follow */
#define MOST_NAMES 8192        /* bytes of a file of names */

struct settings {
    bool coarse;
    size_t decoders;
};

/* What is published of one of the two sets. */
struct published {
    size_t labels; /* bytes before the pixels */
    const char *train[MOST_FILES + 1], *test[2];
    const char *names[2]; /* files with the classes' names: of the last label, and of the coarse one */
    size_t classes[2];    /* how many there are */
    const char *pictures; /* a tar file that may replace it; NULL: none */
    struct pst_places places;
};

struct cifar {
    const struct published *published;
    bool test;
    char folder[PATH_MAX];
    char pictures[PATH_MAX]; /* the tar file; "": the binary form was found */
    uint8_t *records;
    size_t per_file[MOST_FILES];
    struct pst_image_set images;
};

/* ---- finding ------------------------------------------------------------------------------------------- */

static bool join(char path[PATH_MAX], const char *folder, const char *name)
{
    return snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

/* Whether the files of the part are in a folder, or in a folder of their usual name below it. */
static bool is_in(const char *folder, void *found)
{
    struct cifar *own = found;
    const struct published *published = own->published;
    const char *first = own->test ? published->test[0] : published->train[0];
    const char *const below[] = { "", strrchr(published->places.usual[0], '/') };
    char path[PATH_MAX];
    own->pictures[0] = '\0';
    for (size_t i = 0; i < 2; i++)
        if (snprintf(own->folder, sizeof own->folder, "%s%s", folder, below[i]) < PATH_MAX &&
            join(path, own->folder, first) && access(path, F_OK) == 0)
            return true;
    if (published->pictures == NULL || !join(path, folder, published->pictures) || access(path, F_OK) != 0)
        return false;
    strcpy(own->pictures, path);
    return true;
}

/* ---- reading ------------------------------------------------------------------------------------------- */

/* Makes room for the records of a file behind those that are there. size: of the file. */
static enum pst_status make_room(struct cifar *own, size_t samples, size_t size, size_t memory,
                                 struct pst_error *error)
{
    size_t record = own->published->labels + PIXELS, used = samples * record;
    if (size == 0 || size % record != 0)
        return pst_fail(error, PST_BAD_DATA, "%zu bytes are not whole records of %zu", size, record);
    if (size / record > TRAINING_SAMPLES - samples)
        return pst_fail(error, PST_BAD_DATA, "with it there are more than %d samples", TRAINING_SAMPLES);
    if (used + size > memory)
        return pst_fail(error, PST_BAD_DATA, "it has %zu bytes, more than --max-memory leaves (%zu)", size,
                        memory - used);
    uint8_t *grown = realloc(own->records, used + size);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for %zu bytes", used + size);
    own->records = grown;
    return PST_OK;
}

/* Reads a file behind the records that are there. samples: how many. added: receives how many come. */
static enum pst_status read_file(struct cifar *own, const char *path, size_t samples, size_t memory,
                                 size_t *added, struct pst_error *error)
{
    size_t record = own->published->labels + PIXELS;
    struct stat status;
    int fd;
    enum pst_status result = pst_file_open(path, &fd, error);
    if (result != PST_OK)
        return result;
    FILE *file = fdopen(fd, "rb");
    if (file == NULL) {
        close(fd);
        return pst_fail(error, PST_TRY_AGAIN, "%s: out of memory", path);
    }
    size_t size = fstat(fd, &status) == 0 ? (size_t)status.st_size : 0;
    *added = size / record;
    result = make_room(own, samples, size, memory, error);
    if (result == PST_OK && fread(own->records + samples * record, 1, size, file) != size)
        result = pst_fail(error, PST_IO_ERROR, "it cannot be read to its end");
    fclose(file);
    return result == PST_OK ? PST_OK : pst_fail_at(error, "%s", path);
}

/* Reads all files of the part; the digest is over a line for each, its SHA-256. */
static enum pst_status read_files(struct pst_dataset *dataset, size_t memory, struct pst_error *error)
{
    struct cifar *own = dataset->own;
    const struct published *published = own->published;
    const char *const *names = own->test ? published->test : published->train;
    size_t record = published->labels + PIXELS;
    char digests[MOST_FILES * PST_DIGEST_TEXT] = "", path[PATH_MAX];
    enum pst_status status = PST_OK;
    for (size_t i = 0; names[i] != NULL && status == PST_OK; i++) {
        if (!join(path, own->folder, names[i]))
            return pst_fail(error, PST_NO_INPUT, "the folder's name is too long");
        status = read_file(own, path, dataset->samples, memory, &own->per_file[i], error);
        if (status != PST_OK)
            return status;
        char *line = digests + i * PST_DIGEST_TEXT;
        pst_digest(own->records + dataset->samples * record, own->per_file[i] * record, line);
        line[PST_DIGEST_TEXT - 1] = '\n';
        dataset->samples += own->per_file[i];
        pst_digest(digests, (i + 1) * PST_DIGEST_TEXT, dataset->digest);
    }
    return status;
}

static void place_record(const struct cifar *own, size_t index, char *text, size_t size)
{
    const char *const *names = own->test ? own->published->test : own->published->train;
    size_t file = 0;
    while (index >= own->per_file[file])
        index -= own->per_file[file++];
    snprintf(text, size, "%.300s/%s, sample %zu", own->folder, names[file], index);
}

static enum pst_status take_labels(struct pst_dataset *dataset, bool coarse, struct pst_error *error)
{
    const struct cifar *own = dataset->own;
    size_t record = own->published->labels + PIXELS, place = coarse ? 0 : own->published->labels - 1;
    int32_t *labels = dataset->labels = pst_allocate(dataset->samples, sizeof *labels, error);
    dataset->label_kind = PST_LABELS_CLASS;
    dataset->classes = own->published->classes[coarse];
    for (size_t i = 0; i < dataset->samples && labels != NULL; i++) {
        labels[i] = own->records[i * record + place];
        if ((size_t)labels[i] < dataset->classes)
            continue;
        char text[400];
        place_record(own, i, text, sizeof text);
        return pst_fail(error, PST_BAD_DATA, "%s: label %d, but there are %zu classes", text, labels[i],
                        dataset->classes);
    }
    return labels == NULL ? PST_TRY_AGAIN : PST_OK;
}

/* Takes the names of classes, a line each, out of a text. */
static enum pst_status split_names(struct pst_dataset *dataset, char *text, const char *path,
                                   struct pst_error *error)
{
    const char *names[100];
    size_t count = 0;
    char *rest = NULL;
    if (!pst_is_utf8(text))
        return pst_fail(error, PST_BAD_DATA, "%s: is not UTF-8", path);
    for (char *line = strtok_r(text, "\r\n", &rest); line != NULL; line = strtok_r(NULL, "\r\n", &rest)) {
        if (count < dataset->classes)
            names[count] = line;
        count++;
    }
    if (count != dataset->classes)
        return pst_fail(error, PST_BAD_DATA, "%s: %zu names, but there are %zu classes", path, count,
                        dataset->classes);
    dataset->class_names = pst_names_copy(names, count, error);
    return dataset->class_names == NULL ? PST_TRY_AGAIN : PST_OK;
}

/* Without the file classes have no names. */
static enum pst_status name_classes(struct pst_dataset *dataset, bool coarse, struct pst_error *error)
{
    const struct cifar *own = dataset->own;
    char path[PATH_MAX], text[MOST_NAMES + 1];
    int fd;
    if (!join(path, own->folder, own->published->names[coarse]) || access(path, F_OK) != 0)
        return PST_OK;
    enum pst_status status = pst_file_open(path, &fd, error);
    if (status != PST_OK)
        return status;
    ssize_t size = read(fd, text, sizeof text);
    close(fd);
    if (size < 0)
        return pst_fail(error, PST_IO_ERROR, "%s: cannot be read: %s", path, strerror(errno));
    text[size < MOST_NAMES ? size : MOST_NAMES] = '\0';
    return split_names(dataset, text, path, error);
}

/* ---- the types ----------------------------------------------------------------------------------------- */

static enum pst_status open_records(struct pst_dataset *dataset, const struct pst_dataset_request *request,
                                    bool coarse, struct pst_error *error)
{
    const struct cifar *own = dataset->own;
    size_t memory = request->max_memory == 0 ? SIZE_MAX : request->max_memory;
    enum pst_status status = read_files(dataset, memory, error);
    if (status == PST_OK)
        status = take_labels(dataset, coarse, error);
    if (status == PST_OK)
        status = name_classes(dataset, coarse, error);
    dataset->first_id = own->test ? TRAINING_SAMPLES : 0;
    dataset->element = PST_ELEMENT_U8;
    dataset->scale = 1.0 / 255;
    dataset->rank = 3;
    memcpy(dataset->shape, (const size_t[]){ 3, 32, 32 }, 3 * sizeof *dataset->shape);
    return status;
}

static enum pst_status open_pictures(struct pst_dataset *dataset, const struct pst_dataset_request *request,
                                     const struct settings *settings, struct pst_error *error)
{
    struct cifar *own = dataset->own;
    if (settings->coarse)
        return pst_fail(error, PST_USAGE,
                        "--coarse: %s knows the fine classes only; train.bin and test.bin "
                        "know both",
                        own->pictures);
    return pst_image_set_open(&own->images, dataset, own->pictures,
                              &(struct pst_image_settings){ .decoders = settings->decoders }, request, error);
}

static enum pst_status open_published(struct pst_dataset *dataset, const struct pst_dataset_request *request,
                                      const struct published *published, const struct settings *settings,
                                      struct pst_error *error)
{
    struct cifar *own = dataset->own = pst_allocate(1, sizeof *own, error);
    if (own == NULL)
        return PST_TRY_AGAIN;
    own->published = published;
    own->test = request->test;
    enum pst_status status =
        pst_find_place(&published->places, request->count > 0 ? request->arguments[0] : NULL, own, error);
    if (status == PST_OK)
        status = own->pictures[0] != '\0' ? open_pictures(dataset, request, settings, error)
                                          : open_records(dataset, request, settings->coarse, error);
    snprintf(dataset->name, sizeof dataset->name, "%s", dataset->type->name);
    return status;
}

static enum pst_status get_sample(const struct pst_dataset *dataset, size_t index, void *elements,
                                  struct pst_error *error)
{
    struct cifar *own = dataset->own;
    if (own->pictures[0] != '\0')
        return pst_image_set_get(&own->images, index, elements, error);
    size_t labels = own->published->labels;
    memcpy(elements, own->records + index * (labels + PIXELS) + labels, PIXELS);
    return PST_OK;
}

static enum pst_status plan_samples(const struct pst_dataset *dataset, const struct pst_plan *plan,
                                    struct pst_error *error)
{
    struct cifar *own = dataset->own;
    return own->pictures[0] != '\0' ? pst_image_set_plan(&own->images, plan->samples, plan->count, error)
                                    : PST_OK;
}

static void place_sample(const struct pst_dataset *dataset, size_t index, char *text, size_t size)
{
    const struct cifar *own = dataset->own;
    if (own->pictures[0] != '\0')
        pst_image_set_place(&own->images, index, text, size);
    else
        place_record(own, index, text, size);
}

static void close_cifar(struct pst_dataset *dataset)
{
    struct cifar *own = dataset->own;
    if (own == NULL)
        return;
    pst_image_set_close(&own->images);
    free(own->records);
    free(own);
}

static const char *const places_10[] = {
    "data/cifar-10-batches-bin", "data/cifar10",       "data", "~/.local/share/cifar10",
    "/usr/local/share/cifar10",  "/usr/share/cifar10", NULL
};
static const char *const places_100[] = {
    "data/cifar-100-binary",     "data/cifar100",       "data", "~/.local/share/cifar100",
    "/usr/local/share/cifar100", "/usr/share/cifar100", NULL
};

static enum pst_status open_cifar10(struct pst_dataset *dataset, const struct pst_dataset_request *request,
                                    struct pst_error *error)
{
    static const struct published published = {
        .labels = 1,
        .train = { "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                   "data_batch_5.bin" },
        .test = { "test_batch.bin" },
        .names = { "batches.meta.txt" },
        .classes = { 10 },
        .places = { "CIFAR-10", "CIFAR10_DIR", places_10,
                    "data_batch_1.bin to data_batch_5.bin and "
                    "test_batch.bin",
                    " or in cifar-10-batches-bin below", is_in },
    };
    return open_published(dataset, request, &published, &(const struct settings){ 0 }, error);
}

static enum pst_status open_cifar100(struct pst_dataset *dataset, const struct pst_dataset_request *request,
                                     struct pst_error *error)
{
    static const struct published published = {
        .labels = 2,
        .train = { "train.bin" },
        .test = { "test.bin" },
        .names = { "fine_label_names.txt", "coarse_label_names.txt" },
        .classes = { 100, 20 },
        .pictures = "cifar-100-png.tar.gz",
        .places = { "CIFAR-100", "CIFAR100_DIR", places_100,
                    "train.bin and test.bin (or cifar-100-png.tar.gz)", " or in cifar-100-binary below",
                    is_in },
    };
    return open_published(dataset, request, &published, request->settings, error);
}

static const struct pst_option options_100[] = {
    { 0, "coarse", PST_FLAG, offsetof(struct settings, coarse),
      "labels of cifar100 are its 20 coarse classes, not the 100 fine ones" },
    PST_DECODERS_OPTION(offsetof(struct settings, decoders)),
    { 0 },
};

const struct pst_dataset_type pst_dataset_cifar10 = {
    .name = "cifar10",
    .help = "colour pictures of 10 classes, from $CIFAR10_DIR or one of the usual places",
    .arguments = "FOLDER",
    .most_arguments = 1,
    .has_test_part = true,
    .open = open_cifar10,
    .get = get_sample,
    .place = place_sample,
    .close = close_cifar,
};

const struct pst_dataset_type pst_dataset_cifar100 = {
    .name = "cifar100",
    .help = "colour pictures of 100 classes, from $CIFAR100_DIR or one of the usual places",
    .arguments = "FOLDER",
    .most_arguments = 1,
    .has_test_part = true,
    .settings = { options_100, sizeof(struct settings), NULL },
    .open = open_cifar100,
    .get = get_sample,
    .plan = plan_samples,
    .place = place_sample,
    .close = close_cifar,
};
