/* Rows of tables: fields in the order of the columns, as the first row of the first file has them. */
#include "lib/data/csv/csv.h"

#include <math.h>
#include <string.h>

/* Keeps the first failure, because libcsv cannot be stopped from a callback. */
static void note(struct pst_csv *table, enum pst_status status)
{
    if (table->status == PST_OK)
        table->status = status;
}

/* ---- room ---------------------------------------------------------------------------------------------- */

static enum pst_status keep(struct pst_csv *table, size_t bytes, struct pst_error *error)
{
    table->kept += bytes;
    return table->kept <= table->memory
               ? PST_OK
               : pst_fail(error, PST_BAD_DATA, "the rows up to here take more than --max-memory, %zu bytes",
                          table->memory);
}

static enum pst_status grow_row(struct pst_csv *table, struct pst_error *error)
{
    size_t inputs = table->inputs * sizeof(union pst_csv_cell);
    size_t labels = table->labels * sizeof(union pst_csv_cell);
    enum pst_status status = keep(table, inputs + labels + 16, error);
    if (status == PST_OK)
        status = pst_csv_grow(&table->cells, table->rows * inputs, inputs, error);
    if (status == PST_OK && labels > 0)
        status = pst_csv_grow(&table->targets, table->rows * labels, labels, error);
    if (status == PST_OK && table->has_ids)
        status = pst_csv_grow(&table->ids, table->rows * sizeof(uint64_t), sizeof(uint64_t), error);
    if (status == PST_OK && table->has_weights)
        status = pst_csv_grow(&table->weights, table->rows * sizeof(float), sizeof(float), error);
    return status;
}

/* ---- where rows stand ---------------------------------------------------------------------------------- */

/* Keeps the line of a row, unless it is the line after that of the row before. */
static enum pst_status note_line(struct pst_csv *table, struct pst_error *error)
{
    bool begins = table->file[table->files - 1].first == table->rows;
    if (table->row_line != table->next_line || begins) {
        struct pst_csv_jump jump = { .row = table->rows, .line = table->row_line };
        enum pst_status status = keep(table, sizeof jump, error);
        if (status == PST_OK)
            status = pst_csv_grow(&table->jumps, table->jump_count * sizeof jump, sizeof jump, error);
        if (status != PST_OK)
            return status;
        ((struct pst_csv_jump *)table->jumps.data)[table->jump_count++] = jump;
    }
    table->next_line = table->row_line + 1;
    return PST_OK;
}

void pst_csv_place(const struct pst_csv *table, size_t row, char *text, size_t size)
{
    const struct pst_csv_jump *jumps = table->jumps.data;
    size_t file = table->files - 1, low = 0, high = table->jump_count;
    while (file > 0 && table->file[file].first > row)
        file--;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (jumps[middle].row <= row)
            low = middle;
        else
            high = middle;
    }
    snprintf(text, size, "%.300s, row %zu (line %zu)", table->file[file].path, row,
             jumps[low].line + row - jumps[low].row);
}

/* ---- fields -------------------------------------------------------------------------------------------- */

static enum pst_status store_id(struct pst_csv *table, const char *text, struct pst_error *error)
{
    uint64_t *ids = table->ids.data;
    return pst_parse_u64(text, 0, UINT64_MAX, &ids[table->rows])
               ? PST_OK
               : pst_fail(error, PST_BAD_DATA, "'%.60s' is not an id, a whole number from 0 to 2^64 - 1",
                          text);
}

static enum pst_status store_weight(struct pst_csv *table, const char *text, size_t size,
                                    struct pst_error *error)
{
    double weight;
    bool good = pst_csv_number(text, size, &weight) && weight >= 0 && isfinite((float)weight);
    if (!good)
        return pst_fail(error, PST_BAD_DATA, "'%.60s' is not a weight, a number from 0 on", text);
    ((float *)table->weights.data)[table->rows] = (float)weight;
    return PST_OK;
}

static enum pst_status store(struct pst_csv *table, struct pst_csv_column *column, const char *text,
                             size_t size, struct pst_error *error)
{
    switch (column->role) {
    case PST_CSV_INPUT:
        return pst_csv_store_input(table, column, text, size, error);
    case PST_CSV_LABEL:
        return pst_csv_store_label(table, column, text, size, error);
    case PST_CSV_ID:
        return store_id(table, text, error);
    case PST_CSV_WEIGHT:
        return store_weight(table, text, size, error);
    case PST_CSV_IGNORED:
        break;
    }
    return PST_OK;
}

/* Takes a field of a row whose columns are known. */
static enum pst_status take(struct pst_csv *table, const char *text, size_t size, struct pst_error *error)
{
    size_t at = table->field++;
    if (at >= table->columns)
        return PST_OK; /* the row's end says how many there were */
    enum pst_status status = at == 0 ? grow_row(table, error) : PST_OK;
    struct pst_csv_column *column = &table->column[at];
    if (status != PST_OK || column->role == PST_CSV_IGNORED)
        return status;
    status = store(table, column, text, size, error);
    return status == PST_BAD_DATA ? pst_fail_at(error, "column '%.60s'", pst_csv_name(table, column))
                                  : status;
}

static enum pst_status end_row(struct pst_csv *table, struct pst_error *error)
{
    if (table->field != table->columns)
        return pst_fail(error, PST_BAD_DATA, "it has %zu fields, but the first row has %zu", table->field,
                        table->columns);
    enum pst_status status = note_line(table, error);
    table->field = 0;
    table->rows++;
    return status;
}

/* ---- the first row ------------------------------------------------------------------------------------- */

static enum pst_status collect(struct pst_csv *table, const char *text, size_t size, struct pst_error *error)
{
    size_t used = table->collected_bytes, more = size + 1;
    if (++table->field > PST_CSV_MOST_COLUMNS)
        return pst_fail(error, PST_BAD_DATA, "it has more than %zu fields", PST_CSV_MOST_COLUMNS);
    if (used + more > table->memory)
        return keep(table, used + more, error);
    if (used + more > table->collected.capacity &&
        pst_buffer_reserve(&table->collected, 2 * (used + more), used, error) != PST_OK)
        return PST_TRY_AGAIN;
    memcpy((char *)table->collected.data + used, text, more);
    table->collected_bytes += more;
    return PST_OK;
}

/*
 * Whether the first row has names: if no field is a number, or if three or more are numbers that count up
 * from 0 or 1, as unnamed columns do. If all are numbers, they must count from 0. guessed: receives whether
 * all are, for a notice.
 */
static bool has_names(const struct pst_csv *table, bool *guessed)
{
    const char *text = table->collected.data;
    size_t numbers = 0;
    double first = 0, number;
    bool counts = true;
    for (size_t i = 0; i < table->field; i++, text += strlen(text) + 1) {
        if (!pst_csv_number(text, strlen(text), &number))
            continue;
        first = numbers == 0 ? number : first;
        counts = counts && number == first + (double)numbers;
        numbers++;
    }
    *guessed = numbers == table->field;
    return numbers == 0 || (numbers >= 3 && counts && (first == 0 || (first == 1 && !*guessed)));
}

/* Names the columns: as the first row says, or by their numbers. An empty name becomes the number. */
static enum pst_status name_columns(struct pst_csv *table, struct pst_error *error)
{
    const char *text = table->collected.data;
    table->unnamed = table->header && *text == '\0';
    for (size_t i = 0; i < table->field; i++, text += strlen(text) + 1) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i + 1);
        const char *name = table->header && *text != '\0' ? text : number;
        size_t size = strlen(name), before = pst_csv_find_text(&table->names, name, size);
        if (size > PST_CSV_MOST_TEXT || !pst_is_utf8(name))
            return pst_fail(error, PST_BAD_DATA, "the name of column %zu is not UTF-8 of at most %d bytes",
                            i + 1, PST_CSV_MOST_TEXT);
        if (before != PST_CSV_NOWHERE)
            return pst_fail(error, PST_BAD_DATA,
                            "columns %zu and %zu are both called '%.60s'; give each a "
                            "name of its own",
                            before + 1, i + 1, name);
        if (pst_csv_add_text(&table->names, name, size, error) != PST_OK)
            return PST_TRY_AGAIN;
    }
    table->columns = table->field;
    size_t each = sizeof *table->column + sizeof *table->given + 64;
    enum pst_status status = keep(table, table->columns * each + table->names.used, error);
    if (status == PST_OK)
        table->column = pst_allocate(table->columns, sizeof *table->column, error);
    return status != PST_OK ? status : table->column == NULL ? PST_TRY_AGAIN : PST_OK;
}

/* The files of a set have the same header. */
static enum pst_status compare_names(const struct pst_csv *table, struct pst_error *error)
{
    const char *text = table->collected.data;
    if (table->field != table->columns)
        return pst_fail(error, PST_BAD_DATA, "it has %zu columns, but %s has %zu", table->field,
                        table->file[0].path, table->columns);
    for (size_t i = 0; i < table->columns; i++, text += strlen(text) + 1) {
        const char *name = pst_csv_text(&table->names, i);
        if (*text != '\0' && strcmp(text, name) != 0)
            return pst_fail(error, PST_BAD_DATA, "column %zu is '%.60s', but '%.60s' in %s", i + 1, text,
                            name, table->file[0].path);
    }
    return PST_OK;
}

/* Gives the fields that were collected to the columns. */
static enum pst_status take_collected(struct pst_csv *table, struct pst_error *error)
{
    const char *text = table->collected.data;
    size_t count = table->field;
    enum pst_status status = PST_OK;
    table->field = 0;
    for (size_t i = 0; i < count && status == PST_OK; i++, text += strlen(text) + 1)
        status = take(table, text, strlen(text), error);
    return status == PST_OK ? end_row(table, error) : status;
}

static enum pst_status end_first_row(struct pst_csv *table, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    if (table->column == NULL) {
        int said = table->settings->header;
        bool guessed = false;
        table->header = said == PST_CSV_HEADER_AUTO ? has_names(table, &guessed) : said == PST_CSV_HEADER_YES;
        status = name_columns(table, error);
        if (status == PST_OK)
            status = pst_csv_choose_columns(table, error);
        if (guessed && table->header)
            snprintf(
                table->notice, sizeof table->notice,
                "the first row counts 0, 1, 2 and so is taken for names; --header no makes a sample of it");
    } else if (table->header) {
        status = compare_names(table, error);
    }
    table->first_row = status != PST_OK; /* on failure the message is about it */
    if (status == PST_OK && !table->header)
        status = take_collected(table, error);
    table->field = 0;
    return status;
}

/* ---- libcsv's callbacks ---------------------------------------------------------------------------------
 */

void pst_csv_take_field(void *text, size_t size, void *own)
{
    struct pst_csv *table = own;
    if (table->status != PST_OK)
        return;
    note(table,
         table->first_row ? collect(table, text, size, table->error) : take(table, text, size, table->error));
}

void pst_csv_end_row(int end, void *own)
{
    struct pst_csv *table = own;
    (void)end;
    if (table->status != PST_OK)
        return;
    note(table, table->first_row ? end_first_row(table, table->error) : end_row(table, table->error));
}
