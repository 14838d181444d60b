/* Labels of a set from arrays: whole numbers become classes or bits, and all others numbers. */
#include "lib/data/arrays/array.h"

#include <math.h>

static bool holds_fractions(const struct pst_array *array)
{
    return array->element == PST_ELEMENT_F16 || array->element == PST_ELEMENT_F32 ||
           array->element == PST_ELEMENT_F64;
}

/* Refuses options that are about labels of another kind. */
static enum pst_status check_meaning(const struct pst_dataset *dataset, size_t width, const char *path,
                                     const struct pst_label_meaning *meaning, struct pst_error *error)
{
    if (meaning->one_hot && width < 2)
        return pst_fail(error, PST_USAGE, "%s: its labels are single numbers, and --one-hot is for rows",
                        path);
    if (meaning->one_hot && meaning->classes > 0 && meaning->classes != width)
        return pst_fail(error, PST_USAGE, "%s: its rows are of %zu classes, but --classes says %zu", path,
                        width, meaning->classes);
    if (meaning->one_hot && width > PST_MAX_CLASSES)
        return pst_fail(error, PST_BAD_DATA, "%s: rows of %zu; there are at most %u classes", path, width,
                        PST_MAX_CLASSES);
    if (dataset->label_kind != PST_LABELS_CLASS && (meaning->classes > 0 || meaning->first_label != 0))
        return pst_fail(error, PST_USAGE,
                        "%s: its labels are %s, and --classes and --first-label are for classes", path,
                        dataset->label_kind == PST_LABELS_BITS ? "rows of bits" : "numbers");
    return PST_OK;
}

enum pst_status pst_labels_describe(struct pst_dataset *dataset, const struct pst_array *labels,
                                    const char *path, const struct pst_label_meaning *meaning,
                                    struct pst_error *error)
{
    size_t width = pst_array_width(labels);
    if (labels->rank > 2)
        return pst_fail(error, PST_BAD_DATA, "%s: %zu dimensions; labels have one or two", path,
                        labels->rank);
    if (meaning->one_hot)
        dataset->label_kind = PST_LABELS_CLASS;
    else if (meaning->regression || holds_fractions(labels))
        dataset->label_kind = PST_LABELS_NUMBERS;
    else
        dataset->label_kind = width > 1 ? PST_LABELS_BITS : PST_LABELS_CLASS;
    dataset->label_width = labels->rank == 2 && dataset->label_kind != PST_LABELS_CLASS ? width : 0;
    return check_meaning(dataset, width, path, meaning, error);
}

/* The state of converting an array. */
struct conversion {
    const struct pst_label_meaning *meaning;
    enum pst_label_kind kind;
    void *labels; /* of the set, from the array's first sample on */
    size_t width, largest;
};

static enum pst_status convert_class(struct conversion *conversion, double number, int32_t *class,
                                     struct pst_error *error)
{
    const struct pst_label_meaning *meaning = conversion->meaning;
    enum pst_status status =
        pst_class_of_number(number, meaning->first_label, meaning->classes, class, error);
    if (status == PST_OK && (size_t) * class > conversion->largest)
        conversion->largest = (size_t) * class;
    return status;
}

/* Takes the next number of a row, which has 1 at one place, and 0 at all others. */
static enum pst_status convert_one_hot(struct conversion *conversion, size_t place, double number,
                                       struct pst_error *error)
{
    size_t column = place % conversion->width;
    int32_t *class = (int32_t *)conversion->labels + place / conversion->width;
    if (column == 0)
        *class = -1;
    if (number != 0 && (number != 1 || *class >= 0))
        return pst_fail(error, PST_BAD_DATA, "--one-hot: a row has one 1, and is 0 elsewhere");
    if (number == 1)
        *class = (int32_t)column;
    if (column + 1 == conversion->width && *class < 0)
        return pst_fail(error, PST_BAD_DATA, "--one-hot: there is no 1 in the row");
    conversion->largest = conversion->width - 1;
    return PST_OK;
}

static enum pst_status convert_bit(double number, uint8_t *bit, struct pst_error *error)
{
    if (number != 0 && number != 1)
        return pst_fail(error, PST_BAD_DATA, "a bit is 0 or 1; --regression takes rows of other numbers");
    *bit = number != 0;
    return PST_OK;
}

static enum pst_status convert_number(double number, float *to, struct pst_error *error)
{
    *to = (float)number;
    return isfinite(*to) ? PST_OK : pst_fail(error, PST_BAD_DATA, "it is not a finite number of 32 bits");
}

static enum pst_status convert_label(void *own, size_t place, double number, struct pst_error *error)
{
    struct conversion *conversion = own;
    if (conversion->meaning->one_hot)
        return convert_one_hot(conversion, place, number, error);
    if (conversion->kind == PST_LABELS_CLASS)
        return convert_class(conversion, number, (int32_t *)conversion->labels + place, error);
    if (conversion->kind == PST_LABELS_BITS)
        return convert_bit(number, (uint8_t *)conversion->labels + place, error);
    return convert_number(number, (float *)conversion->labels + place, error);
}

/* ---- whole arrays -------------------------------------------------------------------------------------- */

/* Takes a number of an array; place: how many stand before it. */
typedef enum pst_status take_number(void *own, size_t place, double number, struct pst_error *error);

/* Says which number is wrong. what: what the array holds. */
static enum pst_status wrong_number(const struct pst_array *array, const char *path, const char *what,
                                    size_t place, double number, struct pst_error *error)
{
    size_t byte = array->header + place * pst_element_size(array->element);
    size_t sample = place / pst_array_width(array);
    if (error == NULL)
        return PST_BAD_DATA;
    return array->header > 0
               ? pst_fail_at(error, "%s: %s %g of sample %zu, at byte %zu", path, what, number, sample, byte)
               : pst_fail_at(error, "%s: %s %g of sample %zu", path, what, number, sample);
}

static enum pst_status take_numbers(const struct pst_array *array, const char *path, const char *what,
                                    take_number *take, void *own, struct pst_error *error)
{
    enum { BLOCK = 512 };
    uint64_t block[BLOCK]; /* elements of any type; 8 bytes are enough for one */
    size_t count = array->shape[0] * pst_array_width(array);
    for (size_t at = 0, some; at < count; at += some) {
        some = count - at < BLOCK ? count - at : BLOCK;
        enum pst_status status = pst_array_read(array, at, some, block, error);
        if (status != PST_OK)
            return error == NULL ? status : pst_fail_at(error, "%s", path);
        for (size_t i = 0; i < some; i++) {
            double number = pst_element_number(array->element, block, i);
            if (take(own, at + i, number, error) != PST_OK)
                return wrong_number(array, path, what, at + i, number, error);
        }
    }
    return PST_OK;
}

enum pst_status pst_labels_convert(struct pst_dataset *dataset, const struct pst_array *labels,
                                   const char *path, const struct pst_label_meaning *meaning, size_t first,
                                   size_t *largest, struct pst_error *error)
{
    struct conversion conversion = { .meaning = meaning,
                                     .kind = dataset->label_kind,
                                     .labels =
                                         (char *)dataset->labels + first * pst_dataset_label_bytes(dataset),
                                     .width = pst_array_width(labels),
                                     .largest = *largest };
    enum pst_status status = take_numbers(labels, path, "label", convert_label, &conversion, error);
    *largest = conversion.largest;
    return status;
}

static enum pst_status convert_weight(void *own, size_t place, double number, struct pst_error *error)
{
    float *weights = own;
    return number < 0 ? pst_fail(error, PST_BAD_DATA, "a weight is 0 or more")
                      : convert_number(number, &weights[place], error);
}

enum pst_status pst_weights_convert(float *weights, const struct pst_array *array, const char *path,
                                    struct pst_error *error)
{
    return take_numbers(array, path, "weight", convert_weight, weights, error);
}
