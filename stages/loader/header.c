/* What the header says of the samples: tensors, and the meaning of inputs and outputs. */
#include "stages/loader/loader.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_LIST_BYTES (PST_MAX_META / 4) /* of one list in a header */
#define MOST_COLUMNS (MOST_LIST_BYTES / 8) /* more cannot fit, so they are not tried */

/* ---- tensors ------------------------------------------------------------------------------------------- */

static enum pst_status add_tensors(struct loader *loader, struct pst_header *header, struct pst_error *error)
{
    const struct pst_dataset *data = &loader->data;
    bool bytes = data->element == PST_ELEMENT_U8;
    struct pst_tensor_spec x = { .name = "x",
                                 .dtype = bytes ? PST_DTYPE_U8 : PST_DTYPE_F32,
                                 .rank = loader->view.rank,
                                 .scale = bytes ? data->scale : 0,
                                 .offset = bytes ? data->offset : 0 };
    bool shares = loader->view.mixed && data->label_kind == PST_LABELS_CLASS;
    memcpy(x.shape, loader->view.shape, sizeof x.shape);
    static const enum pst_dtype dtypes[] = { [PST_LABELS_CLASS] = PST_DTYPE_I32,
                                             [PST_LABELS_NUMBERS] = PST_DTYPE_F32,
                                             [PST_LABELS_BITS] = PST_DTYPE_U8 };
    struct pst_tensor_spec y = { .name = "y",
                                 .dtype = dtypes[data->label_kind],
                                 .rank = data->label_width > 0,
                                 .shape = { data->label_width } };
    if (shares)
        y = (struct pst_tensor_spec){
            .name = "y", .dtype = PST_DTYPE_F32, .rank = 1, .shape = { data->classes }, .temperature = 1
        };
    struct pst_tensor_spec id = { .name = "id", .dtype = PST_DTYPE_U64 };
    struct pst_tensor_spec weight = { .name = "weight", .dtype = PST_DTYPE_F32 };
    enum pst_status status = pst_header_add_tensor(header, &x, &loader->x, error);
    loader->y = loader->weight = PST_NONE;
    if (status == PST_OK && data->label_kind != PST_LABELS_NONE)
        status = pst_header_add_tensor(header, &y, &loader->y, error);
    if (status == PST_OK && data->weights != NULL)
        status = pst_header_add_tensor(header, &weight, &loader->weight, error);
    return status == PST_OK ? pst_header_add_tensor(header, &id, &loader->id, error) : status;
}

/* ---- lists --------------------------------------------------------------------------------------------- */

/* The list if it has `count` values, otherwise NULL. list: stolen. */
static json_t *whole_list(json_t *list, size_t count)
{
    if (json_array_size(list) == count)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *list_names(const char *const *names, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(names[i]));
    return whole_list(list, count);
}

/* The most bytes that a value needs in a header. */
static size_t packed_bytes(const json_t *value)
{
    size_t bytes = 5;
    const char *key;
    json_t *part;
    if (json_is_number(value))
        return json_is_integer(value) && json_integer_value(value) < 128 ? 1 : 9;
    if (json_is_string(value))
        return bytes + json_string_length(value);
    for (size_t i = 0; i < json_array_size(value); i++)
        bytes += packed_bytes(json_array_get(value, i));
    json_object_foreach((json_t *)(uintptr_t)value, key, part) bytes += strlen(key) + 5 + packed_bytes(part);
    return bytes;
}

/*
 * Puts a value into the header, unless it is too long for one. value: stolen; NULL: memory is short. count,
 * what: what it describes, and how many, for the message.
 */
static enum pst_status put(struct pst_run *run, struct pst_header *header, const char *key, json_t *value,
                           size_t count, const char *what, struct pst_error *error)
{
    bool fits = value != NULL && packed_bytes(value) <= MOST_LIST_BYTES;
    if (header->other == NULL)
        header->other = json_object();
    if (value != NULL && !fits)
        pst_say(run, "%zu %s are too many for the header, which goes without %s", count, what, key);
    if (value == NULL || (fits && json_object_set(header->other, key, value) != 0)) {
        json_decref(value);
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a header");
    }
    json_decref(value);
    return PST_OK;
}

/* ---- classes and outputs ------------------------------------------------------------------------------- */

/* How many of the chosen samples are of each class. A reader of the stream would know it only at the end. */
static json_t *list_counts(const struct loader *loader)
{
    const struct pst_selection *selection = &loader->view.selection;
    size_t classes = loader->data.classes;
    uint64_t *counts = pst_allocate(classes, sizeof *counts, NULL);
    json_t *list = counts == NULL ? NULL : json_array();
    for (size_t i = 0; i < selection->count && list != NULL; i++)
        counts[((const int32_t *)loader->data.labels)[selection->indices[i]]]++;
    for (size_t class = 0; class < classes && list != NULL; class ++)
        json_array_append_new(list, json_integer((json_int_t)counts[class]));
    free(counts);
    return whole_list(list, classes);
}

/* How often each class comes, compared with the set. */
static json_t *list_oversampling(const struct loader *loader)
{
    const struct pst_view *view = &loader->view;
    size_t classes = loader->data.classes;
    bool *special = pst_allocate(classes, sizeof *special, NULL);
    json_t *list = special == NULL ? NULL : json_array();
    for (size_t i = 0; i < view->parts[1].count && list != NULL; i++)
        special[((const int32_t *)loader->data.labels)[view->parts[1].indices[i]]] = true;
    for (size_t class = 0; class < classes && list != NULL; class ++)
        json_array_append_new(list, json_real(pst_special_factor(&view->special, special[class])));
    free(special);
    return whole_list(list, classes);
}

/* How many samples each class has. If --special changes that, the header says how much more often each comes.
 */
static enum pst_status describe_counts(struct pst_run *run, struct pst_header *header,
                                       struct pst_error *error)
{
    const struct loader *loader = run->self;
    bool special = loader->view.special.count > 0;
    return put(run, header, special ? "class_oversampling" : "class_counts",
               special ? list_oversampling(loader) : list_counts(loader), loader->data.classes, "classes",
               error);
}

/* What is predicted: as the set says, or, if it has no labels, as the file of --like says. */
static enum pst_status describe_outputs(struct pst_run *run, struct pst_header *header,
                                        struct pst_error *error)
{
    const struct loader *loader = run->self;
    const struct pst_dataset *data = &loader->data;
    const struct pst_likeness *like = &loader->likeness.found;
    bool labels = data->label_kind != PST_LABELS_NONE;
    size_t classes = labels ? data->classes : like->classes;
    size_t outputs = !labels ? like->outputs : data->label_width > 0 ? data->label_width : 1;
    const char *const *class_names = labels ? data->class_names : like->class_names;
    const char *const *output_names = labels ? data->output_names : like->output_names;
    enum pst_status status = PST_OK;
    header->classes = classes;
    if (labels && classes > 0 && !loader->view.mixed)
        status = describe_counts(run, header, error);
    if (status == PST_OK && class_names != NULL)
        status = put(run, header, "class_names", list_names(class_names, classes), classes, "classes", error);
    if (status == PST_OK && output_names != NULL)
        status =
            put(run, header, "output_names", list_names(output_names, outputs), outputs, "outputs", error);
    return status;
}

/* ---- inputs -------------------------------------------------------------------------------------------- */

static json_t *list_numbers(const double *numbers, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_real(numbers[i]));
    return whole_list(list, count);
}

/* Adds mean and deviation, if there are any. Returns false if memory is short. */
static bool add_standard(json_t *map, const struct pst_standard *standard)
{
    size_t count = standard->channels;
    return count == 0 ||
           (json_object_set_new(map, "mean", list_numbers(standard->mean, count)) == 0 &&
            json_object_set_new(map, "deviation", list_numbers(standard->deviation, count)) == 0);
}

/* Numbers to predict are not changed; the header says how a network standardises them. */
static enum pst_status describe_targets(struct pst_run *run, struct pst_header *header,
                                        struct pst_error *error)
{
    const struct pst_standard *targets = &((const struct loader *)run->self)->data.targets;
    if (targets->channels == 0)
        return PST_OK;
    json_t *map = json_object();
    if (!add_standard(map, targets)) {
        json_decref(map);
        map = NULL;
    }
    return put(run, header, "outputs", map, targets->channels, "outputs", error);
}

static json_t *list_columns(const struct pst_dataset *data)
{
    json_t *list = json_array();
    for (size_t i = 0; i < data->columns; i++) {
        const struct pst_column *column = &data->column[i];
        json_t *entry = json_pack("{s:s}", "name", column->name);
        bool whole = entry != NULL;
        if (whole && column->categories > 0)
            whole = json_object_set_new(entry, "categories",
                                        list_names(column->category, column->categories)) == 0;
        if (whole && column->categories == 0 && !isnan(column->missing))
            whole = json_object_set_new(entry, "missing", json_real(column->missing)) == 0;
        if (whole)
            json_array_append(list, entry);
        json_decref(entry);
    }
    return whole_list(list, data->columns);
}

static enum pst_status too_many(size_t channels, struct pst_error *error)
{
    return pst_fail(
        error, PST_USAGE,
        "%zu channels or columns are too many to be standardised: the header has room for about %d "
        "numbers",
        channels, MOST_LIST_BYTES / 9);
}

enum pst_status describe_inputs(struct loader *loader, struct pst_error *error)
{
    const struct pst_dataset *data = &loader->data;
    const struct pst_standard *standard = &data->standard;
    const struct pst_view *view = &loader->view;
    bool whole = true;
    if (standard->channels > MOST_LIST_BYTES / 9)
        return too_many(standard->channels, error);
    bool nothing = data->columns == 0 && standard->channels == 0 && *data->made == '\0' && !view->spliced;
    if (nothing || data->columns > MOST_COLUMNS)
        return PST_OK;
    json_t *inputs = loader->inputs = json_object();
    if (*data->made != '\0')
        whole = json_object_set_new(inputs, "made", json_string(data->made)) == 0;
    if (view->spliced)
        whole = whole && json_object_set_new(
                             inputs, "splice",
                             json_pack("[I, I]", (json_int_t)view->before, (json_int_t)view->after)) == 0;
    if (data->columns > 0)
        whole = whole && json_object_set_new(inputs, "columns", list_columns(data)) == 0;
    whole = whole && add_standard(inputs, standard);
    if (!whole)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a header");
    if (standard->channels > 0 && packed_bytes(inputs) > MOST_LIST_BYTES)
        return too_many(standard->channels, error);
    return PST_OK;
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

enum pst_status describe_data(struct pst_run *run, struct pst_header *header, struct pst_error *error)
{
    struct loader *loader = run->self;
    header->samples = loader->view.count;
    enum pst_status status = add_tensors(loader, header, error);
    if (status == PST_OK)
        status = describe_outputs(run, header, error);
    if (status == PST_OK)
        status = describe_targets(run, header, error);
    if (loader->data.columns > MOST_COLUMNS)
        pst_say(run, "%zu columns are too many for the header, which goes without inputs",
                loader->data.columns);
    if (status == PST_OK && loader->inputs != NULL)
        status =
            put(run, header, "inputs", json_incref(loader->inputs), loader->data.columns, "columns", error);
    return status;
}
