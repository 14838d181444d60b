/* Texts and JSON lines on standard output. */
#include "stages/stream-inspect/inspect.h"

#include <stdlib.h>

enum pst_status print_json(struct pst_run *run, json_t *object, struct pst_error *error)
{
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(object);
    if (text == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a line");
    enum pst_status status = pst_print(run, text, error);
    free(text);
    return status == PST_OK ? pst_print(run, "\n", error) : status;
}

enum pst_status print_text(struct pst_run *run, text_writer *write, const void *what, struct pst_error *error)
{
    struct pst_text made;
    FILE *out = pst_text_open(&made);
    if (out != NULL)
        write(out, what);
    char *text = pst_text_close(&made);
    enum pst_status status = text != NULL ? pst_print(run, text, error)
                                          : pst_fail(error, PST_TRY_AGAIN, "out of memory for a text");
    free(text);
    return status;
}

double element(const struct pst_tensor_spec *spec, const void *data, size_t i)
{
    switch (spec->dtype) {
    case PST_DTYPE_U8:
        return ((const uint8_t *)data)[i];
    case PST_DTYPE_I32:
        return ((const int32_t *)data)[i];
    case PST_DTYPE_U64:
        return (double)((const uint64_t *)data)[i];
    case PST_DTYPE_F32:
        return (double)((const float *)data)[i];
    case PST_DTYPE_F16:
        return (double)pst_half_to_f32(((const uint16_t *)data)[i]);
    case PST_DTYPE_U16:
        return ((const uint16_t *)data)[i];
    case PST_DTYPES:
        break;
    }
    return 0;
}
