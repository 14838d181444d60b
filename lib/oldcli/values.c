/* Values of options: as words of a command line, and as what a stream's history says of them. */
#include "lib/oldcli/cli.h"

#include <jansson.h>
#include <string.h>

/* ---- words ------------------------------------------------------------------------------------------- */

static bool is_bytes(const struct pst_option *option)
{
    return option->metavar != NULL && strcmp(option->metavar, "BYTES") == 0;
}

/* A whole number, with a suffix for powers of 1024 where bytes are meant. */
static bool parse_size(const struct pst_option *option, const char *value, uint64_t *number)
{
    uint64_t most = option->least == 0 && option->most == 0 ? INT64_MAX : (uint64_t)option->most;
    char digits[32];
    size_t length = strlen(value);
    const char *suffix = length > 0 ? strchr("kMG", value[length - 1]) : NULL;
    unsigned shift = 0;
    if (is_bytes(option) && suffix != NULL && length < sizeof digits) {
        shift = 10 * ((unsigned)(suffix - "kMG") + 1);
        length--;
    }
    if (length >= sizeof digits)
        return false;
    memcpy(digits, value, length);
    digits[length] = '\0';
    if (!pst_parse_u64(digits, 0, most >> shift, number))
        return false;
    *number <<= shift;
    return *number >= (uint64_t)option->least;
}

static bool parse_double(const struct pst_option *option, const char *value, double *number)
{
    bool free_range = option->least == 0 && option->most == 0;
    double most = free_range ? 1e300 : option->most;
    return pst_parse_double(value, option->least, most, number) &&
           (option->type != PST_POSITIVE_DOUBLE || *number > 0);
}

static bool parse_choice(const struct pst_option *option, const char *value, int *choice)
{
    for (int i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(value, option->choices[i]) == 0) {
            *choice = i;
            return true;
        }
    }
    return false;
}

bool pst_option_set(const struct pst_option *option, const char *value)
{
    uint64_t number;
    switch (option->type) {
    case PST_FLAG:
        *(bool *)option->target = true;
        return true;
    case PST_POSITIVE_DOUBLE:
    case PST_DOUBLE:
        return parse_double(option, value, option->target);
    case PST_SIZE:
        if (!parse_size(option, value, &number))
            return false;
        *(size_t *)option->target = number;
        return true;
    case PST_U64:
        return parse_size(option, value, option->target);
    case PST_STRING:
        *(const char **)option->target = value;
        return *value != '\0';
    case PST_CHOICE:
        return parse_choice(option, value, option->target);
    case PST_LIST:
    case PST_OPTION_END:
        break;
    }
    return false;
}

/* ---- history ----------------------------------------------------------------------------------------- */

json_t *pst_option_to_json(const struct pst_option *option)
{
    const char *text;
    switch (option->type) {
    case PST_FLAG:
        return json_boolean(*(const bool *)option->target);
    case PST_POSITIVE_DOUBLE:
    case PST_DOUBLE:
        return json_real(*(const double *)option->target);
    case PST_SIZE:
        return json_integer((json_int_t) * (const size_t *)option->target);
    case PST_U64:
        return json_integer((json_int_t) * (const uint64_t *)option->target);
    case PST_STRING:
        text = *(const char *const *)option->target;
        return text == NULL ? NULL : json_string(text);
    case PST_CHOICE:
        return json_string(option->choices[*(const int *)option->target]);
    case PST_LIST:
    case PST_OPTION_END:
        break;
    }
    return NULL;
}

/* A number as text that the option's own parser reads. */
static bool recall_number(const struct pst_option *option, const json_t *value)
{
    char text[64];
    if (json_is_integer(value))
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        snprintf(text, sizeof text, "%.17g", json_real_value(value));
    bool real = option->type == PST_DOUBLE || option->type == PST_POSITIVE_DOUBLE;
    return (json_is_integer(value) || (real && json_is_real(value))) && pst_option_set(option, text);
}

static bool recall_value(const struct pst_option *option, const json_t *value)
{
    switch (option->type) {
    case PST_FLAG:
        *(bool *)option->target = json_is_true(value);
        return json_is_boolean(value);
    case PST_POSITIVE_DOUBLE:
    case PST_DOUBLE:
    case PST_SIZE:
    case PST_U64:
        return recall_number(option, value);
    case PST_STRING:
    case PST_CHOICE:
        return json_is_string(value) && pst_option_set(option, json_string_value(value));
    case PST_LIST:
    case PST_OPTION_END:
        break;
    }
    return false;
}

static bool is_known(const char *key, const char *const *known)
{
    while (*known != NULL && strcmp(*known, key) != 0)
        known++;
    return *known != NULL;
}

enum pst_status pst_options_recall(const struct pst_option *options, const struct json_t *entry,
                                   const char *const *known, struct pst_error *error)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)entry, key, value)
    {
        const struct pst_option *option = options;
        while (option->type != PST_OPTION_END && strcmp(option->name, key) != 0)
            option++;
        bool listed = is_known(key, known);
        if (option->type == PST_OPTION_END ? !listed : !recall_value(option, value) && !listed)
            return pst_fail(error, PST_BAD_DATA,
                            "the history says '%s', which this program does not know; a newer one may", key);
    }
    return PST_OK;
}
