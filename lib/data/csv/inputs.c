/* Inputs of tables: fields become numbers and categories, and when all are read, columns for others. */
#include "lib/data/csv/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool pst_csv_is_missing(const struct pst_csv *table, const char *text, size_t size)
{
    const struct pst_csv_list *lists = &table->settings->missing_values;
    if (size == 0)
        return true;
    for (size_t i = 0; i < lists->count; i++)
        for (const char *at = lists->text[i]; *at != '\0';) {
            size_t length = strcspn(at, ",");
            if (length == size && memcmp(at, text, size) == 0)
                return true;
            at += length + (at[length] == ',');
        }
    return false;
}

/* ---- categories ---------------------------------------------------------------------------------------- */

enum pst_status pst_csv_categorise(struct pst_csv *table, struct pst_csv_column *column, const char *text,
                                   size_t size, size_t most, uint32_t *number, struct pst_error *error)
{
    struct pst_csv_texts *texts = &column->texts;
    size_t known = pst_csv_find_text(texts, text, size);
    *number = (uint32_t)known;
    if (known != PST_CSV_NOWHERE || column->listed)
        return PST_OK; /* UINT32_MAX if the model does not have it */
    if (size > PST_CSV_MOST_TEXT)
        return pst_fail(error, PST_BAD_DATA,
                        "a text of %zu bytes is too long for a category; --ignore leaves "
                        "the column out",
                        size);
    if (!pst_is_utf8(text))
        return pst_fail(error, PST_BAD_DATA, "'%.60s' is not UTF-8; iconv -f latin1 -t utf8 may help", text);
    if (texts->count == most)
        return pst_fail(error, PST_BAD_DATA,
                        "there are more than %zu different texts, so that it is rather a "
                        "name than a category; --ignore leaves the column out",
                        most);
    table->kept += size + 64;
    if (table->kept > table->memory)
        return pst_fail(error, PST_BAD_DATA, "the rows up to here take more than --max-memory, %zu bytes",
                        table->memory);
    *number = (uint32_t)texts->count;
    return pst_csv_add_text(texts, text, size, error);
}

/* "1,234" or "3,14": digits with commas, which would become a category without notice. */
static bool has_comma_digits(const char *text, size_t size)
{
    return memchr(text, ',', size) != NULL && strspn(text, "+-0123456789.,") == size &&
           strpbrk(text, "0123456789") != NULL;
}

/* ---- fields -------------------------------------------------------------------------------------------- */

static union pst_csv_cell *cell_of(const struct pst_csv *table, const struct pst_csv_column *column,
                                   size_t row)
{
    return (union pst_csv_cell *)table->cells.data + row * table->inputs + column->place;
}

static enum pst_status store_category(struct pst_csv *table, struct pst_csv_column *column, const char *text,
                                      size_t size, struct pst_error *error)
{
    uint32_t *number = &cell_of(table, column, table->rows)->category;
    enum pst_status status =
        pst_csv_categorise(table, column, text, size, PST_CSV_MOST_CATEGORIES, number, error);
    if (status != PST_OK || *number != UINT32_MAX || table->settings->zeros)
        return status;
    return pst_fail(error, PST_BAD_DATA,
                    "'%.60s' is no category of %s; '--unknown-category zeros' takes it as "
                    "none of them",
                    text, table->like->name);
}

/* A gap is filled when all rows are read, unless a model says what stands for it. */
static enum pst_status store_gap(struct pst_csv *table, struct pst_csv_column *column, const char *text,
                                 struct pst_error *error)
{
    union pst_csv_cell *cell = cell_of(table, column, table->rows);
    if (column->listed && column->kind == PST_CSV_CATEGORIES)
        return store_category(table, column, "", 0, error);
    if (column->listed ? isnan(column->missing) : !table->settings->mean)
        return pst_fail(error, PST_BAD_DATA, "a value is missing%s%.60s%s; %s", *text != '\0' ? ", '" : "",
                        text, *text != '\0' ? "'" : "",
                        column->listed ? "the model does not know what stands for one"
                                       : "'--missing mean' puts the column's mean there");
    column->gaps++;
    cell->category = PST_CSV_GAP;
    if (column->listed)
        cell->number = (float)column->missing;
    return PST_OK;
}

static enum pst_status store_number(struct pst_csv *table, struct pst_csv_column *column, const char *text,
                                    double number, struct pst_error *error)
{
    union pst_csv_cell *cell = cell_of(table, column, table->rows);
    if (column->kind == PST_CSV_TEXTS)
        return pst_fail(error, PST_BAD_DATA,
                        "'%.60s' is a number among texts; --categorical takes all of them "
                        "as categories",
                        text);
    column->kind = PST_CSV_NUMBERS;
    column->numbers++;
    column->sum += number;
    cell->number = (float)number;
    return isfinite(cell->number)
               ? PST_OK
               : pst_fail(error, PST_BAD_DATA, "'%.60s' is not a finite number of 32 bits", text);
}

static enum pst_status store_text(struct pst_csv *table, struct pst_csv_column *column, const char *text,
                                  size_t size, struct pst_error *error)
{
    if (column->kind != PST_CSV_CATEGORIES && has_comma_digits(text, size))
        return pst_fail(error, PST_BAD_DATA,
                        "'%.60s' is not a number: the decimal point is '.', and thousands "
                        "are not marked",
                        text);
    if (column->kind == PST_CSV_NUMBERS && column->listed)
        return pst_fail(error, PST_BAD_DATA, "'%.60s' is not a number, as the column has them in %s", text,
                        table->like->name);
    if (column->kind == PST_CSV_NUMBERS)
        return pst_fail(error, PST_BAD_DATA,
                        "'%.60s' is a text among numbers; --missing-values says that it "
                        "stands for a missing one, --categorical takes all of them as categories",
                        text);
    if (column->kind == PST_CSV_UNKNOWN)
        column->kind = PST_CSV_TEXTS;
    return store_category(table, column, text, size, error);
}

enum pst_status pst_csv_store_input(struct pst_csv *table, struct pst_csv_column *column, const char *text,
                                    size_t size, struct pst_error *error)
{
    double number = 0;
    bool is_number = column->kind != PST_CSV_CATEGORIES && pst_csv_number(text, size, &number);
    if ((!is_number || table->settings->missing_values.count > 0) && pst_csv_is_missing(table, text, size))
        return store_gap(table, column, text, error);
    return is_number ? store_number(table, column, text, number, error)
                     : store_text(table, column, text, size, error);
}

/* ---- when all rows are read ---------------------------------------------------------------------------- */

/* Gaps in numbers become the mean. Gaps in new rows later get the same number. */
static void finish_numbers(const struct pst_csv *table, struct pst_csv_column *column)
{
    if (column->listed)
        return;
    double mean = column->sum / (double)column->numbers;
    column->missing = table->settings->mean ? mean : (double)NAN;
    for (size_t row = 0; row < table->rows && column->gaps > 0; row++) {
        union pst_csv_cell *cell = cell_of(table, column, row);
        if (cell->category == PST_CSV_GAP)
            cell->number = (float)mean;
    }
}

/* Categories get their order, and gaps a category of their own. */
static enum pst_status finish_categories(const struct pst_csv *table, struct pst_csv_column *column,
                                         struct pst_column *given, struct pst_error *error)
{
    struct pst_csv_texts *texts = &column->texts;
    uint32_t gap = (uint32_t)texts->count, *places;
    if (column->gaps > 0 && pst_csv_add_text(texts, "", 0, error) != PST_OK)
        return PST_TRY_AGAIN;
    if (pst_csv_sort_texts(texts, false, &places, &given->category, error) != PST_OK)
        return PST_TRY_AGAIN;
    for (size_t row = 0; row < table->rows; row++) {
        uint32_t *cell = &cell_of(table, column, row)->category;
        *cell = places[*cell == PST_CSV_GAP ? gap : *cell];
    }
    free(places);
    return PST_OK;
}

static enum pst_status finish_column(const struct pst_csv *table, struct pst_csv_column *column,
                                     struct pst_error *error)
{
    struct pst_column *given = &table->given[column->place];
    enum pst_status status = PST_OK;
    if (column->kind == PST_CSV_UNKNOWN)
        return pst_fail(error, PST_BAD_DATA, "column '%.60s' has no value at all; --ignore leaves it out",
                        pst_csv_name(table, column));
    if (column->kind == PST_CSV_NUMBERS)
        finish_numbers(table, column);
    else if (!column->listed)
        status = finish_categories(table, column, given, error);
    else if ((given->category = pst_names_copy(table->like->column[column->place].category,
                                               column->texts.count, error)) == NULL)
        status = PST_TRY_AGAIN;
    given->categories = column->kind == PST_CSV_NUMBERS ? 0 : column->texts.count;
    given->missing = column->missing;
    return status;
}

/* The names of the inputs, in one block. */
static enum pst_status name_inputs(struct pst_csv *table, struct pst_error *error)
{
    const char **names = pst_allocate(table->inputs, sizeof *names, error);
    if (names == NULL)
        return PST_TRY_AGAIN;
    bool by_model = table->like != NULL && table->like->columns > 0;
    for (size_t i = 0; i < table->columns; i++)
        if (table->column[i].role == PST_CSV_INPUT)
            names[table->column[i].place] =
                by_model ? table->like->column[table->column[i].place].name : pst_csv_text(&table->names, i);
    table->given_names = pst_names_copy(names, table->inputs, error);
    free((void *)names);
    return table->given_names != NULL ? PST_OK : PST_TRY_AGAIN;
}

enum pst_status pst_csv_finish_inputs(struct pst_csv *table, size_t *elements, struct pst_error *error)
{
    table->given = pst_allocate(table->inputs, sizeof *table->given, error);
    enum pst_status status = table->given == NULL ? PST_TRY_AGAIN : name_inputs(table, error);
    *elements = 0;
    for (size_t i = 0; i < table->columns && status == PST_OK; i++)
        if (table->column[i].role == PST_CSV_INPUT)
            status = finish_column(table, &table->column[i], error);
    for (size_t i = 0; i < table->inputs && status == PST_OK; i++) {
        table->given[i].name = table->given_names[i];
        *elements += table->given[i].categories > 0 ? table->given[i].categories : 1;
    }
    if (status == PST_OK && *elements > PST_CSV_MOST_ELEMENTS)
        status = pst_fail(error, PST_BAD_DATA,
                          "numbers and categories of a row are %zu elements; at most %zu "
                          "are possible",
                          *elements, PST_CSV_MOST_ELEMENTS);
    return status;
}
