/* What each column of a table is for: an input, a label, an id, a weight, or nothing. */
#include "lib/data/csv/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *pst_csv_name(const struct pst_csv *table, const struct pst_csv_column *column)
{
    return pst_csv_text(&table->names, (size_t)(column - table->column));
}

/* ---- columns as users name them ------------------------------------------------------------------------ */

/* A column by its name or, if none has that name, by its number, counted from 1. */
static size_t find_column(const struct pst_csv *table, const char *text, size_t size)
{
    char number[24] = "";
    uint64_t value;
    size_t column = pst_csv_find_text(&table->names, text, size);
    if (column != PST_CSV_NOWHERE || size >= sizeof number)
        return column;
    memcpy(number, text, size);
    return pst_parse_u64(number, 1, table->columns, &value) ? (size_t)value - 1 : PST_CSV_NOWHERE;
}

/* Takes a name off a list, which may be one name with a comma in it. Returns what follows. */
static const char *take_name(const struct pst_csv *table, const char *list, size_t *column)
{
    size_t size = strlen(list);
    *column = find_column(table, list, size);
    if (*column != PST_CSV_NOWHERE)
        return list + size;
    size = strcspn(list, ",");
    *column = find_column(table, list, size);
    return list + size + (list[size] == ',');
}

static enum pst_status not_there(const struct pst_csv *table, const char *option, const char *text,
                                 struct pst_error *error)
{
    return pst_fail(error, PST_USAGE, "--%s: there is no column '%.*s' in %s, which has %zu columns%s",
                    option, (int)strcspn(text, ","), text, table->file[0].path, table->columns,
                    table->header ? "" : " without names, numbered from 1");
}

static enum pst_status set_role(struct pst_csv *table, size_t at, enum pst_csv_role role,
                                struct pst_error *error)
{
    static const char *const uses[] = { "an input", "a label", "the id", "the weight", "to be ignored" };
    struct pst_csv_column *column = &table->column[at];
    if (column->role != PST_CSV_INPUT && column->role != role)
        return pst_fail(error, PST_USAGE, "column '%.60s' cannot be both %s and %s",
                        pst_csv_name(table, column), uses[column->role], uses[role]);
    if (column->role == PST_CSV_INPUT && role == PST_CSV_LABEL)
        column->place = table->labels++;
    column->role = role;
    return PST_OK;
}

/* Gives a role to the columns that an option lists. option: NULL: a listed column may be missing or
 * ignored. */
static enum pst_status set_listed(struct pst_csv *table, const char *option, const char *list,
                                  enum pst_csv_role role, struct pst_error *error)
{
    while (list != NULL && *list != '\0') {
        size_t column;
        const char *rest = take_name(table, list, &column);
        if (column == PST_CSV_NOWHERE && option != NULL)
            return not_there(table, option, list, error);
        bool settled =
            column == PST_CSV_NOWHERE || (option == NULL && table->column[column].role == PST_CSV_IGNORED);
        enum pst_status status = settled ? PST_OK : set_role(table, column, role, error);
        if (status != PST_OK)
            return status;
        list = rest;
    }
    return PST_OK;
}

/* Gives a role to the one column that an option names. name: NULL if it was not given. */
static enum pst_status set_named(struct pst_csv *table, const char *option, const char *name,
                                 enum pst_csv_role role, struct pst_error *error)
{
    if (name == NULL)
        return PST_OK;
    size_t column = find_column(table, name, strlen(name));
    return column != PST_CSV_NOWHERE ? set_role(table, column, role, error)
                                     : not_there(table, option, name, error);
}

static enum pst_status set_all_listed(struct pst_csv *table, const char *option,
                                      const struct pst_csv_list *lists, enum pst_csv_role role,
                                      struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < lists->count && status == PST_OK; i++)
        status = set_listed(table, option, lists->text[i], role, error);
    return status;
}

/* ---- a label that is not named ------------------------------------------------------------------------- */

static bool is_usual_label(const char *name)
{
    static const char *const usual[] = { "label", "class", "target", "y" };
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (strcasecmp(name, usual[i]) == 0)
            return true;
    return false;
}

static bool is_input_of_model(const struct pst_csv *table, const char *name)
{
    for (size_t i = 0; table->like != NULL && i < table->like->columns; i++)
        if (strcmp(table->like->column[i].name, name) == 0)
            return true;
    return false;
}

/* With a model, finds its outputs by name; otherwise the one column that has a usual name of labels. */
static enum pst_status find_label(struct pst_csv *table, struct pst_error *error)
{
    const struct pst_likeness *like = table->like;
    size_t found = PST_CSV_NOWHERE;
    /* In a file without names the number of columns tells whether there are labels. */
    bool unlabelled = like != NULL && !table->header && table->columns == like->columns;
    for (size_t i = 0; like != NULL && like->output_names != NULL && i < like->outputs && !unlabelled; i++) {
        enum pst_status status = set_listed(table, NULL, like->output_names[i], PST_CSV_LABEL, error);
        if (status != PST_OK)
            return status;
    }
    for (size_t i = 0; table->labels == 0 && i < table->columns; i++) {
        const char *name = pst_csv_text(&table->names, i);
        if (table->column[i].role != PST_CSV_INPUT || !is_usual_label(name) || is_input_of_model(table, name))
            continue;
        if (found != PST_CSV_NOWHERE)
            return pst_fail(error, PST_USAGE, "which is the label, column '%s' or '%s'? --label says so",
                            pst_csv_text(&table->names, found), name);
        found = i;
    }
    if (found != PST_CSV_NOWHERE)
        return set_role(table, found, PST_CSV_LABEL, error);
    if (table->labels == 0 && like == NULL)
        snprintf(table->notice, sizeof table->notice,
                 "the rows have no labels, for no column is called label, class, target or y; --label names "
                 "one");
    return PST_OK;
}

/* ---- inputs -------------------------------------------------------------------------------------------- */

static enum pst_status set_categorical(struct pst_csv *table, struct pst_error *error)
{
    const struct pst_csv_list *lists = &table->settings->categorical;
    for (size_t i = 0; i < lists->count; i++)
        for (const char *list = lists->text[i], *rest; *list != '\0'; list = rest) {
            size_t column;
            rest = take_name(table, list, &column);
            if (column == PST_CSV_NOWHERE)
                return not_there(table, "categorical", list, error);
            if (table->column[column].role != PST_CSV_INPUT)
                return pst_fail(error, PST_USAGE, "--categorical: column '%.60s' is not an input",
                                pst_csv_text(&table->names, column));
            table->column[column].kind = PST_CSV_CATEGORIES;
        }
    return PST_OK;
}

static enum pst_status count_inputs(struct pst_csv *table, struct pst_error *error)
{
    if (table->unnamed && table->column[0].role == PST_CSV_INPUT)
        return pst_fail(error, PST_USAGE,
                        "the first column has no name, as pandas writes its index: --ignore 1 leaves it out, "
                        "and --id 1 takes "
                        "ids from it");
    for (size_t i = 0; i < table->columns; i++) {
        struct pst_csv_column *column = &table->column[i];
        column->missing = (double)NAN;
        if (column->role == PST_CSV_INPUT)
            column->place = table->inputs++;
        table->has_ids = table->has_ids || column->role == PST_CSV_ID;
        table->has_weights = table->has_weights || column->role == PST_CSV_WEIGHT;
    }
    return table->inputs > 0 ? PST_OK : pst_fail(error, PST_BAD_DATA, "no column is left for the inputs");
}

enum pst_status pst_csv_choose_columns(struct pst_csv *table, struct pst_error *error)
{
    const struct pst_csv_settings *settings = table->settings;
    enum pst_status status = set_all_listed(table, "ignore", &settings->ignore, PST_CSV_IGNORED, error);
    if (status == PST_OK)
        status = set_named(table, "id", settings->id, PST_CSV_ID, error);
    if (status == PST_OK)
        status = set_named(table, "weight", settings->weight, PST_CSV_WEIGHT, error);
    if (status == PST_OK)
        status = set_all_listed(table, "label", &settings->label, PST_CSV_LABEL, error);
    if (status == PST_OK && settings->label.count == 0)
        status = find_label(table, error);
    if (status == PST_OK)
        status = set_categorical(table, error);
    if (status == PST_OK)
        status = count_inputs(table, error);
    return status == PST_OK && table->like != NULL ? pst_csv_fit_columns(table, error) : status;
}
