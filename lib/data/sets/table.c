/* The types of data sets, and what all sets have in common. A new type is a file of its own, which defines
 * pst_dataset_NAME, and a row here. */
#include "pipestill/data.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define ROWS(ROW) \
    ROW(digits)   \
    ROW(mnist)    \
    ROW(idx)      \
    ROW(npy)      \
    ROW(npz)      \
    ROW(csv)      \
    ROW(images)   \
    ROW(cifar10)  \
    ROW(cifar100) \
    ROW(speech)

#define DECLARE(name) extern const struct pst_dataset_type pst_dataset_##name;
#define ENTER(name) &pst_dataset_##name,

ROWS(DECLARE)

const struct pst_dataset_type *const pst_dataset_types[] = { ROWS(ENTER) NULL };

/* ---- which type is meant ----------------------------------------------------------------------------- */

/* The first bytes of a file, unpacked if it is gzip; 0 if it is no plain file, or cannot be read. */
static size_t read_start(const char *path, unsigned char *start, unsigned size)
{
    int fd, got = 0, code = Z_OK;
    enum pst_status status = pst_file_open(path, &fd, NULL);
    gzFile file = status == PST_OK ? gzdopen(fd, "rb") : NULL;
    if (file != NULL) {
        got = gzread(file, start, size);
        gzerror(file, &code);
        gzclose(file);
    } else if (status == PST_OK) {
        close(fd);
        status = PST_TRY_AGAIN;
    }
    if (status == PST_TRY_AGAIN || code == Z_MEM_ERROR)
        pst_mark_shortage(); /* otherwise the file would seem to be of no type */
    return got > 0 ? (size_t)got : 0;
}

/* The names of the table: "digits, mnist, idx". */
static void list_names(char *text, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; pst_dataset_types[i] != NULL && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%s", i == 0 ? "" : ", ",
                                   pst_dataset_types[i]->name);
}

/* The type of a file by the ending of its name, in front of ".gz"; NULL: none. */
static const struct pst_dataset_type *find_by_ending(const char *path)
{
    char padded[24];
    size_t length = strlen(path);
    if (length > 3 && strcmp(path + length - 3, ".gz") == 0)
        length -= 3;
    size_t from = length;
    while (from > 0 && path[from] != '.' && path[from - 1] != '/')
        from--;
    snprintf(padded, sizeof padded, " %.*s ", (int)(length - from), path + from);
    for (size_t i = 0; pst_dataset_types[i] != NULL && length - from > 1; i++)
        if (pst_dataset_types[i]->endings != NULL && strstr(pst_dataset_types[i]->endings, padded) != NULL)
            return pst_dataset_types[i];
    return NULL;
}

/* A word without a dot or a slash that is not a file is taken for the name of a set. */
static enum pst_status find_by_file(const char *path, const struct pst_dataset_type **type,
                                    struct pst_error *error)
{
    unsigned char start[PST_FILE_START];
    char names[256];
    struct stat status;
    list_names(names, sizeof names);
    if (stat(path, &status) != 0 && strpbrk(path, "./") == NULL)
        return pst_fail(error, PST_USAGE, "there is no set '%s', and no such file; there are the sets %s",
                        path, names);
    size_t size = read_start(path, start, sizeof start);
    bool folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    for (size_t i = 0; pst_dataset_types[i] != NULL; i++) {
        *type = pst_dataset_types[i];
        if (folder ? (*type)->takes_folders : (*type)->recognises != NULL && (*type)->recognises(start, size))
            return PST_OK;
    }
    if (stat(path, &status) != 0)
        return pst_fail(error, PST_NO_INPUT, "%s: there is no such file", path);
    *type = find_by_ending(path);
    if (*type != NULL && !folder)
        return PST_OK;
    const char *is = pst_wrong_file(PST_FOREIGN_FILE, start, size);
    return pst_fail(error, PST_USAGE, "%s is %s", path,
                    is != NULL ? is : "not a data set of a known kind; NAME:FILE names the kind");
}

enum pst_status pst_dataset_find(const char *text, const struct pst_dataset_type **type,
                                 const char **argument, struct pst_error *error)
{
    char names[256];
    list_names(names, sizeof names);
    if (text == NULL)
        return pst_fail(error, PST_USAGE, "which data? One of the sets %s, or a file", names);
    size_t length = strcspn(text, ":");
    *argument = text[length] == ':' ? text + length + 1 : NULL;
    for (size_t i = 0; pst_dataset_types[i] != NULL; i++) {
        *type = pst_dataset_types[i];
        if (strlen((*type)->name) == length && strncmp((*type)->name, text, length) == 0)
            return PST_OK;
    }
    *argument = text;
    return find_by_file(text, type, error);
}

/* ---- a set that is open ------------------------------------------------------------------------------ */

enum pst_status pst_dataset_open(struct pst_dataset *dataset, const struct pst_dataset_type *type,
                                 const struct pst_dataset_request *request, struct pst_error *error)
{
    *dataset = (struct pst_dataset){ .type = type, .scale = 1 };
    if (request->count > type->most_arguments)
        return pst_fail(error, PST_USAGE, "'%s' is one argument too many for %s",
                        request->arguments[type->most_arguments], type->name);
    if (request->test && !type->has_test_part)
        return pst_fail(error, PST_USAGE,
                        "%s has no test part of its own: load the files of the test samples", type->name);
    struct pst_dataset_request full = *request;
    void *zeros = pst_allocate(1, type->settings.size + 1, error);
    if (zeros == NULL)
        return PST_TRY_AGAIN;
    if (full.settings == NULL)
        full.settings = type->settings.defaults != NULL ? type->settings.defaults : zeros;
    enum pst_status status = type->open(dataset, &full, error);
    free(zeros);
    if (status == PST_OK && request->like != NULL)
        status = pst_dataset_compare(dataset, request->like, error);
    if (status != PST_OK)
        pst_dataset_close(dataset);
    return status;
}

void pst_dataset_close(struct pst_dataset *dataset)
{
    free(dataset->labels);
    free(dataset->ids);
    free(dataset->sequence);
    free((void *)dataset->class_names);
    free((void *)dataset->output_names);
    free(dataset->weights);
    pst_standard_free(&dataset->standard);
    pst_standard_free(&dataset->targets);
    if (dataset->type != NULL && dataset->type->close != NULL)
        dataset->type->close(dataset);
    *dataset = (struct pst_dataset){ 0 };
}

size_t pst_dataset_elements(const struct pst_dataset *dataset)
{
    size_t elements = 1;
    for (size_t i = 0; i < dataset->rank; i++)
        elements *= dataset->shape[i];
    return elements;
}

/* Each channel's numbers less their mean, divided by their deviation. Returns as pst_element_numbers. */
static size_t standardise(const struct pst_dataset *dataset, const struct pst_standard *standard,
                          const unsigned char *raw, size_t elements, float *numbers)
{
    size_t run = elements / standard->channels, size = pst_element_size(dataset->element);
    for (size_t i = 0; i < standard->channels; i++) {
        double deviation = standard->deviation[i];
        size_t good =
            pst_element_numbers(dataset->element, raw + i * run * size, run, dataset->scale / deviation,
                                (dataset->offset - standard->mean[i]) / deviation, numbers + i * run);
        if (good < run)
            return i * run + good;
    }
    return elements;
}

/* The sample itself, or one that is offset places away from it. */
static enum pst_status get(const struct pst_dataset *dataset, size_t index, ptrdiff_t offset, void *elements,
                           struct pst_error *error)
{
    return offset == 0 ? dataset->type->get(dataset, index, elements, error)
                       : dataset->type->near(dataset, index, offset, elements, error);
}

static enum pst_status read_numbers(const struct pst_dataset *dataset, size_t index, ptrdiff_t offset,
                                    const struct pst_standard *standard, void *x, void *raw,
                                    struct pst_error *error)
{
    enum pst_status status = get(dataset, index, offset, raw, error);
    if (status != PST_OK)
        return status;
    size_t elements = pst_dataset_elements(dataset);
    size_t wrong = standard != NULL ? standardise(dataset, standard, raw, elements, x)
                                    : pst_element_numbers(dataset->element, raw, elements, dataset->scale,
                                                          dataset->offset, x);
    return wrong == elements
               ? PST_OK
               : pst_fail(error, PST_BAD_DATA, "element %zu is not a finite number of 32 bits: %g", wrong,
                          pst_element_number(dataset->element, raw, wrong));
}

static enum pst_status read_near(const struct pst_dataset *dataset, size_t index, ptrdiff_t offset,
                                 const struct pst_standard *standard, void *x, void *raw,
                                 struct pst_error *error)
{
    bool bytes = dataset->element == PST_ELEMENT_U8;
    enum pst_status status = bytes ? get(dataset, index, offset, x, error)
                                   : read_numbers(dataset, index, offset, standard, x, raw, error);
    if (status == PST_OK || error == NULL)
        return status;
    char place[400];
    snprintf(place, sizeof place, "%s, sample %zu", dataset->name, index);
    if (dataset->type->place != NULL)
        dataset->type->place(dataset, index, place, sizeof place);
    return pst_fail_at(error, "%s", place);
}

enum pst_status pst_dataset_read(const struct pst_dataset *dataset, size_t index,
                                 const struct pst_standard *standard, void *x, void *raw,
                                 struct pst_error *error)
{
    return read_near(dataset, index, 0, standard, x, raw, error);
}

enum pst_status pst_dataset_read_spliced(const struct pst_dataset *dataset, size_t index, size_t before,
                                         size_t after, const struct pst_standard *standard, void *x,
                                         void *raw, struct pst_error *error)
{
    bool bytes = dataset->element == PST_ELEMENT_U8;
    size_t size = pst_dataset_elements(dataset) * (bytes ? 1 : sizeof(float));
    unsigned char *to = x;
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < before + 1 + after && status == PST_OK; i++, to += size)
        status = read_near(dataset, index, (ptrdiff_t)i - (ptrdiff_t)before, standard, to, raw, error);
    return status;
}

enum pst_status pst_dataset_plan(const struct pst_dataset *dataset, const struct pst_plan *plan,
                                 struct pst_error *error)
{
    return dataset->type->plan != NULL ? dataset->type->plan(dataset, plan, error) : PST_OK;
}

uint64_t pst_dataset_id(const struct pst_dataset *dataset, size_t index)
{
    return dataset->ids != NULL ? dataset->ids[index] : dataset->first_id + index;
}
