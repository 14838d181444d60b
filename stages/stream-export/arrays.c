/* Arrays whose length is known only at the end: each grows in a file without a name, so that no file remains
 * after a failure, and is then copied behind its header. */
#include "stages/stream-export/export.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define MOST_LETTERS ((size_t)4096) /* of a name in an array: all names need as many as the longest */
#define NUMBER_LETTERS 11           /* of a class without a name, -2147483648 */

/* ---- files without a name ------------------------------------------------------------------------------ */

/* The folder of the output, or else that for temporary files. */
static const char *find_folder(const struct export *export, char *copy)
{
    const struct pst_atomic_file *file = &export->output.file;
    const char *temporary = getenv("TMPDIR");
    if (export->output.path != NULL && !file->direct)
        return dirname(strcpy(copy, file->path));
    return temporary != NULL && temporary[0] != '\0' ? temporary : "/tmp";
}

static enum pst_status open_nameless(const struct export *export, int *fd, struct pst_error *error)
{
    size_t size = (export->output.path != NULL ? strlen(export->output.file.path) : 0) + 1;
    char *copy = malloc(size), *name = NULL;
    const char *folder = copy != NULL ? find_folder(export, copy) : NULL;
    size_t room = folder != NULL ? strlen(folder) + sizeof "/.stream-export-XXXXXX" : 0;
    if (folder != NULL && (name = malloc(room)) != NULL) {
        snprintf(name, room, "%s/.stream-export-XXXXXX", folder);
        *fd = mkstemp(name);
    }
    enum pst_status status = PST_OK;
    if (name == NULL)
        status = pst_fail(error, PST_TRY_AGAIN, "out of memory");
    else if (*fd < 0 || unlink(name) != 0)
        status = pst_fail(error, pst_shortage_or(PST_IO_ERROR), "%s: no temporary file can be made in it: %s",
                          folder, strerror(errno));
    free(name);
    free(copy);
    return status;
}

/* ---- names --------------------------------------------------------------------------------------------- */

/* Letters of a text in UTF-8. */
static size_t count_letters(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

/* Writes a text in UTF-8 as letters of four bytes, filled up with zeros. */
static void widen(const char *text, uint32_t *letters, size_t room)
{
    static const unsigned char masks[] = { 0x7F, 0, 0x1F, 0x0F, 0x07 };
    memset(letters, 0, room * sizeof *letters);
    while (*text != '\0') {
        unsigned char first = (unsigned char)*text++;
        size_t length = first < 0x80 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
        *letters = first & masks[length];
        for (; length > 1; length--)
            *letters = *letters << 6 | ((unsigned char)*text++ & 0x3F);
        letters++;
    }
}

/* How many letters a text of a column may have. */
static enum pst_status measure(const struct export *export, size_t *letters, struct pst_error *error)
{
    const struct names *names = &export->names.classes;
    *letters = names->count == 0 ? NUMBER_LETTERS : 1;
    for (size_t i = 0; i < names->count; i++) {
        size_t count = count_letters(names_at(names, i));
        if (count > MOST_LETTERS)
            return pst_fail(
                error, PST_BAD_DATA,
                "the name of class %zu has %zu letters, of which an array takes %zu; csv and jsonl "
                "take any",
                i, count, MOST_LETTERS);
        *letters = count > *letters ? count : *letters;
    }
    return PST_OK;
}

/* ---- growing ------------------------------------------------------------------------------------------- */

enum pst_status arrays_begin(struct export *export, struct pst_error *error)
{
    size_t letters;
    enum pst_status status = measure(export, &letters, error);
    if (status != PST_OK)
        return status;
    export->arrays = pst_allocate(export->count, sizeof *export->arrays, error);
    if (export->arrays == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < export->count; i++)
        export->arrays[i] =
            (struct array){ .fd = -1, .letters = letters, .crc = (uint32_t)crc32_z(0, NULL, 0) };
    for (size_t i = 0; status == PST_OK && i < export->count; i++)
        status = open_nameless(export, &export->arrays[i].fd, error);
    return status;
}

static enum pst_status append(struct array *array, const void *bytes, size_t size, struct pst_error *error)
{
    array->crc = (uint32_t)crc32_z(array->crc, bytes, size);
    array->bytes += size;
    return pst_write_all(array->fd, bytes, size, "a temporary file", error);
}

/* Writes one name at a time, because a name may be long, and a batch large. */
static enum pst_status append_texts(const struct export *export, const struct column *column,
                                    struct array *array, size_t n, struct pst_error *error)
{
    const int32_t *classes = column->data;
    enum pst_status status = PST_OK;
    uint32_t letters[MOST_LETTERS];
    for (size_t i = 0; status == PST_OK && i < n; i++) {
        char number[PST_NUMBER_TEXT + 1];
        number[pst_put_i64(number, classes[i])] = '\0';
        bool named = export->names.classes.count > 0;
        widen(named ? names_at(&export->names.classes, (size_t)classes[i]) : number, letters, array->letters);
        status = append(array, letters, array->letters * sizeof *letters, error);
    }
    return status;
}

enum pst_status arrays_add(struct export *export, size_t n, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t i = 0; status == PST_OK && i < export->count; i++) {
        const struct column *column = &export->columns[i];
        struct array *array = &export->arrays[i];
        array->rows += n;
        status = column->is_text
                     ? append_texts(export, column, array, n, error)
                     : append(array, column->data, n * column->width * pst_dtype_size(column->dtype), error);
    }
    return status;
}

/* ---- the end ------------------------------------------------------------------------------------------- */

size_t array_header(const struct column *column, const struct array *array, char header[MOST_NPY_HEADER])
{
    static const char *const types[PST_DTYPES] = {
        [PST_DTYPE_U8] = "|u1",  [PST_DTYPE_I32] = "<i4", [PST_DTYPE_U64] = "<u8",
        [PST_DTYPE_F32] = "<f4", [PST_DTYPE_F16] = "<f2", [PST_DTYPE_U16] = "<u2",
    };
    static const char magic[] = { '\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0 }; /* version 1.0 */
    char shape[256], type[32];
    int used = snprintf(shape, sizeof shape, "%llu,", (unsigned long long)array->rows);
    for (size_t i = 0; i < column->rank; i++)
        used += snprintf(shape + used, sizeof shape - (size_t)used, " %zu,", column->shape[i]);
    snprintf(type, sizeof type, "<U%zu", array->letters);
    /* Ten bytes, a text with an end of line, and the data at a multiple of 64. */
    int length = snprintf(header + 10, MOST_NPY_HEADER - 10,
                          "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                          column->is_text ? type : types[column->dtype], shape);
    size_t size = ((size_t)length + 10 + 1 + 63) / 64 * 64;
    memset(header + 10 + length, ' ', size - 10 - (size_t)length);
    header[size - 1] = '\n';
    memcpy(header, magic, sizeof magic);
    header[8] = (char)((size - 10) & 255);
    header[9] = (char)((size - 10) >> 8);
    return size;
}

enum pst_status array_copy(struct export *export, const struct array *array, struct pst_error *error)
{
    size_t piece = (size_t)1 << 18;
    struct output *output = &export->output;
    for (uint64_t done = 0; done < array->bytes && output->error.status == PST_OK;) {
        char *room = output_room(output, piece);
        ssize_t got = pread(array->fd, room, piece, (off_t)done);
        if (got < 0 && errno == EINTR && pst_stop_signal() == 0)
            continue;
        if (pst_stop_signal() != 0)
            return pst_fail(error, PST_STOPPED, "stopped by a signal");
        if (got <= 0)
            return pst_fail(error, PST_IO_ERROR, "a temporary file: cannot read: %s",
                            got < 0 ? strerror(errno) : "it is shorter than it was");
        output_used(output, room + got);
        done += (uint64_t)got;
    }
    return PST_OK;
}

void arrays_free(struct export *export)
{
    for (size_t i = 0; export->arrays != NULL && i < export->count; i++)
        if (export->arrays[i].fd >= 0)
            close(export->arrays[i].fd);
    free(export->arrays);
}
