/* The header of an NPY file: {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 784), }. */
#include "lib/data/arrays/npy.h"

#include <string.h>

enum { MOST_WORD = 64 };

/* The text, and how far it was read. */
struct reading {
    const char *text;
    size_t at, size;
    size_t before; /* bytes of the file in front of the text */
};

/* The next byte that is not white space; at the end NUL, which no header may contain. */
static char next(struct reading *reading)
{
    while (reading->at < reading->size && strchr(" \t\n", reading->text[reading->at]) != NULL &&
           reading->text[reading->at] != '\0')
        reading->at++;
    return reading->at < reading->size ? reading->text[reading->at] : '\0';
}

static bool take(struct reading *reading, char due)
{
    if (next(reading) != due)
        return false;
    reading->at++;
    return true;
}

static bool take_word(struct reading *reading, const char *word)
{
    size_t length = strlen(word);
    (void)next(reading);
    if (reading->size - reading->at < length || memcmp(reading->text + reading->at, word, length) != 0)
        return false;
    reading->at += length;
    return true;
}

static enum pst_status unexpected(const struct reading *reading, const char *due, struct pst_error *error)
{
    return pst_fail(error, PST_BAD_DATA, "damaged header: at byte %zu there should be %s",
                    reading->before + reading->at, due);
}

/* Reads a text in quotes of either kind. A backslash is refused: no valid text has one. */
static enum pst_status take_text(struct reading *reading, char word[static MOST_WORD],
                                 struct pst_error *error)
{
    char quote = next(reading);
    size_t length = 0;
    if (quote != '\'' && quote != '"')
        return unexpected(reading, "a text in quotes", error);
    for (reading->at++; reading->at < reading->size && reading->text[reading->at] != quote; reading->at++) {
        char byte = reading->text[reading->at];
        if (byte < ' ' || byte > '~' || byte == '\\' || length + 1 == MOST_WORD)
            return unexpected(reading, "the end of a text in quotes", error);
        word[length++] = byte;
    }
    word[length] = '\0';
    return take(reading, quote) ? PST_OK : unexpected(reading, "the end of a text in quotes", error);
}

/* ---- the three entries --------------------------------------------------------------------------------- */

/* NumPy's names of elements, without the byte order. */
static const struct {
    const char *name;
    enum pst_element element;
    bool boolean;
} elements[] = {
    { "b1", PST_ELEMENT_U8, true },   { "u1", PST_ELEMENT_U8, false },  { "i1", PST_ELEMENT_I8, false },
    { "u2", PST_ELEMENT_U16, false }, { "i2", PST_ELEMENT_I16, false }, { "u4", PST_ELEMENT_U32, false },
    { "i4", PST_ELEMENT_I32, false }, { "u8", PST_ELEMENT_U64, false }, { "i8", PST_ELEMENT_I64, false },
    { "f2", PST_ELEMENT_F16, false }, { "f4", PST_ELEMENT_F32, false }, { "f8", PST_ELEMENT_F64, false },
};

static bool find_element(struct pst_array *array, const char *word)
{
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++) {
        if (strcmp(elements[i].name, word + (word[0] != '\0')) != 0)
            continue;
        array->element = elements[i].element;
        array->boolean = elements[i].boolean;
        array->swapped = word[0] == '>' && pst_element_size(array->element) > 1;
        return word[0] == '<' || word[0] == '>' || (word[0] == '|' && pst_element_size(array->element) == 1);
    }
    return false;
}

static enum pst_status take_elements(struct pst_array *array, struct reading *reading,
                                     struct pst_error *error)
{
    char word[MOST_WORD] = "";
    if (next(reading) == '[')
        return pst_fail(error, PST_BAD_DATA,
                        "its elements are records (a structured type), which are not read; save an array for "
                        "each field");
    enum pst_status status = take_text(reading, word, error);
    if (status != PST_OK || find_element(array, word))
        return status;
    if (strchr(word, 'O') != NULL)
        return pst_fail(
            error, PST_BAD_DATA,
            "its elements are Python objects ('%s'), and pickles are never read; save numbers, as "
            "array.astype('f4')",
            word);
    return pst_fail(error, PST_BAD_DATA,
                    "its elements are of type '%s'; there are b1, u1 to u8, i1 to i8, f2, f4 and f8", word);
}

static enum pst_status take_order(bool *fortran, struct reading *reading, struct pst_error *error)
{
    *fortran = take_word(reading, "True");
    return *fortran || take_word(reading, "False") ? PST_OK : unexpected(reading, "True or False", error);
}

/* Reads a size, which Python 2 may have ended with an L. */
static enum pst_status take_size(size_t *size, struct reading *reading, struct pst_error *error)
{
    size_t first = reading->at;
    *size = 0;
    while (reading->at < reading->size && reading->text[reading->at] >= '0' &&
           reading->text[reading->at] <= '9') {
        size_t digit = (size_t)(reading->text[reading->at++] - '0');
        if (!pst_multiply(*size, 10, size) || *size > SIZE_MAX - digit)
            return pst_fail(error, PST_BAD_DATA, "damaged header: the size at byte %zu is beyond all memory",
                            reading->before + first);
        *size += digit;
    }
    if (reading->at == first)
        return unexpected(reading, "a size", error);
    if (*size == 0)
        return pst_fail(error, PST_BAD_DATA, "there is nothing in it: a dimension is 0");
    (void)take_word(reading, "L");
    return PST_OK;
}

static enum pst_status take_shape(struct pst_array *array, struct reading *reading, struct pst_error *error)
{
    bool ended = false, comma = false;
    array->rank = 0;
    if (!take(reading, '('))
        return unexpected(reading, "'('", error);
    while (!(ended = take(reading, ')')) && (array->rank == 0 || comma)) {
        if (array->rank == PST_ARRAY_MAX_RANK)
            return pst_fail(error, PST_BAD_DATA, "it has more than %d dimensions", PST_ARRAY_MAX_RANK);
        enum pst_status status = take_size(&array->shape[array->rank++], reading, error);
        if (status != PST_OK)
            return status;
        comma = take(reading, ',');
    }
    if (!ended || (array->rank == 1 && !comma))
        return unexpected(reading, ended ? "a comma before ')'" : "',' or ')'", error);
    return array->rank > 0
               ? PST_OK
               : pst_fail(
                     error, PST_BAD_DATA,
                     "it is a single number, without dimensions; the first dimension is that of samples");
}

/* ---- the dictionary ------------------------------------------------------------------------------------ */

static enum pst_status take_entry(struct pst_array *array, bool *fortran, unsigned *seen,
                                  struct reading *reading, struct pst_error *error)
{
    static const char *const keys[] = { "descr", "fortran_order", "shape" };
    char key[MOST_WORD];
    size_t which = 0;
    enum pst_status status = take_text(reading, key, error);
    if (status != PST_OK)
        return status;
    while (which < 3 && strcmp(keys[which], key) != 0)
        which++;
    if (which == 3 || (*seen >> which & 1) != 0)
        return pst_fail(error, PST_BAD_DATA, "damaged header: '%s' before byte %zu is %s", key,
                        reading->before + reading->at, which == 3 ? "not one of its keys" : "there twice");
    *seen |= 1U << which;
    if (!take(reading, ':'))
        return unexpected(reading, "':'", error);
    return which == 0   ? take_elements(array, reading, error)
           : which == 1 ? take_order(fortran, reading, error)
                        : take_shape(array, reading, error);
}

enum pst_status pst_npy_parse(struct pst_array *array, bool *fortran, const char *text, size_t size,
                              size_t before, struct pst_error *error)
{
    struct reading reading = { .text = text, .size = size, .before = before };
    unsigned seen = 0;
    bool ended = false, comma = true;
    if (!take(&reading, '{'))
        return unexpected(&reading, "'{'", error);
    while (!(ended = take(&reading, '}')) && comma) {
        enum pst_status status = take_entry(array, fortran, &seen, &reading, error);
        if (status != PST_OK)
            return status;
        comma = take(&reading, ',');
    }
    if (!ended)
        return unexpected(&reading, "',' or '}'", error);
    (void)next(&reading);
    if (reading.at < size)
        return unexpected(&reading, "nothing but white space", error);
    return seen == 7 ? PST_OK
                     : pst_fail(error, PST_BAD_DATA,
                                "damaged header: it has not all of descr, fortran_order and shape");
}
