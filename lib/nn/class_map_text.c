/* Maps of classes as text: "NEW = OLD, OLD", a line for each new class; and as names of another model. */
#include "lib/nn/class_map.h"

#include <stdlib.h>
#include <string.h>

#define WORD_SIZE 1024    /* bytes of a name with its final NUL */
#define LONGEST_NOTE 1000 /* bytes of a map in a lineage; for longer ones there is a digest */

/* A name or number. */
struct word {
    char text[WORD_SIZE];
    bool quoted; /* so it is a name, even if it looks like a number */
};

/* The text that is read; a NUL ends it. */
struct cursor {
    struct pst_class_map_maker *maker;
    const char *at;
    const char *set; /* the set that is read, of a file of sets; NULL: it is a map */
    bool found;      /* the set */
    struct word first, word;
};

/* ---- words --------------------------------------------------------------------------------------------- */

static void skip_blanks(struct cursor *cursor)
{
    cursor->at += strspn(cursor->at, " \t\r");
}

/* Whether the line ends here. A ";" ends a line, too. */
static bool at_end(const struct cursor *cursor)
{
    return *cursor->at == '\0' || *cursor->at == '\n' || *cursor->at == ';' || *cursor->at == '#';
}

/* Quotes may hold all bytes; \" and \\ are a quote and a backslash. Returns the number of bytes, or
 * WORD_SIZE if there are too many or the quote has no end. */
static size_t read_quoted(struct cursor *cursor, char *text)
{
    size_t length = 0;
    for (cursor->at++; *cursor->at != '"'; cursor->at++) {
        if (*cursor->at == '\\' && (cursor->at[1] == '"' || cursor->at[1] == '\\'))
            cursor->at++;
        if (*cursor->at == '\0' || *cursor->at == '\n' || length == WORD_SIZE - 1)
            return WORD_SIZE;
        text[length++] = *cursor->at;
    }
    cursor->at++;
    return length;
}

static enum pst_status read_word(struct cursor *cursor, struct word *word, struct pst_error *error)
{
    skip_blanks(cursor);
    word->quoted = *cursor->at == '"';
    size_t length = word->quoted ? read_quoted(cursor, word->text) : strcspn(cursor->at, ",=:;#\"\n");
    if (length >= WORD_SIZE)
        return pst_maker_refuse(cursor->maker, error, "a name has no closing quote, or more than %d bytes",
                                WORD_SIZE - 1);
    if (!word->quoted) {
        memcpy(word->text, cursor->at, length);
        cursor->at += length;
        while (length > 0 && strchr(" \t\r", word->text[length - 1]) != NULL)
            length--;
    }
    word->text[length] = '\0';
    skip_blanks(cursor);
    if (length == 0 && at_end(cursor))
        return pst_maker_refuse(cursor->maker, error, "a class is missing at the end");
    if (length == 0)
        return pst_maker_refuse(cursor->maker, error, "a class is missing before '%c'", *cursor->at);
    if (!pst_is_utf8(word->text))
        return pst_maker_refuse(cursor->maker, error, "'%.200s' is not UTF-8", word->text);
    return PST_OK;
}

/* ---- old classes --------------------------------------------------------------------------------------- */

/* Reads "7" or "0-4". Returns false if the word is neither, so it is a name. */
static bool is_range(const struct word *word, uint64_t *first, uint64_t *last)
{
    char text[48];
    if (word->quoted || strlen(word->text) >= sizeof text)
        return false;
    strcpy(text, word->text);
    char *hyphen = strchr(text, '-');
    if (hyphen != NULL)
        *hyphen = '\0';
    /* Digits that are too large for a number are not a name either. */
    if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0')
        return false;
    if (hyphen != NULL && (hyphen[1] == '\0' || hyphen[1 + strspn(hyphen + 1, "0123456789")] != '\0'))
        return false;
    if (!pst_parse_u64(text, 0, UINT64_MAX, first))
        *first = UINT64_MAX;
    *last = *first;
    if (hyphen != NULL && !pst_parse_u64(hyphen + 1, 0, UINT64_MAX, last))
        *last = UINT64_MAX;
    return true;
}

static enum pst_status find_classes(struct cursor *cursor, size_t *first, size_t *last,
                                    struct pst_error *error)
{
    const struct word *word = &cursor->word;
    uint64_t from, to;
    size_t count = cursor->maker->old->count;
    if (!word->quoted && strcmp(word->text, "*") == 0)
        return pst_maker_refuse(cursor->maker, error,
                                "'*' is the rest and stands alone behind a name: 'dustbin = *'");
    if (!is_range(word, &from, &to)) {
        enum pst_status status = pst_maker_find(cursor->maker, word->text, first, error);
        *last = *first;
        return status;
    }
    if (from > to)
        return pst_maker_refuse(cursor->maker, error, "'%s': a range begins with the smaller number",
                                word->text);
    if (to >= count)
        return pst_maker_refuse(cursor->maker, error, "'%s': there are %zu classes, counted from 0",
                                word->text, count);
    *first = (size_t)from;
    *last = (size_t)to;
    return PST_OK;
}

/* ":WEIGHT" behind a class. */
static enum pst_status read_weight(struct cursor *cursor, double *weight, struct pst_error *error)
{
    *weight = 1;
    if (*cursor->at != ':')
        return PST_OK;
    cursor->at++;
    enum pst_status status = read_word(cursor, &cursor->word, error);
    if (status == PST_OK && !pst_parse_double(cursor->word.text, 1e-6, 1e6, weight))
        return pst_maker_refuse(cursor->maker, error,
                                "':%.60s': a weight is a number from 0.000001 to 1000000", cursor->word.text);
    return status;
}

/* ---- lines --------------------------------------------------------------------------------------------- */

static bool more_follow(struct cursor *cursor, enum pst_status *status, struct pst_error *error)
{
    if (*status != PST_OK || at_end(cursor))
        return false;
    if (*cursor->at != ',')
        *status = pst_maker_refuse(cursor->maker, error, "'%.20s': there must be a comma between classes",
                                   cursor->at);
    cursor->at++;
    return *status == PST_OK;
}

/* Puts the classes of the word that was just read, with their weight, into the new class. */
static enum pst_status put_classes(struct cursor *cursor, struct pst_error *error)
{
    size_t first = 0, last = 0;
    double weight = 1;
    enum pst_status status = find_classes(cursor, &first, &last, error);
    if (status == PST_OK)
        status = read_weight(cursor, &weight, error);
    for (size_t class = first; class <= last && status == PST_OK; class ++)
        status = pst_maker_put(cursor->maker, class, weight, error);
    return status;
}

/* Reads what follows "NEW =". */
static enum pst_status read_members(struct cursor *cursor, struct pst_error *error)
{
    const struct word *word = &cursor->word;
    enum pst_status status = PST_OK;
    do {
        status = read_word(cursor, &cursor->word, error);
        if (status == PST_OK && !word->quoted && strcmp(word->text, "*") == 0 && at_end(cursor))
            return pst_maker_put_rest(cursor->maker, error);
        if (status == PST_OK && *cursor->at == '=')
            status = pst_maker_refuse(cursor->maker, error,
                                      "a second '='; a new class begins a line, or stands behind ';'");
        if (status == PST_OK)
            status = put_classes(cursor, error);
    } while (more_follow(cursor, &status, error));
    return status;
}

/* Reads classes that stay as they are: each is a new class by itself. The first word was read before. */
static enum pst_status read_singles(struct cursor *cursor, struct pst_error *error)
{
    const char *const *names = cursor->maker->old->names;
    enum pst_status status = PST_OK;
    cursor->word = cursor->first;
    do {
        size_t first = 0, last = 0;
        if (cursor->word.text[0] == '\0')
            status = read_word(cursor, &cursor->word, error);
        if (status == PST_OK)
            status = find_classes(cursor, &first, &last, error);
        if (status == PST_OK && *cursor->at == ':')
            status = pst_maker_refuse(cursor->maker, error,
                                      "'%.200s' is alone, so it has no weight; if ':' is "
                                      "part of the name, write it in quotes",
                                      cursor->word.text);
        for (size_t class = first; class <= last && status == PST_OK; class ++) {
            status = pst_maker_add(cursor->maker, names != NULL ? names[class] : NULL, false, error);
            if (status == PST_OK)
                status = pst_maker_put(cursor->maker, class, 1, error);
        }
        cursor->word.text[0] = '\0';
    } while (more_follow(cursor, &status, error));
    return status;
}

static enum pst_status read_line(struct cursor *cursor, struct pst_error *error)
{
    skip_blanks(cursor);
    if (at_end(cursor))
        return PST_OK;
    enum pst_status status = read_word(cursor, &cursor->first, error);
    if (status != PST_OK || *cursor->at != '=')
        return status == PST_OK ? read_singles(cursor, error) : status;
    cursor->at++;
    status = pst_maker_add(cursor->maker, cursor->first.text, true, error);
    return status == PST_OK ? read_members(cursor, error) : status;
}

/* Skips the rest of a line. */
static void skip_line(struct cursor *cursor)
{
    while (!at_end(cursor)) {
        if (*cursor->at == '"')
            read_quoted(cursor, cursor->word.text);
        else
            cursor->at++;
    }
}

/* Reads a line of a file of sets, if it has the set's name: its classes stay as they are. */
static enum pst_status read_set(struct cursor *cursor, struct pst_error *error)
{
    skip_blanks(cursor);
    if (at_end(cursor))
        return PST_OK;
    enum pst_status status = read_word(cursor, &cursor->first, error);
    if (status != PST_OK || *cursor->at != '=' || strcmp(cursor->first.text, cursor->set) != 0) {
        skip_line(cursor);
        return status;
    }
    if (cursor->found)
        return pst_maker_refuse(cursor->maker, error, "a second set is called '%.200s'", cursor->set);
    cursor->found = true;
    cursor->first.text[0] = '\0';
    cursor->at++;
    return read_singles(cursor, error);
}

static enum pst_status read_lines(struct cursor *cursor, size_t size, struct pst_error *error)
{
    const char *text = cursor->at;
    enum pst_status status = PST_OK;
    for (bool more = true; more && status == PST_OK;) {
        status = cursor->set != NULL ? read_set(cursor, error) : read_line(cursor, error);
        cursor->at += *cursor->at == '#' ? strcspn(cursor->at, "\n") : 0;
        cursor->maker->line += *cursor->at == '\n';
        more = *cursor->at != '\0';
        cursor->at += more;
    }
    if (status == PST_OK && (size_t)(cursor->at - text) != size)
        status = pst_maker_refuse(cursor->maker, error, "there is a byte 0 in it: this is no text");
    if (status == PST_OK && cursor->set != NULL && !cursor->found)
        status =
            pst_fail(error, PST_BAD_DATA, "%s: no set is called '%.200s'", cursor->maker->place, cursor->set);
    return status;
}

enum pst_status pst_class_map_parse_set(struct pst_class_map *map, const struct pst_classes *old,
                                        const char *text, size_t size, const char *place, bool lines,
                                        const char *set, const char *dustbin, struct pst_error *error)
{
    struct pst_class_map_maker maker;
    struct cursor *cursor = NULL;
    char *copy = NULL;
    enum pst_status status = pst_maker_begin(&maker, old, place, lines ? "line" : NULL, error);
    if (status == PST_OK && size > PST_CLASS_MAP_MOST_BYTES)
        status = pst_fail(error, lines ? PST_BAD_DATA : PST_USAGE, "%s: a map has at most %zu bytes", place,
                          PST_CLASS_MAP_MOST_BYTES);
    if (status == PST_OK) {
        cursor = pst_allocate(1, sizeof *cursor, error);
        copy = pst_allocate(size + 1, 1, error);
        status = cursor == NULL || copy == NULL ? PST_TRY_AGAIN : PST_OK;
    }
    if (status == PST_OK) {
        memcpy(copy, text, size);
        cursor->maker = &maker;
        cursor->set = set;
        cursor->at = copy;
        status = read_lines(cursor, size, error);
    }
    free(copy);
    free(cursor);
    return pst_maker_end(&maker, status, dustbin, map, error);
}

enum pst_status pst_class_map_parse(struct pst_class_map *map, const struct pst_classes *old,
                                    const char *text, size_t size, const char *place, bool lines,
                                    const char *dustbin, struct pst_error *error)
{
    return pst_class_map_parse_set(map, old, text, size, place, lines, NULL, dustbin, error);
}

/* ---- as another model has them ------------------------------------------------------------------------- */

enum pst_status pst_class_map_like(struct pst_class_map *map, const struct pst_classes *old,
                                   const struct pst_classes *new, const char *place, const char *dustbin,
                                   struct pst_error *error)
{
    struct pst_class_map_maker maker;
    enum pst_status status = pst_maker_begin(&maker, old, place, "class", error);
    for (size_t i = 0; i < new->count &&status == PST_OK; i++) {
        size_t class = 0;
        const char *name = new->names[i];
        bool rest = dustbin != NULL && strcmp(name, dustbin) == 0;
        maker.line = i;
        status = pst_maker_add(&maker, name, rest, error);
        if (status == PST_OK && rest)
            status = pst_maker_put_rest(&maker, error);
        else if (status == PST_OK)
            status = pst_maker_find(&maker, name, &class, error);
        if (status == PST_OK && !rest)
            status = pst_maker_put(&maker, class, 1, error);
    }
    return pst_maker_end(&maker, status, dustbin, map, error);
}

/* ---- the one way to say it ----------------------------------------------------------------------------- */

/* Old classes that follow each other with the same weight. Returns where they end in the list. */
static size_t run_end(const struct pst_class_map *map, size_t at, size_t end, bool weights)
{
    size_t next = at + 1;
    while (next < end && map->members[next] == map->members[next - 1] + 1 &&
           (!weights || map->weights[next] == map->weights[at]))
        next++;
    return next;
}

static void print_members(FILE *out, const struct pst_class_map *map, size_t begin, size_t end, bool weights)
{
    bool alike = true;
    char weight[40];
    for (size_t at = begin + 1; at < end; at++)
        alike = alike && map->weights[at] == map->weights[begin];
    for (size_t at = begin, next; at < end; at = next) {
        next = run_end(map, at, end, weights && !alike);
        fprintf(out, "%s%u", at > begin ? "," : "", map->members[at]);
        if (next > at + 1)
            fprintf(out, "-%u", map->members[next - 1]);
        pst_print_plain(weight, sizeof weight, ":%.17g", map->shares[at]);
        if (weights && !alike)
            fputs(weight, out);
    }
}

char *pst_class_map_text(const struct pst_class_map *map, bool weights)
{
    struct pst_text text;
    FILE *out = pst_text_open(&text);
    for (size_t c = 0; out != NULL && c < map->to; c++) {
        fputs(c > 0 ? ";" : "", out);
        print_members(out, map, map->begin[c], map->begin[c + 1], weights);
    }
    if (out != NULL)
        fprintf(out, " of %zu", map->from);
    return pst_text_close(&text);
}

char *pst_class_map_note(const struct pst_class_map *map, bool weights)
{
    char *text = pst_class_map_text(map, weights);
    if (text == NULL || strlen(text) <= LONGEST_NOTE)
        return text;
    char digest[PST_DIGEST_TEXT];
    pst_digest(text, strlen(text), digest);
    free(text);
    return strdup(digest);
}
