/* What the formats of text share: names as fields, and numbers. */
#include "stages/stream-export/export.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

char *field_of(const struct export *export, const char *text)
{
    char *plain = export->output.terminal ? strdup(text) : NULL;
    struct pst_text field;
    if (export->output.terminal && plain == NULL)
        return NULL;
    if (plain != NULL)
        pst_make_plain(plain);
    if (pst_text_open(&field) != NULL)
        export->format->write_field(field.out, plain != NULL ? plain : text);
    free(plain);
    return pst_text_close(&field);
}

enum pst_status fields_make(struct export *export, struct pst_error *error)
{
    const struct names *names = &export->names.classes;
    struct fields *fields = &export->fields;
    if (names->count == 0)
        return PST_OK;
    fields->texts = pst_allocate(names->count, sizeof *fields->texts, error);
    fields->lengths = pst_allocate(names->count, sizeof *fields->lengths, error);
    if (fields->texts == NULL || fields->lengths == NULL)
        return PST_TRY_AGAIN;
    for (; fields->count < names->count; fields->count++) {
        char *text = fields->texts[fields->count] = field_of(export, names_at(names, fields->count));
        if (text == NULL)
            return pst_fail(error, PST_TRY_AGAIN, "out of memory");
        fields->lengths[fields->count] = strlen(text);
    }
    return PST_OK;
}

void field_write_class(struct export *export, int32_t class)
{
    const struct fields *fields = &export->fields;
    if (class >= 0 && (size_t) class < fields->count) {
        output_write(&export->output, fields->texts[class], fields->lengths[class]);
        return;
    }
    size_t quote = strlen(export->format->quote);
    char *at = output_room(&export->output, PST_NUMBER_TEXT + 2 * quote);
    memcpy(at, export->format->quote, quote);
    at += quote;
    at += pst_put_i64(at, class);
    memcpy(at, export->format->quote, quote);
    output_used(&export->output, at + quote);
}

void fields_free(struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++)
        free(fields->texts[i]);
    free(fields->texts);
    free(fields->lengths);
}

size_t column_put(const struct column *column, size_t index, char *text, bool *finite)
{
    const void *data = column->data;
    float number = 0;
    *finite = true;
    switch (column->dtype) {
    case PST_DTYPE_U8:
        return pst_put_u64(text, ((const uint8_t *)data)[index]);
    case PST_DTYPE_U16:
        return pst_put_u64(text, ((const uint16_t *)data)[index]);
    case PST_DTYPE_U64:
        return pst_put_u64(text, ((const uint64_t *)data)[index]);
    case PST_DTYPE_I32:
        return pst_put_i64(text, ((const int32_t *)data)[index]);
    case PST_DTYPE_F16:
        number = pst_half_to_f32(((const uint16_t *)data)[index]);
        break;
    case PST_DTYPE_F32:
    case PST_DTYPES:
        number = ((const float *)data)[index];
        break;
    }
    *finite = isfinite(number);
    return pst_put_f32(text, number);
}
