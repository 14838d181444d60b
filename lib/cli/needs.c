/* Options that would have no effect: the tables say what each one needs. */
#include "lib/cli/frame.h"

#include <jansson.h>
#include <string.h>

size_t pst_option_find(const struct pst_frame *frame, const char *name, size_t length)
{
    for (size_t i = 0; i < frame->option_count; i++) {
        const char *here = frame->options[i]->name;
        if (strlen(here) == length && strncmp(here, name, length) == 0)
            return i;
    }
    return PST_NONE;
}

void *pst_option_object(const struct pst_frame *frame, size_t at)
{
    return at < frame->own_count ? frame->run.self : (void *)(uintptr_t)&frame->common;
}

/* ---- what there is ------------------------------------------------------------------------------------- */

/* Whether an option was given with a value other than 0. */
static bool is_on(const struct pst_frame *frame, size_t at)
{
    json_t *value = pst_option_to_json(frame->options[at], pst_option_object(frame, at));
    bool zero = json_is_number(value) && json_number_value(value) == 0;
    json_decref(value);
    return frame->seen[at] && !zero;
}

/* Whether an option has this word as its value, given or by default. */
static bool has_word(const struct pst_frame *frame, size_t at, const char *word, size_t length)
{
    const struct pst_option *option = frame->options[at];
    const int *choice = (const void *)((const char *)pst_option_object(frame, at) + option->at);
    const char *here = option->choices[*choice];
    return strlen(here) == length && strncmp(here, word, length) == 0;
}

/* The kinds of streams that an option may need. */
static const struct kind {
    const char *words;
    bool is_read, is_link, listens, connects;
} kinds[] = {
    { "(a link)", .is_link = true },
    { "(a link to read from)", .is_read = true, .is_link = true },
    { "(a link that listens)", .is_link = true, .listens = true },
    { "(a link that connects)", .is_link = true, .connects = true },
};

static bool is_of_kind(const struct pst_named *named, const struct kind *kind)
{
    bool link = pst_named_is_link(named), listens = link && strncmp(named->value, "listen:", 7) == 0;
    bool recording = named->option == NULL && (named->files & PST_FILE_LIST) == 0;
    bool stream = named->value != NULL && (recording || (named->files & PST_FILE_ENDPOINT) != 0);
    return stream && (!kind->is_read || (named->files & PST_FILE_READ) != 0) && (!kind->is_link || link) &&
           (!kind->listens || listens) && (!kind->connects || !listens);
}

/* Whether the command line has a stream of the kind with this name, [length]. */
static bool has_stream(const struct pst_frame *frame, const char *words, size_t length)
{
    const struct kind *kind = NULL;
    struct pst_named named;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strlen(kinds[i].words) == length && strncmp(kinds[i].words, words, length) == 0)
            kind = &kinds[i];
    for (size_t i = 0; kind != NULL && pst_named_at(frame, i, &named); i++)
        if (is_of_kind(&named, kind))
            return true;
    return (frame->stage->traits & PST_LINKS) != 0;
}

/* ---- alternatives: "shuffle|limit" --------------------------------------------------------------------- */

/* One of the alternatives of a list. */
struct alternative {
    const char *text, *word; /* word: after "="; NULL: there is none */
    size_t length;           /* of the text before "=" */
    size_t word_length;
    size_t at; /* the option; PST_NONE: it is a link, or the stage does not have the option */
};

/* Takes the first alternative off a list. Returns false if the list is empty. */
static bool next(const struct pst_frame *frame, const char **list, struct alternative *one)
{
    if (*list == NULL || **list == '\0')
        return false;
    size_t length = strcspn(*list, "|"), equals = strcspn(*list, "=|");
    *one = (struct alternative){ .text = *list, .length = equals };
    if (equals < length) {
        one->word = *list + equals + 1;
        one->word_length = length - equals - 1;
    }
    one->at = pst_option_find(frame, one->text, one->length);
    *list += length + ((*list)[length] == '|');
    return true;
}

static bool is_met(const struct pst_frame *frame, const char *needs)
{
    struct alternative one;
    while (next(frame, &needs, &one)) {
        if (one.text[0] == '('   ? has_stream(frame, one.text, one.length)
            : one.at == PST_NONE ? false
            : one.word != NULL   ? has_word(frame, one.at, one.word, one.word_length)
                                 : is_on(frame, one.at))
            return true;
    }
    return false;
}

void pst_describe_needs(const struct pst_frame *frame, const struct pst_option *option, char *text,
                        size_t size)
{
    const char *needs = option->needs;
    struct alternative one;
    size_t length = 0;
    text[0] = '\0';
    while (length < size && next(frame, &needs, &one)) {
        bool link = one.text[0] == '(';
        if (link ? (frame->stage->traits & PST_LINKS) != 0 : one.at == PST_NONE)
            continue; /* it always has links of its own, or does not have the option */
        length += (size_t)snprintf(text + length, size - length, "%s%s%.*s%s%.*s", length > 0 ? " or " : "",
                                   link ? "" : "--", (int)one.length - 2 * link, one.text + link,
                                   one.word != NULL ? " " : "", (int)one.word_length,
                                   one.word != NULL ? one.word : "");
    }
}

/* ---- the check ----------------------------------------------------------------------------------------- */

static enum pst_status check_needs(const struct pst_frame *frame, size_t at, struct pst_error *error)
{
    char needs[128];
    const struct pst_option *option = frame->options[at];
    if (option->needs == NULL || is_met(frame, option->needs))
        return PST_OK;
    pst_describe_needs(frame, option, needs, sizeof needs);
    return pst_fail(error, PST_USAGE, "--%s needs %s; alone it does nothing", option->name, needs);
}

static enum pst_status check_excludes(const struct pst_frame *frame, size_t at, struct pst_error *error)
{
    const struct pst_option *option = frame->options[at];
    const char *excluded = option->excludes;
    struct alternative other;
    while (is_on(frame, at) && next(frame, &excluded, &other))
        if (other.at != PST_NONE && frame->seen[other.at])
            return pst_fail(error, PST_USAGE, "--%s and --%s exclude each other", option->name,
                            frame->options[other.at]->name);
    return PST_OK;
}

enum pst_status pst_check_needs(const struct pst_frame *frame, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < frame->option_count && status == PST_OK; i++)
        status = frame->seen[i] ? check_excludes(frame, i, error) : PST_OK;
    for (size_t i = 0; i < frame->option_count && status == PST_OK; i++)
        status = frame->seen[i] ? check_needs(frame, i, error) : PST_OK;
    return status;
}
