/* csv: tables in text with commas, tabs or semicolons between their fields. A row is a sample. */
#include "lib/data/csv/csv.h"

#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct pst_csv_settings, field)

static enum pst_status take_listed(void *place, const char *value, struct pst_error *error)
{
    struct pst_csv_list *list = place;
    const size_t most = sizeof list->text / sizeof *list->text;
    if (list->count == most || *value == '\0')
        return pst_fail(error, PST_USAGE,
                        *value == '\0' ? "it is empty"
                                       : "it is given too often; a list has "
                                         "commas between its names");
    list->text[list->count++] = value;
    return PST_OK;
}

static const char *const headers[] = { "auto", "yes", "no", NULL };
static const char *const gaps[] = { "error", "mean", NULL };
static const char *const unknown[] = { "error", "zeros", NULL };

static const struct pst_option options[] = {
    { 0, "label", PST_LIST, AT(label), "columns that are labels, by name or by number from 1",
      .metavar = "LIST", .take = take_listed },
    PST_REGRESSION_OPTION(AT(regression)),
    { 0, "ignore", PST_LIST, AT(ignore), "columns to leave out", .metavar = "LIST", .take = take_listed },
    { 0, "id", PST_STRING, AT(id), "the column of ids; otherwise rows are counted from 0",
      .metavar = "COLUMN" },
    PST_WEIGHT_OPTION(AT(weight)),
    { 0, "categorical", PST_LIST, AT(categorical),
      "columns whose values are categories even if they are numbers", .metavar = "LIST",
      .take = take_listed },
    { 0, "missing", PST_CHOICE, AT(mean),
      "what to do with a missing value: refuse it, or put the column's mean there", .choices = gaps },
    { 0, "missing-values", PST_LIST, AT(missing_values),
      "words that also mean a missing value, as an empty field does", .metavar = "LIST",
      .take = take_listed },
    { 0, "unknown-category", PST_CHOICE, AT(zeros), "what to do with a category that a model does not know",
      .choices = unknown },
    { 0, "strip-label", PST_STRING, AT(strip_label), "remove this text from the end of labels",
      .metavar = "TEXT" },
    { 0, "header", PST_CHOICE, AT(header), "whether the first row has the columns' names",
      .choices = headers },
    { 0, "delimiter", PST_STRING, AT(delimiter),
      "comma, tab, semicolon, space or a character; otherwise the first line decides", .metavar = "WORD" },
    { 0 },
};

static enum pst_status find_delimiter(const char *text, char *delimiter, struct pst_error *error)
{
    static const struct {
        const char *name;
        char is;
    } names[] = { { "comma", ',' }, { "tab", '\t' }, { "semicolon", ';' }, { "space", ' ' } };
    for (size_t i = 0; text != NULL && i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i].name) == 0) {
            *delimiter = names[i].is;
            return PST_OK;
        }
    if (text != NULL && (strlen(text) != 1 || strchr("\"\r\n", *text) != NULL))
        return pst_fail(error, PST_USAGE,
                        "--delimiter: '%s' is not comma, tab, semicolon, space, or one "
                        "character",
                        text);
    *delimiter = text != NULL ? *text : '\0';
    return PST_OK;
}

/* Reads the files, one behind another. digests: receives that of each, a line each. */
static enum pst_status read_files(struct pst_csv *own, const struct pst_dataset_request *request,
                                  char (*digests)[PST_DIGEST_TEXT], struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < request->count && status == PST_OK; i++) {
        char *path = strdup(request->arguments[i]);
        if (path == NULL)
            return pst_fail(error, PST_TRY_AGAIN, "out of memory for a name");
        own->file[own->files++] = (struct pst_csv_file){ .path = path, .first = own->rows };
        status = pst_csv_read(own, path, digests[i], error);
        digests[i][PST_DIGEST_TEXT - 1] = '\n';
    }
    return status != PST_OK || own->rows > 0
               ? status
               : pst_fail(error, PST_BAD_DATA, "%s: there is no row in it", own->file[0].path);
}

/* The digest of one file, or of the lines of digests of several. */
static void sum_up(struct pst_dataset *dataset, char (*digests)[PST_DIGEST_TEXT], size_t count)
{
    digests[0][PST_DIGEST_TEXT - 1] = count == 1 ? '\0' : '\n';
    if (count == 1)
        memcpy(dataset->digest, digests[0], PST_DIGEST_TEXT);
    else
        pst_digest(digests, count * PST_DIGEST_TEXT, dataset->digest);
}

static enum pst_status finish(struct pst_csv *own, struct pst_dataset *dataset, struct pst_error *error)
{
    size_t elements;
    enum pst_status status = pst_csv_finish_inputs(own, &elements, error);
    if (status == PST_OK)
        status = pst_csv_finish_labels(own, dataset, error);
    if (status != PST_OK)
        return pst_fail_at(error, "%s", own->file[0].path);
    const char *path = own->file[0].path, *slash = strrchr(path, '/');
    snprintf(dataset->name, sizeof dataset->name, "%s", slash != NULL ? slash + 1 : path);
    memcpy(dataset->notice, own->notice, sizeof own->notice);
    dataset->samples = own->rows;
    dataset->element = PST_ELEMENT_F32;
    dataset->rank = 1;
    dataset->shape[0] = elements;
    dataset->columns = own->inputs;
    dataset->column = own->given;
    return PST_OK;
}

static enum pst_status open_csv(struct pst_dataset *dataset, const struct pst_dataset_request *request,
                                struct pst_error *error)
{
    if (request->count == 0)
        return pst_fail(error, PST_USAGE, "which file? csv:FILE");
    struct pst_csv *own = dataset->own = pst_allocate(1, sizeof *own, error);
    char(*digests)[PST_DIGEST_TEXT] = pst_allocate(request->count, sizeof *digests, error);
    enum pst_status status = PST_TRY_AGAIN;
    if (own != NULL)
        own->file = pst_allocate(request->count, sizeof *own->file, error);
    if (own != NULL && digests != NULL && own->file != NULL) {
        own->settings = request->settings;
        own->like = request->like;
        own->regression = own->settings->regression;
        own->memory = request->max_memory > 0 ? request->max_memory : SIZE_MAX;
        status = find_delimiter(own->settings->delimiter, &own->delimiter, error);
        if (status == PST_OK)
            status = read_files(own, request, digests, error);
        if (status == PST_OK)
            status = finish(own, dataset, error);
        if (status == PST_OK)
            sum_up(dataset, digests, request->count);
    }
    free(digests);
    return status;
}

static enum pst_status get_row(const struct pst_dataset *dataset, size_t index, void *elements,
                               struct pst_error *error)
{
    const struct pst_csv *own = dataset->own;
    const union pst_csv_cell *cells = (const union pst_csv_cell *)own->cells.data + index * own->inputs;
    float *element = elements;
    (void)error;
    for (size_t i = 0; i < own->inputs; i++) {
        size_t categories = own->given[i].categories;
        if (categories == 0) {
            *element++ = cells[i].number;
            continue;
        }
        memset(element, 0, categories * sizeof *element);
        if (cells[i].category != PST_CSV_GAP)
            element[cells[i].category] = 1;
        element += categories;
    }
    return PST_OK;
}

static void place_row(const struct pst_dataset *dataset, size_t index, char *text, size_t size)
{
    pst_csv_place(dataset->own, index, text, size);
}

static void close_csv(struct pst_dataset *dataset)
{
    struct pst_csv *own = dataset->own;
    if (own == NULL)
        return;
    for (size_t i = 0; i < own->files; i++)
        free(own->file[i].path);
    for (size_t i = 0; own->column != NULL && i < own->columns; i++)
        pst_csv_free_texts(&own->column[i].texts);
    for (size_t i = 0; own->given != NULL && i < own->inputs; i++)
        free((void *)own->given[i].category);
    struct pst_buffer *buffers[] = { &own->jumps, &own->cells,   &own->targets,
                                     &own->ids,   &own->weights, &own->collected };
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        pst_buffer_free(buffers[i]);
    pst_csv_free_texts(&own->names);
    free(own->file);
    free(own->column);
    free(own->given);
    free((void *)own->given_names);
    free(own);
}

const struct pst_dataset_type pst_dataset_csv = {
    .name = "csv",
    .help = "tables in text (CSV, TSV), plain or .gz; a row is a sample",
    .arguments = "FILE",
    .most_arguments = 4096,
    .settings = { options, sizeof(struct pst_csv_settings), NULL },
    .recognises = pst_csv_recognises,
    .endings = " .csv .tsv ",
    .open = open_csv,
    .get = get_row,
    .place = place_row,
    .close = close_csv,
};
