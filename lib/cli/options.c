/* Command lines: getopt_long splits them, the tables say what values mean. */
#include "pipestill/linux.h"

#include "lib/cli/frame.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LONG_ONLY = 1000, HELP = 2000, VERSION = 2001 };

/* getopt's view of the options. */
struct parser {
    struct option long_options[MOST_OPTIONS + 3];
    char letters[2 * MOST_OPTIONS + 4];
};

static void build_parser(struct parser *parser, const struct pst_frame *frame)
{
    *parser = (struct parser){ .letters = ":h" };
    for (size_t i = 0; i < frame->option_count; i++) {
        const struct pst_option *option = frame->options[i];
        bool flag = option->type == PST_FLAG;
        parser->long_options[i] = (struct option){ .name = option->name,
                                                   .has_arg = flag ? no_argument : required_argument,
                                                   .val = LONG_ONLY + (int)i };
        if (option->letter != 0) {
            char letter[3] = { (char)option->letter, flag ? '\0' : ':', '\0' };
            strcat(parser->letters, letter);
        }
    }
    parser->long_options[frame->option_count] = (struct option){ .name = "help", .val = HELP };
    parser->long_options[frame->option_count + 1] = (struct option){ .name = "version", .val = VERSION };
}

/* ---- values ------------------------------------------------------------------------------------------ */

/* An option that may be given several times: its values are collected for the history, in their order. */
static enum pst_status take_listed(struct pst_frame *frame, const struct pst_option *option,
                                   const char *value, struct pst_error *error)
{
    enum pst_status status = option->take((char *)frame->run.self + option->at, value, error);
    if (status != PST_OK)
        return pst_fail_at(error, "--%s %s", option->name, value);
    if (option->silent)
        return PST_OK;
    json_t *list = json_object_get(frame->details, option->name);
    if (list == NULL) {
        list = json_array();
        json_object_set_new(frame->details, option->name, list);
    }
    json_array_append_new(list, json_string(value));
    return PST_OK;
}

static enum pst_status set_value(const struct pst_option *option, void *object, const char *value,
                                 struct pst_error *error)
{
    if (pst_option_set(option, object, value))
        return PST_OK;
    char values[256];
    pst_describe_values(option, values, sizeof values);
    return pst_fail(error, PST_USAGE, "--%s: '%s' is not %s", option->name, value, values);
}

/* The value of an option. A second value must equal the first, because the program cannot guess which one is
 * meant. */
static enum pst_status take_value(struct pst_frame *frame, size_t at, const char *value,
                                  struct pst_error *error)
{
    const struct pst_option *option = frame->options[at];
    void *object = pst_option_object(frame, at);
    if (value != NULL && !option->silent && !pst_is_utf8(value))
        return pst_fail(error, PST_USAGE,
                        "--%s: '%s' is not UTF-8, and streams tell what a stage was asked for", option->name,
                        value);
    if (option->type == PST_LIST) {
        frame->seen[at] = true;
        return take_listed(frame, option, value, error);
    }
    json_t *before = frame->seen[at] ? pst_option_to_json(option, object) : NULL;
    frame->seen[at] = true;
    enum pst_status status = set_value(option, object, value, error);
    json_t *after = before != NULL ? pst_option_to_json(option, object) : NULL;
    if (status == PST_OK && before != NULL && !json_equal(before, after))
        status =
            pst_fail(error, PST_USAGE, "--%s is given twice, and '%s' is not its first value; give it once",
                     option->name, value);
    json_decref(before);
    json_decref(after);
    return status;
}

static enum pst_status check_required(const struct pst_frame *frame, struct pst_error *error)
{
    for (size_t i = 0; i < frame->option_count; i++) {
        if (frame->options[i]->required && !frame->seen[i])
            return pst_fail(error, PST_USAGE, "--%s is needed; --help says more", frame->options[i]->name);
    }
    return PST_OK;
}

/* ---- history ----------------------------------------------------------------------------------------- */

static void note_options(struct pst_frame *frame)
{
    for (size_t i = 0; i < frame->own_count; i++) {
        const struct pst_option *option = frame->options[i];
        json_t *value = option->silent ? NULL : pst_option_to_json(option, frame->run.self);
        if (value != NULL)
            json_object_set_new(frame->details, option->name, value);
    }
}

/* ---- the command line -------------------------------------------------------------------------------- */

static enum pst_status show_help(struct pst_frame *frame, bool as_table, struct pst_error *error)
{
    char *text = pst_help_text(frame, as_table);
    if (text == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the help text");
    enum pst_status status = pst_print(&frame->run, text, error);
    free(text);
    return status == PST_OK ? PST_END : status;
}

static enum pst_status show_version(struct pst_frame *frame, struct pst_error *error)
{
    char text[128];
    snprintf(text, sizeof text, "%s %s\n", frame->stage->name, PST_VERSION);
    enum pst_status status = pst_print(&frame->run, text, error);
    return status == PST_OK ? PST_END : status;
}

static enum pst_status take_option(struct pst_frame *frame, int code, char **argv, struct pst_error *error)
{
    if (code == 'h' || code == HELP)
        return show_help(frame, false, error);
    if (code == VERSION)
        return show_version(frame, error);
    if (code == ':')
        return pst_fail(error, PST_USAGE, "%s: a value is missing", argv[optind - 1]);
    if (code >= LONG_ONLY)
        return take_value(frame, (size_t)(code - LONG_ONLY), optarg, error);
    for (size_t i = 0; i < frame->option_count && code != '?'; i++) {
        if (frame->options[i]->letter == code)
            return take_value(frame, i, optarg, error);
    }
    if (optopt > 0 && optopt < 128) {
        char text[3] = { '-', (char)optopt, '\0' };
        return pst_unknown_option(frame, text, error);
    }
    if (optopt != 0 && optopt < LONG_ONLY) {
        /* A byte of a letter beyond ASCII: the message names the whole word. getopt moves on only after its
         * last byte. */
        const char *before = argv[optind - 1];
        bool last = *before == '-' && strchr(before, optopt) != NULL;
        return pst_unknown_option(frame, last ? before : argv[optind], error);
    }
    if (optopt >= LONG_ONLY)
        return pst_fail(error, PST_USAGE, "%s: takes no value", argv[optind - 1]);
    return pst_unknown_option(frame, argv[optind - 1], error);
}

static enum pst_status check_operands(const struct pst_stage *stage, size_t count, char **operands,
                                      struct pst_error *error)
{
    if (count < stage->least_operands)
        return pst_fail(error, PST_USAGE, "%s is missing; --help says more", stage->operands);
    if (count > stage->most_operands)
        return pst_fail(error, PST_USAGE, "'%s' is one argument too many; --help says more",
                        operands[stage->most_operands]);
    return PST_OK;
}

enum pst_status pst_parse_options(struct pst_frame *frame, int argc, char **argv, struct pst_error *error)
{
    struct parser parser;
    int code;
    if (argc == 2 && strcmp(argv[1], "--list-options") == 0) /* for programs; people have --help */
        return show_help(frame, true, error);
    build_parser(&parser, frame);
    opterr = 0;
    while ((code = getopt_long(argc, argv, parser.letters, parser.long_options, NULL)) != -1) {
        enum pst_status status = take_option(frame, code, argv, error);
        if (status != PST_OK)
            return status;
    }
    frame->operands = argv + optind;
    frame->operand_count = (size_t)(argc - optind);
    note_options(frame);
    enum pst_status status = check_required(frame, error);
    if (status == PST_OK)
        status = check_operands(frame->stage, frame->operand_count, frame->operands, error);
    return status == PST_OK ? pst_check_needs(frame, error) : status;
}

const char *pst_options_given(const struct pst_run *run, const char *const *names)
{
    for (; *names != NULL; names++) {
        size_t at = pst_option_find(run->frame, *names, strlen(*names));
        if (at != PST_NONE && run->frame->seen[at])
            return *names;
    }
    return NULL;
}
