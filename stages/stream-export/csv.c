/* CSV (RFC 4180, with Unix ends of lines) and TSV: a line of names, then a line a sample. */
#include "stages/stream-export/export.h"

#include <stdlib.h>
#include <string.h>

#define MOST_FIELDS ((size_t)1 << 20) /* in a line; more numbers are for formats of arrays */

/* An empty text is quoted, too, because most readers skip an empty line. */
static void write_csv(FILE *out, const char *text)
{
    bool quoted = text[0] == '\0' || strpbrk(text, ",\"\r\n") != NULL;
    if (!quoted) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void write_tsv(FILE *out, const char *text)
{
    static const char special[] = "\t\n\r\\", letters[] = "tnr\\";
    for (; *text != '\0'; text++) {
        const char *found = strchr(special, *text);
        if (found != NULL)
            fputc('\\', out);
        fputc(found != NULL ? letters[found - special] : *text, out);
    }
}

/* ---- the line of names --------------------------------------------------------------------------------- */

/* The name of one field, to be freed: NAME.PART, or the column's name for a single number without a name. */
static char *name_field(const struct column *column, size_t part)
{
    struct pst_text name;
    if (pst_text_open(&name) != NULL && column->parts != NULL)
        fprintf(name.out, "%s.%s", column->name, names_at(column->parts, part));
    else if (name.out != NULL && column->width > 1)
        fprintf(name.out, "%s.%zu", column->name, part);
    else if (name.out != NULL)
        fputs(column->name, name.out);
    return pst_text_close(&name);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names must differ, or readers confuse columns. Sorts names. */
static enum pst_status check_names(char **names, size_t count, struct pst_error *error)
{
    qsort(names, count, sizeof *names, compare_texts);
    for (size_t i = 1; i < count; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            return pst_fail(error, PST_BAD_DATA,
                            "two columns would be called '%.127s'; 'stream-select --rename' gives tensors "
                            "other names",
                            names[i]);
    return PST_OK;
}

static enum pst_status write_names(struct export *export, char **names, size_t count, struct pst_error *error)
{
    for (size_t i = 0; i < count; i++) {
        char *field = field_of(export, names[i]);
        if (field == NULL)
            return pst_fail(error, PST_TRY_AGAIN, "out of memory");
        output_write(&export->output, field, strlen(field));
        output_write(&export->output, i + 1 < count ? &export->format->separator : "\n", 1);
        free(field);
    }
    return PST_OK;
}

static enum pst_status make_names(const struct export *export, char **names, struct pst_error *error)
{
    size_t made = 0;
    for (size_t i = 0; i < export->count; i++)
        for (size_t part = 0; part < export->columns[i].width; part++)
            if ((names[made++] = name_field(&export->columns[i], part)) == NULL)
                return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    return PST_OK;
}

/* The number of fields in a line; 0 if there are too many. */
static size_t count_fields(const struct export *export)
{
    size_t count = 0;
    for (size_t i = 0; i < export->count; i++) {
        if (export->columns[i].width > MOST_FIELDS - count)
            return 0;
        count += export->columns[i].width;
    }
    return count;
}

static enum pst_status begin(struct export *export, struct pst_error *error)
{
    size_t count = count_fields(export);
    enum pst_status status = fields_make(export, error);
    if (status != PST_OK || export->no_header)
        return status;
    if (count == 0)
        return pst_fail(error, PST_BAD_DATA,
                        "a line would have more than %zu fields; jsonl, npy and npz hold arrays",
                        MOST_FIELDS);
    char **names = pst_allocate(2 * count, sizeof *names, error);
    if (names == NULL)
        return PST_TRY_AGAIN;
    status = make_names(export, names, error);
    memcpy(names + count, names, count * sizeof *names);
    if (status == PST_OK)
        status = check_names(names + count, count, error);
    if (status == PST_OK)
        status = write_names(export, names, count, error);
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return status;
}

/* ---- lines --------------------------------------------------------------------------------------------- */

/* Writes the fields of a column, and a separator behind each. */
static void write_fields(struct export *export, const struct column *column, size_t sample)
{
    struct output *output = &export->output;
    char separator = export->format->separator;
    bool finite;
    if (column->is_text) {
        field_write_class(export, ((const int32_t *)column->data)[sample]);
        output_write(output, &separator, 1);
        return;
    }
    for (size_t i = 0; i < column->width; i++) {
        char *at = output_room(output, PST_NUMBER_TEXT + 1);
        at += column_put(column, sample * column->width + i, at, &finite);
        *at++ = separator;
        output_used(output, at);
    }
}

static enum pst_status add(struct export *export, size_t n, struct pst_error *error)
{
    for (size_t sample = 0; sample < n; sample++) {
        for (size_t i = 0; i < export->count; i++)
            write_fields(export, &export->columns[i], sample);
        output_end_line(&export->output);
    }
    return output_flush(&export->output, error);
}

const struct format format_csv = {
    .separator = ',', .quote = "", .write_field = write_csv, .begin = begin, .add = add
};
const struct format format_tsv = {
    .separator = '\t', .quote = "", .write_field = write_tsv, .begin = begin, .add = add
};
