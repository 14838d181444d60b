/* The table: read from a stream, and divided into columns of numbers and of categories. */
#include "stages/munge/munge.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- columns ------------------------------------------------------------------------------------------- */

/* Finds the middle between a category's 0 and its 1, also if the elements were standardised. */
static enum pst_status find_ones(struct table *table, const json_t *inputs, struct pst_error *error)
{
    const json_t *mean = json_object_get(inputs, "mean"), *deviation = json_object_get(inputs, "deviation");
    table->ones = pst_allocate(table->width, sizeof *table->ones, error);
    if (table->ones == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < table->width; i++) {
        double of = json_number_value(json_array_get(mean, i));
        table->ones[i] = json_array_size(mean) == table->width
                             ? (float)((0.5 - of) / json_number_value(json_array_get(deviation, i)))
                             : 0.5F;
    }
    return PST_OK;
}

/* Finds the columns in the header; without them each element is a number. */
static enum pst_status find_columns(struct table *table, const json_t *inputs, struct pst_error *error)
{
    const json_t *columns = json_object_get(inputs, "columns");
    size_t at = 0;
    table->column_count = columns != NULL ? json_array_size(columns) : table->width;
    table->columns = pst_allocate(table->column_count, sizeof *table->columns, error);
    if (table->columns == NULL)
        return PST_TRY_AGAIN;
    for (size_t c = 0; c < table->column_count; c++) {
        const json_t *categories = json_object_get(json_array_get(columns, c), "categories");
        size_t count = categories != NULL ? json_array_size(categories) : 1;
        table->columns[c] = (struct column){ .at = at, .count = count, .category = categories != NULL };
        at += count;
    }
    return at == table->width
               ? PST_OK
               : pst_fail(error, PST_BAD_DATA, "the header's columns have %zu elements, but 'x' has %zu", at,
                          table->width);
}

static void find_ranges(struct table *table)
{
    for (size_t c = 0; c < table->column_count; c++) {
        struct column *column = &table->columns[c];
        double least = INFINITY, most = -INFINITY;
        for (size_t i = 0; i < table->count && !column->category; i++) {
            double value = (double)table->rows[i * table->width + column->at];
            least = fmin(least, value);
            most = fmax(most, value);
        }
        column->least = column->category ? 0 : least;
        column->range = column->category ? 0 : most - least;
    }
}

size_t category_of(const struct table *table, const struct column *column, const float *row)
{
    size_t k = 0;
    while (k < column->count && !(row[column->at + k] > table->ones[column->at + k]))
        k++;
    return k;
}

/* ---- rows ---------------------------------------------------------------------------------------------- */

/* Rows and their ids while they are read. */
struct reading {
    struct pst_batch batch;
    struct pst_buffer rows, ids;
    size_t x, id;
};

static enum pst_status add_rows(struct reading *reading, struct table *table, const struct pst_header *header,
                                struct pst_error *error)
{
    const struct pst_batch *batch = &reading->batch;
    const struct pst_tensor *x = &batch->tensors[reading->x];
    size_t used = table->count, row = table->width * sizeof(float), n = batch->n;
    enum pst_status status = pst_rows_check(&header->tensors[reading->x], x->data, n, PST_ROW_LOGITS, error);
    bool full = (used + n) * row > reading->rows.capacity;
    if (status == PST_OK && full)
        status = pst_buffer_reserve(&reading->rows, 2 * (used + n) * row, used * row, error);
    if (status == PST_OK && (used + n) * sizeof(uint64_t) > reading->ids.capacity)
        status = pst_buffer_reserve(&reading->ids, 2 * (used + n) * sizeof(uint64_t), used * sizeof(uint64_t),
                                    error);
    if (status != PST_OK)
        return status;
    memcpy((float *)reading->rows.data + used * table->width, x->data, n * row);
    for (size_t i = 0; i < n; i++)
        ((uint64_t *)reading->ids.data)[used + i] =
            reading->id == PST_NONE ? used + i : ((const uint64_t *)batch->tensors[reading->id].data)[i];
    table->count += n;
    return table->count <= INT32_MAX ? PST_OK : pst_fail(error, PST_BAD_DATA, "the table has too many rows");
}

/* A row's id and place, to be sorted. */
struct place {
    uint64_t id;
    size_t row;
};

static int by_id(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    return (a->id > b->id) - (a->id < b->id);
}

/* Sorts rows by their ids, so that the order of the stream has no effect. */
static enum pst_status sort_rows(struct reading *reading, struct table *table, struct pst_error *error)
{
    struct place *places = pst_allocate(table->count, sizeof *places, error);
    table->rows = pst_allocate(table->count, table->width * sizeof *table->rows, error);
    enum pst_status status = places == NULL || table->rows == NULL ? PST_TRY_AGAIN : PST_OK;
    for (size_t i = 0; i < table->count && status == PST_OK; i++)
        places[i] = (struct place){ ((const uint64_t *)reading->ids.data)[i], i };
    if (status == PST_OK)
        qsort(places, table->count, sizeof *places, by_id);
    for (size_t i = 0; i < table->count && status == PST_OK; i++) {
        if (i > 0 && places[i].id == places[i - 1].id)
            status = pst_fail(error, PST_BAD_DATA,
                              "sample %" PRIu64 " comes twice; the table must be one epoch", places[i].id);
        memcpy(table->rows + i * table->width,
               (const float *)reading->rows.data + places[i].row * table->width,
               table->width * sizeof *table->rows);
    }
    free(places);
    return status;
}

static enum pst_status read_rows(struct munge *self, struct reading *reading, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    while (status == PST_OK) {
        status = pst_reader_next(self->reader, &reading->batch, error);
        if (status == PST_OK)
            status = add_rows(reading, &self->table, &self->in, error);
        if (status == PST_OK)
            status = pst_check_memory(error);
    }
    if (status == PST_END && self->table.count == 0)
        return pst_fail(error, PST_BAD_DATA, "the stream holds no samples");
    return status == PST_END ? sort_rows(reading, &self->table, error) : status;
}

enum pst_status read_table(struct munge *self, const char *from, struct pst_error *error)
{
    struct reading reading = { .id = pst_header_find(&self->in, "id") };
    struct table *table = &self->table;
    json_t *about = NULL;
    enum pst_status status = pst_header_require(&self->in, "x", PST_DTYPE_F32, 1, NULL, &reading.x, error);
    if (status == PST_OK)
        status = pst_header_about(&self->in, &about, error);
    const json_t *inputs = json_object_get(about, "inputs");
    if (status == PST_OK) {
        table->width = self->in.tensors[reading.x].shape[0];
        status = find_columns(table, inputs, error);
    }
    if (status == PST_OK)
        status = find_ones(table, inputs, error);
    if (status == PST_OK)
        status = read_rows(self, &reading, error);
    if (status == PST_OK)
        find_ranges(table);
    json_decref(about);
    pst_batch_free(&reading.batch);
    pst_buffer_free(&reading.rows);
    pst_buffer_free(&reading.ids);
    return status == PST_OK ? PST_OK : pst_fail_at(error, "%s", from);
}

void free_table(struct table *table)
{
    free(table->rows);
    free(table->ones);
    free(table->columns);
}
