/* The meaning of inputs and outputs: keys of a header that loader writes and models keep. */
#include "pipestill/stream.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static const char *const about_keys[] = { "inputs", "class_names", "output_names", "outputs" };

enum { INPUTS, CLASS_NAMES, OUTPUT_NAMES, OUTPUTS, KEYS };

/* ---- checks ------------------------------------------------------------------------------------------ */

/* A text without NUL, so that C sees all of it. */
static bool is_text(const json_t *text)
{
    return json_is_string(text) && strlen(json_string_value(text)) == json_string_length(text);
}

static bool are_texts(const json_t *list)
{
    bool good = json_is_array(list);
    for (size_t i = 0; good && i < json_array_size(list); i++)
        good = is_text(json_array_get(list, i));
    return good;
}

/* Whether all columns have different names. Also returns false if memory is short. */
static bool names_differ(const json_t *columns)
{
    json_t *names = json_object();
    for (size_t i = 0; i < json_array_size(columns); i++)
        json_object_set_new(names, json_string_value(json_object_get(json_array_get(columns, i), "name")),
                            json_true());
    bool differ = json_object_size(names) == json_array_size(columns);
    json_decref(names);
    return differ;
}

/* Whether all are finite numbers and, if they are deviations, above 0. */
static bool are_numbers(const json_t *list, bool positive)
{
    bool good = json_is_array(list);
    for (size_t i = 0; good && i < json_array_size(list); i++) {
        const json_t *number = json_array_get(list, i);
        double value = json_number_value(number);
        good = json_is_number(number) && isfinite(value) && (value > 0 || !positive);
    }
    return good;
}

static bool is_column(const json_t *column)
{
    const json_t *categories = json_object_get(column, "categories");
    const json_t *missing = json_object_get(column, "missing");
    return is_text(json_object_get(column, "name")) &&
           (categories == NULL || (are_texts(categories) && json_array_size(categories) > 0)) &&
           (missing == NULL || json_is_number(missing));
}

/* What is wrong with a map's mean and deviation, which are optional; NULL: nothing. */
static const char *wrong_in_standard(const json_t *map)
{
    const json_t *mean = json_object_get(map, "mean"), *deviation = json_object_get(map, "deviation");
    if (mean == NULL && deviation == NULL)
        return NULL;
    if (!are_numbers(mean, false) || !are_numbers(deviation, true) || json_array_size(mean) == 0 ||
        json_array_size(mean) != json_array_size(deviation))
        return "'mean' and 'deviation' are not two lists of numbers, as many, with deviations above 0";
    return NULL;
}

/* Two whole numbers: neighbours before a sample, and behind it. */
static bool is_splice(const json_t *splice)
{
    bool good = json_is_array(splice) && json_array_size(splice) == 2;
    for (size_t i = 0; good && i < 2; i++)
        good =
            json_is_integer(json_array_get(splice, i)) && json_integer_value(json_array_get(splice, i)) >= 0;
    return good;
}

/* What is wrong with `inputs`; NULL: nothing. */
static const char *wrong_in_inputs(const json_t *inputs)
{
    const json_t *columns = json_object_get(inputs, "columns");
    const json_t *made = json_object_get(inputs, "made"), *splice = json_object_get(inputs, "splice");
    if (!json_is_object(inputs))
        return "it is not a map";
    if (made != NULL && !is_text(made))
        return "'made' is not a text";
    if (splice != NULL && !is_splice(splice))
        return "'splice' is not a list of two whole numbers";
    for (size_t i = 0; i < json_array_size(columns); i++)
        if (!is_column(json_array_get(columns, i)))
            return "an entry of 'columns' is not a column";
    if (columns != NULL && !json_is_array(columns))
        return "'columns' is not a list";
    if (!names_differ(columns))
        return "two columns have the same name";
    return wrong_in_standard(inputs);
}

enum pst_status pst_about_check(const struct json_t *about, struct pst_error *error)
{
    const json_t *inputs = json_object_get(about, "inputs");
    const char *wrong = inputs == NULL ? NULL : wrong_in_inputs(inputs);
    if (wrong != NULL)
        return pst_fail(error, PST_BAD_DATA, "'inputs': %s", wrong);
    const json_t *outputs = json_object_get(about, "outputs");
    wrong = outputs == NULL ? NULL : json_is_object(outputs) ? wrong_in_standard(outputs) : "it is not a map";
    if (wrong != NULL)
        return pst_fail(error, PST_BAD_DATA, "'outputs': %s", wrong);
    for (size_t i = CLASS_NAMES; i <= OUTPUT_NAMES; i++) {
        const json_t *names = json_object_get(about, about_keys[i]);
        if (names != NULL && !are_texts(names))
            return pst_fail(error, PST_BAD_DATA, "'%s' is not a list of texts", about_keys[i]);
    }
    return PST_OK;
}

enum pst_status pst_header_about(const struct pst_header *header, struct json_t **about,
                                 struct pst_error *error)
{
    *about = json_object();
    enum pst_status status = *about == NULL ? PST_TRY_AGAIN : PST_OK;
    for (size_t i = 0; i < KEYS && status == PST_OK; i++) {
        json_t *value = json_object_get(header->other, about_keys[i]);
        if (value != NULL && json_object_set(*about, about_keys[i], value) != 0)
            status = PST_TRY_AGAIN;
    }
    if (status != PST_OK)
        return pst_fail(error, status, "out of memory for a header");
    return pst_about_check(*about, error) == PST_OK ? PST_OK : pst_fail_at(error, "the header of the stream");
}

/* ---- comparisons --------------------------------------------------------------------------------------- */

static bool same_numbers(const json_t *a, const json_t *b)
{
    bool same = json_array_size(a) == json_array_size(b);
    for (size_t i = 0; same && i < json_array_size(a); i++)
        same = json_number_value(json_array_get(a, i)) == json_number_value(json_array_get(b, i));
    return same;
}

/* Compares columns by names and categories. Returns NULL, or the name of the first that differs. */
static const char *other_column(const json_t *has, const json_t *wants)
{
    size_t count = json_array_size(wants);
    for (size_t i = 0; i < count || i < json_array_size(has); i++) {
        const json_t *a = json_array_get(has, i), *b = json_array_get(wants, i);
        const char *name = json_string_value(json_object_get(b != NULL ? b : a, "name"));
        const json_t *ours = json_object_get(a, "categories"), *theirs = json_object_get(b, "categories");
        if (a == NULL || b == NULL || !json_equal(json_object_get(a, "name"), json_object_get(b, "name")) ||
            (ours != theirs && !json_equal(ours, theirs)))
            return name;
    }
    return NULL;
}

/* Inputs made or spliced in another way may have the same shape, but mean something else. */
static enum pst_status compare_making(const json_t *has, const json_t *wants, const char *who,
                                      struct pst_error *error)
{
    const json_t *made = json_object_get(has, "made"), *wanted = json_object_get(wants, "made");
    const json_t *splice = json_object_get(has, "splice"), *wanted_splice = json_object_get(wants, "splice");
    if (made != NULL && wanted != NULL && !json_equal(made, wanted))
        return pst_fail(error, PST_BAD_DATA, "%s learned from '%.150s', and the stream's inputs are '%.150s'",
                        who, json_string_value(wanted), json_string_value(made));
    if (splice == NULL || wanted_splice == NULL || json_equal(splice, wanted_splice))
        return PST_OK;
    return pst_fail(
        error, PST_BAD_DATA,
        "%s learned from inputs with %lld neighbours before and %lld behind, and the stream's have "
        "%lld and %lld",
        who, json_integer_value(json_array_get(wanted_splice, 0)),
        json_integer_value(json_array_get(wanted_splice, 1)), json_integer_value(json_array_get(splice, 0)),
        json_integer_value(json_array_get(splice, 1)));
}

enum pst_status pst_about_compare_inputs(const struct json_t *stream, const struct json_t *model,
                                         const char *who, bool bytes, struct pst_error *error)
{
    const json_t *has = json_object_get(stream, "inputs"), *wants = json_object_get(model, "inputs");
    const json_t *mean = json_object_get(has, "mean"), *wanted = json_object_get(wants, "mean");
    const json_t *columns = json_object_get(has, "columns"),
                 *wanted_columns = json_object_get(wants, "columns");
    const char *column =
        columns != NULL && wanted_columns != NULL ? other_column(columns, wanted_columns) : NULL;
    if (compare_making(has, wants, who, error) != PST_OK)
        return PST_BAD_DATA;
    if (column != NULL)
        return pst_fail(
            error, PST_BAD_DATA,
            "column '%.60s' of the stream's inputs is not as %s learned from: loader --like MODEL "
            "makes rows fit",
            column, who);
    if (bytes || (same_numbers(mean, wanted) &&
                  same_numbers(json_object_get(has, "deviation"), json_object_get(wants, "deviation"))))
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA,
                    "%s learned from inputs that were %s, and the stream's are %s: loader --like MODEL makes "
                    "them fit",
                    who, wanted != NULL ? "standardised" : "not standardised",
                    mean == NULL     ? "not"
                    : wanted != NULL ? "standardised otherwise"
                                     : "standardised");
}

enum pst_status pst_about_compare_outputs(const struct json_t *stream, const struct json_t *model,
                                          const char *who, struct pst_error *error)
{
    for (size_t k = CLASS_NAMES; k <= OUTPUT_NAMES; k++) {
        const json_t *has = json_object_get(stream, about_keys[k]),
                     *wants = json_object_get(model, about_keys[k]);
        for (size_t i = 0; i < json_array_size(has) && i < json_array_size(wants); i++) {
            const char *a = json_string_value(json_array_get(has, i));
            const char *b = json_string_value(json_array_get(wants, i));
            if (strcmp(a, b) != 0)
                return pst_fail(error, PST_BAD_DATA, "%s %zu is '%.60s' to %s, but '%.60s' in the stream",
                                k == CLASS_NAMES ? "class" : "output", i, b, who, a);
        }
    }
    return PST_OK;
}

/* The place of a text in a list, or the list's size. */
static size_t place_of(const json_t *list, const json_t *text)
{
    size_t place = 0;
    while (place < json_array_size(list) && !json_equal(json_array_get(list, place), text))
        place++;
    return place;
}

enum pst_status pst_about_compare_order(const struct json_t *stream, const struct json_t *model,
                                        const char *who, struct pst_error *error)
{
    for (size_t k = CLASS_NAMES; k <= OUTPUT_NAMES; k++) {
        const json_t *has = json_object_get(stream, about_keys[k]),
                     *wants = json_object_get(model, about_keys[k]);
        for (size_t i = 0; i < json_array_size(has) && !json_equal(has, wants); i++) {
            size_t place = place_of(wants, json_array_get(has, i));
            if (place != i && place < json_array_size(wants))
                return pst_fail(
                    error, PST_BAD_DATA,
                    "'%.60s' is %s %zu in the stream, but %zu to %s: loader --like MODEL makes them fit",
                    json_string_value(json_array_get(has, i)), k == CLASS_NAMES ? "class" : "output", i,
                    place, who);
        }
    }
    return PST_OK;
}
