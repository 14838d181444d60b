/* JSON Lines: an object a sample, in which a tensor is a number or a list, of lists if it has more
 * dimensions. */
#include "stages/stream-export/export.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void write_json(FILE *out, const char *text)
{
    json_t *value = json_string(text);
    if (value != NULL)
        json_dumpf(value, out, JSON_ENCODE_ANY);
    json_decref(value);
}

/* Makes the keys with the text around them, `{"id":` and `,"class":`. */
static enum pst_status make_keys(struct export *export, struct pst_error *error)
{
    export->keys = pst_allocate(export->count, sizeof *export->keys, error);
    for (size_t i = 0; export->keys != NULL && i < export->count; i++) {
        struct pst_text key;
        char *name = field_of(export, export->columns[i].name);
        if (pst_text_open(&key) != NULL && name != NULL)
            fprintf(key.out, "%c%s:", i == 0 ? '{' : ',', name);
        export->keys[i] = pst_text_close(&key);
        bool made = name != NULL && export->keys[i] != NULL;
        free(name);
        if (!made)
            return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    }
    return export->keys != NULL ? PST_OK : PST_TRY_AGAIN;
}

static enum pst_status begin(struct export *export, struct pst_error *error)
{
    enum pst_status status = make_keys(export, error);
    return status == PST_OK ? fields_make(export, error) : status;
}

/* How many lists of a tensor begin at an element, and end before it. */
static size_t count_brackets(const struct column *column, size_t element)
{
    size_t stride = 1, count = 0;
    for (size_t i = column->rank; i > 0; i--) {
        stride *= column->shape[i - 1];
        count += element % stride == 0;
    }
    return count;
}

/* JSON has only finite numbers; others are null. */
static char *put_number(const struct column *column, size_t index, char *at)
{
    bool finite;
    size_t length = column_put(column, index, at, &finite);
    if (!finite)
        memcpy(at, "null", length = 4);
    return at + length;
}

static void write_value(struct export *export, const struct column *column, size_t sample)
{
    struct output *output = &export->output;
    if (column->is_text) {
        field_write_class(export, ((const int32_t *)column->data)[sample]);
        return;
    }
    for (size_t i = 0; i < column->width; i++) {
        size_t lists = column->rank < 2 ? 0 : count_brackets(column, i);
        char *at = output_room(output, PST_NUMBER_TEXT + 2 * PST_MAX_RANK + 2);
        if (column->rank == 1)
            *at++ = i == 0 ? '[' : ',';
        for (size_t j = 0; i > 0 && j < lists; j++)
            *at++ = ']';
        if (column->rank > 1 && i > 0)
            *at++ = ',';
        for (size_t j = 0; j < lists; j++)
            *at++ = '[';
        output_used(output, put_number(column, sample * column->width + i, at));
    }
    output_write(output, "]]]]]]]", column->rank);
}

static enum pst_status add(struct export *export, size_t n, struct pst_error *error)
{
    for (size_t sample = 0; sample < n; sample++) {
        for (size_t i = 0; i < export->count; i++) {
            output_write(&export->output, export->keys[i], strlen(export->keys[i]));
            write_value(export, &export->columns[i], sample);
        }
        output_write(&export->output, "}\n", 2);
    }
    return output_flush(&export->output, error);
}

const struct format format_jsonl = { .quote = "\"", .write_field = write_json, .begin = begin, .add = add };
