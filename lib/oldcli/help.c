/* Help texts, made from the tables of options. */
#include "lib/oldcli/cli.h"

#include <stdlib.h>
#include <string.h>

const char *pst_option_metavar(const struct pst_option *option)
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

bool pst_describe_default(const struct pst_option *option, char *text, size_t size)
{
    const char *string;
    switch (option->type) {
    case PST_POSITIVE_DOUBLE:
    case PST_DOUBLE:
        snprintf(text, size, "%.15g", *(const double *)option->target);
        return true;
    case PST_SIZE:
        snprintf(text, size, "%zu", *(const size_t *)option->target);
        return true;
    case PST_U64:
        snprintf(text, size, "%llu", (unsigned long long)*(const uint64_t *)option->target);
        return true;
    case PST_STRING:
        string = *(const char *const *)option->target;
        snprintf(text, size, "%s", string == NULL ? "" : string);
        return string != NULL;
    case PST_CHOICE:
        snprintf(text, size, "%s", option->choices[*(const int *)option->target]);
        return true;
    case PST_LIST:
    case PST_FLAG:
    case PST_OPTION_END:
        break;
    }
    return false;
}

/* "a number above 0; default 1", or nothing for a flag. */
static void describe_option(const struct pst_option *option, char *text, size_t size)
{
    char values[256], standard[128];
    bool worded = option->type != PST_STRING && option->type != PST_LIST;
    pst_describe_values(option, values, sizeof values);
    bool has_default = !option->required && pst_describe_default(option, standard, sizeof standard);
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

static void print_option(FILE *out, const struct pst_option *option)
{
    char name[96], values[512];
    bool flag = option->type == PST_FLAG;
    snprintf(name, sizeof name, "%c%c%c --%s%s%s", option->letter != 0 ? '-' : ' ',
             option->letter != 0 ? option->letter : ' ', option->letter != 0 ? ',' : ' ', option->name,
             flag ? "" : " ", flag ? "" : pst_option_metavar(option));
    describe_option(option, values, sizeof values);
    fprintf(out, "  %-30s %s\n", name, option->help);
    if (values[0] != '\0')
        fprintf(out, "  %-30s %s\n", "", values);
}

static void print_table(FILE *out, const char *title, const struct pst_option *table)
{
    if (table == NULL || table->type == PST_OPTION_END)
        return;
    fprintf(out, "\n%s\n", title);
    for (; table->type != PST_OPTION_END; table++)
        print_option(out, table);
}

char *pst_help_text(void)
{
    const struct pst_stage *stage = pst_cli.stage;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    fprintf(out, "%s: %s\n\nUsage: %s [options]%s%s\n", stage->name, stage->purpose, stage->name,
            stage->operands == NULL ? "" : " ", stage->operands == NULL ? "" : stage->operands);
    if (stage->description != NULL)
        fprintf(out, "\n%s\n", stage->description);
    print_table(out, "Options:", stage->options);
    print_table(out, "Options of every stage:", pst_common_options(pst_cli.kind, stage->uses_blas));
    fprintf(out, "  %-30s %s\n  %-30s %s\n", "-h, --help", "show this text", "    --version",
            "show the version");
    if (stage->example != NULL)
        fprintf(out, "\nExample:\n  %s\n", stage->example);
    if (stage->see_also != NULL)
        fprintf(out, "\nSee also: %s\n", stage->see_also);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
