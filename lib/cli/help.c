/* Help texts, made from the tables of options. */
#include "lib/cli/frame.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *metavar_of(const struct pst_option *option)
{
    static const char *const words[] = {
        [PST_POSITIVE_DOUBLE] = "NUMBER",
        [PST_DOUBLE] = "NUMBER",
        [PST_SIZE] = "N",
        [PST_U64] = "N",
        [PST_STRING] = "TEXT",
        [PST_CHOICE] = "WORD",
        [PST_LIST] = "TEXT",
    };
    return option->metavar != NULL ? option->metavar : words[option->type];
}

static void describe_choices(const struct pst_option *option, char *text, size_t size)
{
    size_t length = (size_t)snprintf(text, size, "one of");
    for (int i = 0; option->choices[i] != NULL && length < size; i++)
        length +=
            (size_t)snprintf(text + length, size - length, "%s %s", i == 0 ? "" : ",", option->choices[i]);
}

static void describe_range(const struct pst_option *option, const char *kind, char *text, size_t size)
{
    if (option->least == 0 && option->most == 0)
        snprintf(text, size, "%s from 0", kind);
    else
        snprintf(text, size, "%s from %.15g to %.15g", kind, option->least, option->most);
}

void pst_describe_values(const struct pst_option *option, char *text, size_t size)
{
    switch (option->type) {
    case PST_POSITIVE_DOUBLE:
        if (option->most > 0)
            snprintf(text, size, "a number above 0, at most %.15g", option->most);
        else
            snprintf(text, size, "a number above 0");
        break;
    case PST_DOUBLE:
        describe_range(option, "a number", text, size);
        break;
    case PST_SIZE:
    case PST_U64:
        describe_range(option, "a whole number", text, size);
        break;
    case PST_CHOICE:
        describe_choices(option, text, size);
        break;
    case PST_STRING:
    case PST_LIST:
    case PST_FLAG:
    case PST_OPTION_END:
        snprintf(text, size, "a text");
        break;
    }
}

/* Writes the value that an option has in a struct; false if there is none to show: a number below the least
 * one stands for an option that was not given. */
static bool describe_default(const struct pst_option *option, const void *object, char *text, size_t size)
{
    json_t *value = option->type == PST_FLAG ? NULL : pst_option_to_json(option, object);
    if (json_is_string(value))
        snprintf(text, size, "%s", json_string_value(value));
    else if (json_is_integer(value))
        snprintf(text, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, size, "%.15g", json_real_value(value));
    bool below =
        json_is_number(value) && (json_number_value(value) < option->least ||
                                  (option->type == PST_POSITIVE_DOUBLE && json_number_value(value) <= 0));
    bool shown = value != NULL && !below;
    json_decref(value);
    return shown;
}

/* "(a number above 0; default 1)", or nothing for a flag. */
static void describe_value(const struct pst_option *option, const void *object, char *text, size_t size)
{
    char values[256], standard[128];
    bool worded = option->type != PST_STRING && option->type != PST_LIST;
    pst_describe_values(option, values, sizeof values);
    bool has_default = !option->required && describe_default(option, object, standard, sizeof standard);
    text[0] = '\0';
    if (option->type == PST_FLAG)
        return;
    if (option->required)
        snprintf(text, size, "(%s%sneeded)", worded ? values : "", worded ? "; " : "");
    else if (has_default)
        snprintf(text, size, "(%s%sdefault %s)", worded ? values : "", worded ? "; " : "", standard);
    else if (option->type == PST_LIST)
        snprintf(text, size, "(may be given several times)");
    else if (worded)
        snprintf(text, size, "(%s)", values);
}

/* Which value an option takes, and which other options it needs. */
static void describe_option(const struct pst_frame *frame, const struct pst_option *option,
                            const void *object, char *text, size_t size)
{
    char needs[128];
    describe_value(option, object, text, size);
    pst_describe_needs(frame, option, needs, sizeof needs);
    size_t length = strlen(text);
    if (needs[0] != '\0' && length > 0)
        snprintf(text + length - 1, size - length + 1, "; needs %s)", needs);
    else if (needs[0] != '\0')
        snprintf(text, size, "(needs %s)", needs);
}

static void print_option(FILE *out, const struct pst_frame *frame, const struct pst_option *option,
                         const void *object)
{
    char name[96], values[640];
    bool flag = option->type == PST_FLAG;
    snprintf(name, sizeof name, "%c%c%c --%s%s%s", option->letter != 0 ? '-' : ' ',
             option->letter != 0 ? option->letter : ' ', option->letter != 0 ? ',' : ' ', option->name,
             flag ? "" : " ", flag ? "" : metavar_of(option));
    describe_option(frame, option, object, values, sizeof values);
    fprintf(out, "  %-30s %s\n", name, option->help);
    if (values[0] != '\0')
        fprintf(out, "  %-30s %s\n", "", values);
}

/* Prints the options from one place to another; defaults: the struct that holds their values. */
static void print_options(FILE *out, const struct pst_frame *frame, size_t from, size_t to,
                          const void *defaults)
{
    for (size_t i = from; i < to; i++)
        print_option(out, frame, frame->options[i], defaults);
}

static void print_help(FILE *out, const struct pst_frame *frame)
{
    const struct pst_stage *stage = frame->stage;
    fprintf(out, "%s: %s\n\nUsage: %s [options]%s%s\n", stage->name, stage->purpose, stage->name,
            stage->operands == NULL ? "" : " ", stage->operands == NULL ? "" : stage->operands);
    if (stage->description != NULL)
        fprintf(out, "\n%s\n", stage->description);
    if (frame->own_count > 0)
        fputs("\nOptions:\n", out);
    print_options(out, frame, 0, frame->own_count, frame->usual);
    fputs("\nCommon options:\n", out);
    print_options(out, frame, frame->own_count, frame->option_count, &pst_usual);
    fprintf(out, "  %-30s %s\n  %-30s %s\n", "-h, --help", "show this text", "    --version",
            "show the version");
    if (stage->example != NULL)
        fprintf(out, "\nExample:\n  %s\n", stage->example);
    if (stage->see_also != NULL)
        fprintf(out, "\nSee also: %s\n", stage->see_also);
}

static void print_table(FILE *out, const struct pst_frame *frame)
{
    static const char *const kinds[] = { "tool", "sink", "source", "filter" };
    const struct pst_stage *stage = frame->stage;
    fprintf(out, "%s\t%s\t%s\n", stage->name, kinds[stage->traits & (PST_READS | PST_WRITES)],
            stage->purpose);
    for (size_t i = 0; i < frame->option_count; i++) {
        const struct pst_option *option = frame->options[i];
        const char letter[] = { option->letter != 0 ? '-' : '\0', (char)option->letter, '\0' };
        fprintf(out, "--%s\t%s\t%s\t", option->name, letter,
                option->type == PST_FLAG ? "" : metavar_of(option));
        for (size_t k = 0; option->choices != NULL && option->choices[k] != NULL; k++)
            fprintf(out, "%s%s", k > 0 ? " " : "", option->choices[k]);
        fprintf(out, "\t%s\n", option->help);
    }
}

char *pst_help_text(const struct pst_frame *frame, bool as_table)
{
    struct pst_text text;
    FILE *out = pst_text_open(&text);
    if (out != NULL)
        (as_table ? print_table : print_help)(out, frame);
    return pst_text_close(&text);
}
