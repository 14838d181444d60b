/* Tables that are to be like what a model was made from: its columns by name, its categories and classes. */
#include "lib/data/csv/csv.h"

#include <stdlib.h>
#include <string.h>

/* The columns of a model as texts, so that each is found at once. */
static enum pst_status list_names(const struct pst_likeness *like, struct pst_csv_texts *names,
                                  struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < like->columns && status == PST_OK; i++)
        status = pst_csv_add_text(names, like->column[i].name, strlen(like->column[i].name), error);
    return status;
}

/* Gives a column what a model says of it. */
static enum pst_status take_over(struct pst_csv_column *column, const struct pst_column *from, size_t place,
                                 struct pst_error *error)
{
    enum pst_status status = PST_OK;
    column->place = place;
    column->listed = true;
    column->missing = from->missing;
    column->kind = from->categories > 0 ? PST_CSV_CATEGORIES : PST_CSV_NUMBERS;
    for (size_t i = 0; i < from->categories && status == PST_OK; i++)
        status = pst_csv_add_text(&column->texts, from->category[i], strlen(from->category[i]), error);
    return status;
}

/* Names the first column of a model that the table does not have. */
static enum pst_status find_absent(const struct pst_csv *table, struct pst_error *error)
{
    const struct pst_likeness *like = table->like;
    for (size_t i = 0; i < like->columns; i++) {
        const char *name = like->column[i].name;
        size_t at = pst_csv_find_text(&table->names, name, strlen(name));
        if (at == PST_CSV_NOWHERE)
            return pst_fail(error, PST_BAD_DATA, "there is no column '%.60s', which is an input of %s", name,
                            like->name);
        if (table->column[at].role != PST_CSV_INPUT)
            return pst_fail(error, PST_USAGE, "column '%.60s' is an input of %s and cannot be anything else",
                            name, like->name);
    }
    return PST_OK;
}

/* With a header columns are found by name, and each input has to be one of the model. */
static enum pst_status fit_by_name(struct pst_csv *table, const struct pst_csv_texts *names,
                                   struct pst_error *error)
{
    enum pst_status status = find_absent(table, error);
    for (size_t i = 0; i < table->columns && status == PST_OK; i++) {
        if (table->column[i].role != PST_CSV_INPUT)
            continue;
        const char *name = pst_csv_text(&table->names, i);
        size_t place = pst_csv_find_text(names, name, strlen(name));
        if (place == PST_CSV_NOWHERE)
            return pst_fail(error, PST_USAGE,
                            "column '%.60s' is not an input of %s; --label or --ignore says "
                            "what it is",
                            name, table->like->name);
        status = take_over(&table->column[i], &table->like->column[place], place, error);
    }
    return status;
}

static enum pst_status fit_by_place(struct pst_csv *table, struct pst_error *error)
{
    const struct pst_likeness *like = table->like;
    enum pst_status status = PST_OK;
    uint64_t number;
    if (table->settings->header == PST_CSV_HEADER_AUTO &&
        !pst_parse_u64(like->column[0].name, 1, UINT64_MAX, &number))
        return pst_fail(
            error, PST_USAGE,
            "there is no row of names, but %s knows its columns by name; --header no takes them in its "
            "order",
            like->name);
    if (table->inputs != like->columns)
        return pst_fail(error, PST_BAD_DATA,
                        "there are %zu columns of inputs, but %s has %zu; if one is the "
                        "label, --label says so, and --ignore leaves others out",
                        table->inputs, like->name, like->columns);
    for (size_t i = 0; i < table->columns && status == PST_OK; i++) {
        struct pst_csv_column *column = &table->column[i];
        if (column->role == PST_CSV_INPUT)
            status = take_over(column, &like->column[column->place], column->place, error);
    }
    return status;
}

/* The classes of a single label are those of the model, by name. */
static enum pst_status fit_classes(struct pst_csv *table, struct pst_error *error)
{
    const struct pst_likeness *like = table->like;
    enum pst_status status = PST_OK;
    if (table->labels == 1 && like->classes == 0 && like->outputs == 1)
        table->regression = true; /* a single output, not classes: a number */
    if (table->labels != 1 || table->regression || like->class_names == NULL)
        return PST_OK;
    struct pst_csv_column *label = table->column;
    while (label->role != PST_CSV_LABEL)
        label++;
    label->listed = true;
    for (size_t i = 0; i < like->classes && status == PST_OK; i++)
        status = pst_csv_add_text(&label->texts, like->class_names[i], strlen(like->class_names[i]), error);
    return status;
}

enum pst_status pst_csv_fit_columns(struct pst_csv *table, struct pst_error *error)
{
    struct pst_csv_texts names = { 0 };
    enum pst_status status = PST_OK;
    if (table->like->columns > 0) {
        status = list_names(table->like, &names, error);
        if (status == PST_OK)
            status = table->header ? fit_by_name(table, &names, error) : fit_by_place(table, error);
    }
    pst_csv_free_texts(&names);
    return status == PST_OK ? fit_classes(table, error) : status;
}
