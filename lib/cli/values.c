/* Values of options: as words of a command line, and as JSON in a stream's history. */
#include "lib/cli/frame.h"

#include <jansson.h>
#include <string.h>

/* ---- words ------------------------------------------------------------------------------------------- */

static bool is_bytes(const struct pst_option *option)
{
    return option->metavar != NULL && strcmp(option->metavar, "BYTES") == 0;
}

/* A whole number, with a suffix for powers of 1024 if it counts bytes. */
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

bool pst_option_set(const struct pst_option *option, void *object, const char *value)
{
    void *place = (char *)object + option->at;
    uint64_t number;
    switch (option->type) {
    case PST_FLAG:
        *(bool *)place = true;
        return true;
    case PST_POSITIVE_DOUBLE:
    case PST_DOUBLE:
        return parse_double(option, value, place);
    case PST_SIZE:
        if (!parse_size(option, value, &number))
            return false;
        *(size_t *)place = number;
        return true;
    case PST_U64:
        return parse_size(option, value, place);
    case PST_STRING:
        *(const char **)place = value;
        return *value != '\0';
    case PST_CHOICE:
        return parse_choice(option, value, place);
    case PST_LIST:
    case PST_OPTION_END:
        break;
    }
    return false;
}

/* ---- history ----------------------------------------------------------------------------------------- */

json_t *pst_option_to_json(const struct pst_option *option, const void *object)
{
    const void *place = (const char *)object + option->at;
    const char *text;
    switch (option->type) {
    case PST_FLAG:
        return json_boolean(*(const bool *)place);
    case PST_POSITIVE_DOUBLE:
    case PST_DOUBLE:
        return json_real(*(const double *)place);
    case PST_SIZE:
        return json_integer((json_int_t) * (const size_t *)place);
    case PST_U64:
        return json_integer((json_int_t) * (const uint64_t *)place);
    case PST_STRING:
        text = *(const char *const *)place;
        return text == NULL ? NULL : json_string(text);
    case PST_CHOICE:
        return json_string(option->choices[*(const int *)place]);
    case PST_LIST:
    case PST_OPTION_END:
        break;
    }
    return NULL;
}
