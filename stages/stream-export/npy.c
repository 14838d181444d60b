/* NPY: one array, as numpy.load reads it. */
#include "stages/stream-export/export.h"

static enum pst_status begin(struct export *export, struct pst_error *error)
{
    if (export->count != 1)
        return pst_fail(
            error, PST_USAGE,
            "an npy file holds one array, but %zu columns are taken (%s, %s, ...); choose one with "
            "--take, or write npz",
            export->count, export->columns[0].name, export->columns[1].name);
    return arrays_begin(export, error);
}

static enum pst_status finish(struct export *export, struct pst_error *error)
{
    char header[MOST_NPY_HEADER];
    size_t size = array_header(export->columns, export->arrays, header);
    output_write(&export->output, header, size);
    return array_copy(export, export->arrays, error);
}

const struct format format_npy = { .is_binary = true, .begin = begin, .add = arrays_add, .finish = finish };
