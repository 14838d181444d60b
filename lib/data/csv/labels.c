/* Labels of tables: classes, or numbers, or bits; and ids. */
#include "lib/data/csv/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MANY_CLASSES 50 /* of whole numbers, which may have been meant as numbers */

/* ---- fields -------------------------------------------------------------------------------------------- */

static enum pst_status store_number(union pst_csv_cell *cell, const char *text, size_t size,
                                    struct pst_error *error)
{
    double number;
    if (!pst_csv_number(text, size, &number) || !isfinite((float)number))
        return pst_fail(error, PST_BAD_DATA, "label '%.60s' is not a finite number of 32 bits", text);
    cell->number = (float)number;
    return PST_OK;
}

static enum pst_status store_bit(union pst_csv_cell *cell, const char *text, struct pst_error *error)
{
    static const char *const words[] = { "0", "1", "false", "true", "no", "yes" };
    for (uint32_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(text, words[i]) == 0) {
            cell->category = i % 2;
            return PST_OK;
        }
    return pst_fail(error, PST_BAD_DATA,
                    "label '%.60s' is not a bit: 0 or 1, false or true, no or yes; "
                    "--regression takes labels as numbers",
                    text);
}

/* The length of a label without the text that --strip-label removes from its end, and without blanks. */
static size_t strip(const struct pst_csv *table, const char *text, size_t size)
{
    const char *end = table->settings->strip_label;
    size_t length = end != NULL ? strlen(end) : 0;
    if (length == 0 || size < length || memcmp(text + size - length, end, length) != 0)
        return size;
    size -= length;
    while (size > 0 && text[size - 1] == ' ')
        size--;
    return size;
}

static enum pst_status store_class(struct pst_csv *table, struct pst_csv_column *column,
                                   union pst_csv_cell *cell, const char *text, size_t size,
                                   struct pst_error *error)
{
    enum pst_status status =
        pst_csv_categorise(table, column, text, size, PST_CSV_MOST_CLASSES, &cell->category, error);
    if (status == PST_OK && cell->category == PST_CSV_GAP)
        return pst_fail(error, PST_BAD_DATA, "label '%.60s' is no class of %s", text, table->like->name);
    return status;
}

enum pst_status pst_csv_store_label(struct pst_csv *table, struct pst_csv_column *column, const char *text,
                                    size_t size, struct pst_error *error)
{
    union pst_csv_cell *cell =
        (union pst_csv_cell *)table->targets.data + table->rows * table->labels + column->place;
    char word[PST_CSV_MOST_TEXT + 1];
    if (pst_csv_is_missing(table, text, size))
        return pst_fail(error, PST_BAD_DATA, "the label is missing");
    if (table->regression)
        return store_number(cell, text, size, error);
    size = strip(table, text, size);
    if (size >= sizeof word)
        return pst_fail(error, PST_BAD_DATA, "a text of %zu bytes is too long for a label", size);
    memcpy(word, text, size);
    word[size] = '\0';
    return table->labels == 1 ? store_class(table, column, cell, word, size, error)
                              : store_bit(cell, word, error);
}

/* ---- classes, when all rows are read ------------------------------------------------------------------- */

/* Whether all classes are numbers. fraction: receives one that is not whole, or NULL. */
static bool are_numbers(const struct pst_csv_texts *texts, const char **fraction)
{
    *fraction = NULL;
    for (size_t i = 0; i < texts->count; i++) {
        double number;
        const char *text = pst_csv_text(texts, i);
        if (!pst_csv_number(text, strlen(text), &number))
            return false;
        if (number != floor(number))
            *fraction = text;
    }
    return true;
}

/* "1" and "1.0" would be two classes. names: in the order of their numbers. */
static enum pst_status refuse_equal(const char *const *names, size_t count, struct pst_error *error)
{
    double before = 0, number;
    for (size_t i = 0; i < count; i++, before = number) {
        if (!pst_csv_number(names[i], strlen(names[i]), &number))
            return PST_OK;
        if (i > 0 && number == before)
            return pst_fail(error, PST_BAD_DATA,
                            "labels '%.60s' and '%.60s' are the same number; write it in one "
                            "way",
                            names[i - 1], names[i]);
    }
    return PST_OK;
}

/* Numbers the classes in the order of their names. */
static enum pst_status sort_classes(struct pst_csv *table, const struct pst_csv_column *column,
                                    struct pst_dataset *dataset, struct pst_error *error)
{
    const char *fraction;
    bool numbers = are_numbers(&column->texts, &fraction);
    if (numbers && fraction != NULL)
        return pst_fail(error, PST_BAD_DATA,
                        "label '%.60s' of column '%.60s' is a number with a fraction; "
                        "--regression says that labels are numbers to predict",
                        fraction, pst_csv_name(table, column));
    uint32_t *places, *cells = table->targets.data;
    if (pst_csv_sort_texts(&column->texts, numbers, &places, &dataset->class_names, error) != PST_OK)
        return PST_TRY_AGAIN;
    for (size_t row = 0; row < table->rows; row++)
        cells[row] = places[cells[row]];
    free(places);
    if (numbers && column->texts.count > MANY_CLASSES && 2 * column->texts.count > table->rows)
        snprintf(table->notice, sizeof table->notice,
                 "label '%.60s' has %zu classes in %zu rows; --regression makes numbers to predict of them",
                 pst_csv_name(table, column), column->texts.count, table->rows);
    return numbers ? refuse_equal(dataset->class_names, column->texts.count, error) : PST_OK;
}

static enum pst_status finish_classes(struct pst_csv *table, const struct pst_csv_column *column,
                                      struct pst_dataset *dataset, struct pst_error *error)
{
    dataset->label_kind = PST_LABELS_CLASS;
    dataset->classes = column->texts.count;
    if (!column->listed)
        return sort_classes(table, column, dataset, error);
    dataset->class_names = pst_names_copy(table->like->class_names, dataset->classes, error);
    return dataset->class_names != NULL ? PST_OK : PST_TRY_AGAIN;
}

/* ---- numbers and bits ---------------------------------------------------------------------------------- */

static enum pst_status name_outputs(const struct pst_csv *table, struct pst_dataset *dataset,
                                    struct pst_error *error)
{
    const char **names = pst_allocate(table->labels, sizeof *names, error);
    if (names == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < table->columns; i++)
        if (table->column[i].role == PST_CSV_LABEL)
            names[table->column[i].place] = pst_csv_text(&table->names, i);
    dataset->output_names = pst_names_copy(names, table->labels, error);
    free((void *)names);
    return dataset->output_names != NULL ? PST_OK : PST_TRY_AGAIN;
}

/* Cells become bytes, in place. */
static void pack_bits(struct pst_csv *table)
{
    const union pst_csv_cell *cells = table->targets.data;
    uint8_t *bits = table->targets.data;
    for (size_t i = 0; i < table->rows * table->labels; i++)
        bits[i] = (uint8_t)cells[i].category;
}

/* ---- ids ----------------------------------------------------------------------------------------------- */

struct named {
    uint64_t id;
    size_t row;
};

static int by_id(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    return x->id != y->id ? (x->id < y->id ? -1 : 1) : x->row < y->row ? -1 : x->row > y->row;
}

static bool is_ascending(const uint64_t *ids, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (ids[i - 1] >= ids[i])
            return false;
    return true;
}

/* Order and augmentation are functions of the id, so no two rows may have the same. */
static enum pst_status check_ids(const struct pst_csv *table, struct pst_error *error)
{
    const uint64_t *ids = table->ids.data;
    if (is_ascending(ids, table->rows))
        return PST_OK;
    struct named *named = pst_allocate(table->rows, sizeof *named, error);
    enum pst_status status = named == NULL ? PST_TRY_AGAIN : PST_OK;
    for (size_t i = 0; i < table->rows && status == PST_OK; i++)
        named[i] = (struct named){ ids[i], i };
    if (status == PST_OK)
        qsort(named, table->rows, sizeof *named, by_id);
    for (size_t i = 1; i < table->rows && status == PST_OK; i++)
        if (named[i].id == named[i - 1].id) {
            char first[160], second[160];
            pst_csv_place(table, named[i - 1].row, first, sizeof first);
            pst_csv_place(table, named[i].row, second, sizeof second);
            status = pst_fail(error, PST_BAD_DATA, "%s and %s have the same id, %llu", first, second,
                              (unsigned long long)named[i].id);
        }
    free(named);
    return status;
}

/* ---- all ----------------------------------------------------------------------------------------------- */

/* Gives what a buffer holds to the set, which frees it. */
static void *hand_over(struct pst_buffer *buffer)
{
    void *data = buffer->data;
    *buffer = (struct pst_buffer){ 0 };
    return data;
}

enum pst_status pst_csv_finish_labels(struct pst_csv *table, struct pst_dataset *dataset,
                                      struct pst_error *error)
{
    const struct pst_csv_column *label = table->column;
    enum pst_status status = table->has_ids ? check_ids(table, error) : PST_OK;
    while (table->labels > 0 && label->role != PST_CSV_LABEL)
        label++;
    dataset->label_width = table->labels > 1 ? table->labels : 0;
    if (status == PST_OK && table->labels == 1 && !table->regression) {
        status = finish_classes(table, label, dataset, error);
    } else if (status == PST_OK && table->labels > 0) {
        dataset->label_kind = table->regression ? PST_LABELS_NUMBERS : PST_LABELS_BITS;
        status = name_outputs(table, dataset, error);
        if (dataset->label_kind == PST_LABELS_BITS)
            pack_bits(table);
    }
    dataset->labels = hand_over(&table->targets);
    dataset->ids = hand_over(&table->ids);
    dataset->weights = hand_over(&table->weights);
    return status;
}
