/* Which columns are written, and their values of a batch. */
#include "stages/stream-export/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one column ---------------------------------------------------------------------------------------- */

/* The names for a column's numbers, if they are of inputs, classes or outputs that have names. */
static const struct names *find_parts(const struct all_names *all, const char *name, size_t width)
{
    bool logits, predicted = pst_target_kind(name, &logits) || strcmp(name, "prediction") == 0;
    const struct names *lists[] = { strcmp(name, "x") == 0 ? &all->inputs : NULL,
                                    predicted ? &all->classes : NULL,
                                    predicted || strcmp(name, "y") == 0 ? &all->outputs : NULL };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (lists[i] != NULL && lists[i]->count == width && lists[i]->unique)
            return lists[i];
    return NULL;
}

static enum pst_status add_column(struct export *export, struct column column, struct pst_error *error)
{
    for (size_t i = 0; i < export->count; i++)
        if (strcmp(export->columns[i].name, column.name) == 0)
            return pst_fail(error, PST_USAGE, "--take: '%s' is there twice", column.name);
    struct column *grown = pst_grown(export->columns, &export->room, export->count, sizeof *grown, error);
    if (grown == NULL)
        return PST_TRY_AGAIN;
    export->columns = grown;
    column.width = 1;
    for (size_t i = 0; i < column.rank; i++)
        column.width *= column.shape[i];
    column.parts = find_parts(&export->names, column.name, column.width);
    export->columns[export->count++] = column;
    return PST_OK;
}

/* ---- tensors ------------------------------------------------------------------------------------------- */

static enum pst_status fill_tensor(struct export *export, struct column *column,
                                   const struct pst_batch *batch, struct pst_error *error)
{
    (void)export, (void)error;
    column->data = batch->tensors[column->tensor].data;
    return PST_OK;
}

/* Fills a column with the numbers that bytes stand for. */
static enum pst_status fill_scaled(struct export *export, struct column *column,
                                   const struct pst_batch *batch, struct pst_error *error)
{
    (void)export;
    enum pst_status status =
        pst_buffer_reserve(&column->memory, batch->n * column->width * sizeof(float), 0, error);
    if (status == PST_OK)
        status = pst_tensor_to_f32(&column->spec, &batch->tensors[column->tensor], batch->n,
                                   column->memory.data, error);
    column->data = column->memory.data;
    return status;
}

static enum pst_status add_tensor(struct export *export, const struct pst_header *header, size_t index,
                                  struct pst_error *error)
{
    const struct pst_tensor_spec *spec = &header->tensors[index];
    bool has_scale = (spec->scale != 0 && spec->scale != 1) || spec->offset != 0;
    bool scaled = spec->dtype == PST_DTYPE_U8 && has_scale && !export->raw;
    struct column column = { .dtype = scaled ? PST_DTYPE_F32 : spec->dtype,
                             .rank = spec->rank,
                             .tensor = index,
                             .spec = *spec,
                             .fill = scaled ? fill_scaled : fill_tensor };
    memcpy(column.name, spec->name, sizeof column.name);
    memcpy(column.shape, spec->shape, sizeof column.shape);
    return add_column(export, column, error);
}

/* ---- derived columns ----------------------------------------------------------------------------------- */

/* Checks that the stream has what a derived column is made from. */
static enum pst_status check_source(struct export *export, const struct pst_header *header,
                                    const struct derived *derived, struct pst_error *error)
{
    static const char *const types[] = {
        [AS_CLASSES] = "classes", [AS_NUMBERS] = "numbers", [AS_BITS] = "bits"
    };
    size_t y;
    enum pst_status status = PST_OK;
    if (derived->source == FROM_LABELS)
        status = pst_header_require(header, "y", PST_DTYPE_I32, 0, NULL, &y, error);
    if (derived->source == FROM_PREDICTIONS || derived->source == FROM_CLASSES)
        status = predictions_open(export, header, error);
    if (status != PST_OK)
        return pst_fail_at(error, "column '%s'", derived->name);
    if (derived->source == FROM_CLASSES && export->predictions.type != AS_CLASSES)
        return pst_fail(error, PST_BAD_DATA,
                        "column '%s' is of a predicted class, but '%s' predicts %s; take 'prediction'",
                        derived->name, export->predictions.spec.name, types[export->predictions.type]);
    return PST_OK;
}

static enum pst_status add_derived(struct export *export, const struct pst_header *header,
                                   const struct derived *derived, struct pst_error *error)
{
    enum pst_status status = check_source(export, header, derived, error);
    if (status != PST_OK)
        return status;
    struct column column = { .dtype = derived->dtype,
                             .is_text = derived->is_text,
                             .rank = derived->is_wide ? 1 : 0,
                             .shape = { export->predictions.outputs },
                             .tensor = pst_header_find(header, "y"),
                             .fill = derived->fill };
    snprintf(column.name, sizeof column.name, "%s", derived->name);
    return add_column(export, column, error);
}

static const struct derived *find_derived(const char *name)
{
    const struct derived *derived = derived_columns;
    while (derived->name != NULL && strcmp(derived->name, name) != 0)
        derived++;
    return derived->name != NULL ? derived : NULL;
}

/* ---- --take -------------------------------------------------------------------------------------------- */

/* An error that lists the columns that could have been taken. */
static enum pst_status refuse_name(const struct pst_header *header, const char *name, struct pst_error *error)
{
    char tensors[192], derived[128] = "";
    pst_header_names(header, tensors, sizeof tensors);
    for (const struct derived *one = derived_columns; one->name != NULL; one++) {
        size_t used = strlen(derived);
        snprintf(derived + used, sizeof derived - used, "%s%s", used > 0 ? ", " : "", one->name);
    }
    return pst_fail(error, PST_BAD_DATA,
                    "--take: there is no column '%.40s'; the stream has: %s; derived: %s%s", name, tensors,
                    derived, pst_compact_advice(header));
}

/* A name means a tensor, if there is one of that name; otherwise a derived column. */
static enum pst_status add_named(struct export *export, const struct pst_header *header, const char *name,
                                 struct pst_error *error)
{
    size_t index = pst_header_find(header, name);
    if (index != PST_NONE)
        return add_tensor(export, header, index, error);
    const struct derived *derived = find_derived(name);
    return derived != NULL ? add_derived(export, header, derived, error) : refuse_name(header, name, error);
}

/* Adds a list of names; or one, if the whole text is a tensor's name, which may hold commas. */
static enum pst_status add_list(struct export *export, const struct pst_header *header, const char *list,
                                struct pst_error *error)
{
    if (pst_header_find(header, list) != PST_NONE)
        return add_named(export, header, list, error);
    enum pst_status status = PST_OK;
    for (const char *at = list; status == PST_OK; at++) {
        char name[PST_NAME_SIZE] = "";
        size_t length = strcspn(at, ",");
        if (length == 0 || length >= sizeof name)
            return pst_fail(error, PST_USAGE, "--take '%.60s': a name has 1 to %d bytes", list,
                            PST_NAME_SIZE - 1);
        memcpy(name, at, length);
        status = add_named(export, header, name, error);
        at += length;
        if (*at == '\0')
            break;
    }
    return status;
}

/* ---- the usual columns --------------------------------------------------------------------------------- */

static bool is_taken(const struct export *export, size_t tensor)
{
    for (size_t i = 0; i < export->count; i++)
        if (export->columns[i].tensor == tensor)
            return true;
    return false;
}

/* Adds id and y; in place of y `label`, if its classes have names. */
static enum pst_status add_sample(struct export *export, const struct pst_header *header,
                                  struct pst_error *error)
{
    size_t id = pst_header_find(header, "id"), y = pst_header_find(header, "y");
    bool named = y != PST_NONE && header->tensors[y].dtype == PST_DTYPE_I32 && header->tensors[y].rank == 0 &&
                 export->names.classes.count > 0;
    enum pst_status status = id != PST_NONE ? add_tensor(export, header, id, error) : PST_OK;
    if (status == PST_OK && y != PST_NONE)
        status = add_named(export, header, named ? "label" : "y", error);
    return status;
}

static enum pst_status add_predictions(struct export *export, const struct pst_header *header,
                                       struct pst_error *error)
{
    enum pst_status status = predictions_open(export, header, error);
    if (status != PST_OK)
        return status;
    if (export->predictions.type != AS_CLASSES)
        return add_derived(export, header, find_derived("prediction"), error);
    bool named = export->names.classes.count > 0;
    status = add_derived(export, header, find_derived(named ? "class" : "argmax"), error);
    return status == PST_OK ? add_derived(export, header, find_derived("probability"), error) : status;
}

static enum pst_status add_usual(struct export *export, const struct pst_header *header,
                                 struct pst_error *error)
{
    enum pst_status status = add_sample(export, header, error);
    if (status == PST_OK && (predictions_are_in(header) || export->of != NULL))
        return add_predictions(export, header, error);
    for (size_t i = 0; status == PST_OK && i < header->tensor_count; i++)
        if (!is_taken(export, i))
            status = add_tensor(export, header, i, error);
    return status;
}

/* ---- all of them --------------------------------------------------------------------------------------- */

enum pst_status columns_choose(struct export *export, const struct pst_header *header,
                               struct pst_error *error)
{
    export->predictions.index = PST_NONE;
    enum pst_status status = names_read(&export->names, header, error);
    if (status == PST_OK && export->list_count == 0)
        status = add_usual(export, header, error);
    for (size_t i = 0; status == PST_OK && i < export->list_count; i++)
        status = add_list(export, header, export->lists[i], error);
    bool unused = export->predictions.index == PST_NONE;
    if (status == PST_OK && unused && (export->of != NULL || export->as != AS_STREAM_SAYS))
        return pst_fail(error, PST_USAGE, "--%s does nothing: no column of --take is made of predictions",
                        export->of != NULL ? "of" : "as");
    return status == PST_OK && export->count == 0 ? pst_fail(error, PST_BAD_DATA, "the stream has no tensors")
                                                  : status;
}

enum pst_status columns_fill(struct export *export, const struct pst_batch *batch, struct pst_error *error)
{
    enum pst_status status = predictions_take(&export->predictions, batch, error);
    for (size_t i = 0; status == PST_OK && i < export->count; i++)
        status = export->columns[i].fill(export, &export->columns[i], batch, error);
    return status;
}

void columns_free(struct export *export)
{
    for (size_t i = 0; i < export->count; i++)
        pst_buffer_free(&export->columns[i].memory);
    free(export->columns);
}
