/* Command lines: getopt_long does the splitting, the tables say what values mean. */
#include "lib/base/linux.h"

#include "lib/cli/cli.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_OPTIONS = 64, LONG_ONLY = 1000, HELP = 2000, VERSION = 2001 };

/* getopt's view of the tables. */
struct parser {
    const struct pst_option *options[MOST_OPTIONS];
    bool seen[MOST_OPTIONS];
    size_t count;
    struct option long_options[MOST_OPTIONS + 3];
    char letters[2 * MOST_OPTIONS + 4];
};

static void add_table(struct parser *parser, const struct pst_option *table)
{
    for (; table != NULL && table->type != PST_OPTION_END && parser->count < MOST_OPTIONS; table++) {
        size_t at = parser->count++;
        parser->options[at] = table;
        parser->long_options[at] = (struct option){
            .name = table->name,
            .has_arg = table->type == PST_FLAG ? no_argument : required_argument,
            .val = LONG_ONLY + (int)at,
        };
        if (table->letter != 0) {
            char letter[3] = { (char)table->letter, table->type == PST_FLAG ? '\0' : ':', '\0' };
            strcat(parser->letters, letter);
        }
    }
}

static void build_parser(struct parser *parser)
{
    *parser = (struct parser){ .letters = ":h" };
    add_table(parser, pst_cli.stage->options);
    add_table(parser, pst_common_options(pst_cli.kind, pst_cli.stage->uses_blas));
    parser->long_options[parser->count] = (struct option){ .name = "help", .val = HELP };
    parser->long_options[parser->count + 1] = (struct option){ .name = "version", .val = VERSION };
}

/* ---- values ------------------------------------------------------------------------------------------ */

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

/* Writes a value to the option's target; false where it is not one of its values. */
static bool set_value(const struct pst_option *option, const char *value)
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

/* An option that may come several times: its values are collected for the history as they come. */
static enum pst_status take_listed(const struct pst_option *option, const char *value,
                                   struct pst_error *error)
{
    enum pst_status status = option->take(value, error);
    if (status != PST_OK)
        return pst_fail_at(error, "--%s %s", option->name, value);
    if (option->silent)
        return PST_OK;
    json_t *list = json_object_get(pst_cli.details, option->name);
    if (list == NULL) {
        list = json_array();
        json_object_set_new(pst_cli.details, option->name, list);
    }
    json_array_append_new(list, json_string(value));
    return PST_OK;
}

static enum pst_status take_value(struct parser *parser, size_t at, const char *value,
                                  struct pst_error *error)
{
    const struct pst_option *option = parser->options[at];
    parser->seen[at] = true;
    if (option->type == PST_LIST)
        return take_listed(option, value, error);
    if (set_value(option, value))
        return PST_OK;
    char values[256];
    pst_describe_values(option, values, sizeof values);
    return pst_fail(error, PST_USAGE, "--%s: '%s' is not %s", option->name, value, values);
}

/* ---- mistakes ---------------------------------------------------------------------------------------- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance, for words of up to 31 letters. */
static size_t distance(const char *a, const char *b)
{
    size_t row[32], length = strlen(b);
    if (length > 31)
        return length;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; *a != '\0'; a++, i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t above = row[j];
            row[j] = least(diagonal + (*a != b[j - 1]), least(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[length];
}

static enum pst_status unknown_option(const struct parser *parser, const char *text, struct pst_error *error)
{
    char name[32] = "";
    const char *nearest = NULL;
    size_t best = 3;
    sscanf(text, "--%31[^=]", name);
    for (size_t i = 0; i < parser->count && name[0] != '\0'; i++) {
        size_t far = distance(name, parser->options[i]->name);
        if (far < best) {
            best = far;
            nearest = parser->options[i]->name;
        }
    }
    if (nearest != NULL)
        return pst_fail(error, PST_USAGE, "there is no option '%s'; did you mean --%s?", text, nearest);
    return pst_fail(error, PST_USAGE, "there is no option '%s'; --help lists them", text);
}

static enum pst_status check_required(const struct parser *parser, struct pst_error *error)
{
    for (size_t i = 0; i < parser->count; i++) {
        if (parser->options[i]->required && !parser->seen[i])
            return pst_fail(error, PST_USAGE, "--%s is needed; --help says more", parser->options[i]->name);
    }
    return PST_OK;
}

/* ---- history ----------------------------------------------------------------------------------------- */

static json_t *value_to_json(const struct pst_option *option)
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

static void note_options(void)
{
    const struct pst_option *option = pst_cli.stage->options;
    for (; option != NULL && option->type != PST_OPTION_END; option++) {
        json_t *value = option->silent ? NULL : value_to_json(option);
        if (value != NULL)
            json_object_set_new(pst_cli.details, option->name, value);
    }
}

/* ---- and back ---------------------------------------------------------------------------------------- */

/* A number as text that the option's own parser reads. */
static bool recall_number(const struct pst_option *option, const json_t *value)
{
    char text[64];
    if (json_is_integer(value))
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        snprintf(text, sizeof text, "%.17g", json_real_value(value));
    bool real = option->type == PST_DOUBLE || option->type == PST_POSITIVE_DOUBLE;
    return (json_is_integer(value) || (real && json_is_real(value))) && set_value(option, text);
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
        return json_is_string(value) && set_value(option, json_string_value(value));
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

/* ---- the command line -------------------------------------------------------------------------------- */

static enum pst_status show_help(struct pst_error *error)
{
    char *text = pst_help_text();
    if (text == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the help text");
    enum pst_status status = pst_print(text, error);
    free(text);
    return status == PST_OK ? PST_END : status;
}

static enum pst_status show_version(struct pst_error *error)
{
    char text[128];
    snprintf(text, sizeof text, "%s %s\n", pst_cli.stage->name, PST_VERSION);
    enum pst_status status = pst_print(text, error);
    return status == PST_OK ? PST_END : status;
}

static enum pst_status take_option(struct parser *parser, int code, char **argv, struct pst_error *error)
{
    if (code == 'h' || code == HELP)
        return show_help(error);
    if (code == VERSION)
        return show_version(error);
    if (code == ':')
        return pst_fail(error, PST_USAGE, "%s: a value is missing", argv[optind - 1]);
    if (code >= LONG_ONLY)
        return take_value(parser, (size_t)(code - LONG_ONLY), optarg, error);
    for (size_t i = 0; i < parser->count && code != '?'; i++) {
        if (parser->options[i]->letter == code)
            return take_value(parser, i, optarg, error);
    }
    if (optopt > 0 && optopt < 128) {
        char text[3] = { '-', (char)optopt, '\0' };
        return unknown_option(parser, text, error);
    }
    if (optopt != 0 && optopt < LONG_ONLY) {
        /* A byte of a letter beyond ASCII: the word is named whole. getopt moves on only after its last byte.
         */
        const char *before = argv[optind - 1];
        bool last = *before == '-' && strchr(before, optopt) != NULL;
        return unknown_option(parser, last ? before : argv[optind], error);
    }
    if (optopt >= LONG_ONLY)
        return pst_fail(error, PST_USAGE, "%s: takes no value", argv[optind - 1]);
    return unknown_option(parser, argv[optind - 1], error);
}

enum pst_status pst_parse_options(int argc, char **argv, int *first_operand, struct pst_error *error)
{
    struct parser parser;
    build_parser(&parser);
    int code;
    opterr = 0;
    while ((code = getopt_long(argc, argv, parser.letters, parser.long_options, NULL)) != -1) {
        enum pst_status status = take_option(&parser, code, argv, error);
        if (status != PST_OK)
            return status;
    }
    *first_operand = optind;
    note_options();
    enum pst_status status = check_required(&parser, error);
    if (status != PST_OK)
        return status;
    size_t operands = (size_t)(argc - optind);
    if (operands < pst_cli.stage->least_operands)
        return pst_fail(error, PST_USAGE, "%s is missing; --help says more", pst_cli.stage->operands);
    if (operands > pst_cli.stage->most_operands)
        return pst_fail(error, PST_USAGE, "'%s' is one argument too many; --help says more",
                        argv[optind + (int)pst_cli.stage->most_operands]);
    return PST_OK;
}
