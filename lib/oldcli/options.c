/* Command lines: getopt_long does the splitting, the tables say what values mean. */
#include "lib/base/linux.h"

#include "lib/oldcli/cli.h"

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

/* The command line of this program. */
static struct parser command_line;

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
    if (pst_option_set(option, value))
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

static void note_options(void)
{
    const struct pst_option *option = pst_cli.stage->options;
    for (; option != NULL && option->type != PST_OPTION_END; option++) {
        json_t *value = option->silent ? NULL : pst_option_to_json(option);
        if (value != NULL)
            json_object_set_new(pst_cli.details, option->name, value);
    }
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
    struct parser *parser = &command_line;
    build_parser(parser);
    int code;
    opterr = 0;
    while ((code = getopt_long(argc, argv, parser->letters, parser->long_options, NULL)) != -1) {
        enum pst_status status = take_option(parser, code, argv, error);
        if (status != PST_OK)
            return status;
    }
    *first_operand = optind;
    note_options();
    enum pst_status status = check_required(parser, error);
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

const char *pst_options_given(const char *const *names)
{
    for (; *names != NULL; names++) {
        for (size_t i = 0; i < command_line.count; i++) {
            if (command_line.seen[i] && strcmp(command_line.options[i]->name, *names) == 0)
                return *names;
        }
    }
    return NULL;
}
