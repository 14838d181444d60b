/* Language models in ARPA files. */
#include "lib/speech/language_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LOG_10 2.302585092994045684
#define LOG_OF_0 (-99) /* as the format has it */
#define NOT_A_WORD SIZE_MAX

enum section { BEFORE_DATA, IN_DATA, IN_SINGLE, IN_PAIRS, BEHIND_END };

/* The state of reading. */
struct arpa {
    const struct pst_lexicon *lexicon;
    struct pst_language_model *model;
    struct backoff backoff;
    enum section section;
    bool *seen;        /* [words + 1]: in the 1-grams */
    uint64_t due[2];   /* numbers of n-grams that \data\ announces */
    uint64_t count[2]; /* and of those that came */
    double unknown;    /* log p of <unk> */
};

/* A base-10 logarithm becomes a natural one. */
static bool read_log(const char *text, double *log_p)
{
    double value;
    if (text == NULL || !pst_parse_double(text, -1e30, 1e30, &value))
        return false;
    *log_p = value <= LOG_OF_0 ? (double)-INFINITY : value * LOG_10;
    return true;
}

/* The place of a word in the table: in a row, or, if it is the word before, of a row. */
static size_t place_of(const struct arpa *arpa, const char *word, bool before)
{
    if (strcasecmp(word, before ? "<s>" : "</s>") == 0)
        return arpa->lexicon->count;
    size_t place = pst_lexicon_find(arpa->lexicon, word, strlen(word));
    return place < arpa->lexicon->count ? place : NOT_A_WORD;
}

/* ---- lines --------------------------------------------------------------------------------------------- */

/* "ngram ORDER=COUNT" */
static enum pst_status take_count(struct arpa *arpa, char *line, struct pst_error *error)
{
    uint64_t order, count;
    char *equals = strchr(line, '=');
    if (strncmp(line, "ngram ", 6) != 0 || equals == NULL)
        return pst_fail(error, PST_BAD_DATA, "it is not 'ngram ORDER=COUNT'");
    *equals = '\0';
    if (!pst_parse_u64(line + 6 + strspn(line + 6, " "), 1, 99, &order) ||
        !pst_parse_u64(equals + 1 + strspn(equals + 1, " "), 0, UINT32_MAX, &count))
        return pst_fail(error, PST_BAD_DATA, "it is not 'ngram ORDER=COUNT'");
    if (order > 2 && count > 0)
        return pst_fail(error, PST_BAD_DATA,
                        "n-grams of more than two words cannot be searched with; make a bigram");
    if (order <= 2)
        arpa->due[order - 1] = count;
    return PST_OK;
}

/* "LOG10(P) WORD LOG10(BACKOFF)", of which the last may be left out. */
static enum pst_status take_single(struct arpa *arpa, char *line, struct pst_error *error)
{
    char *rest;
    double log_p, backoff = 0;
    bool good = read_log(strtok_r(line, " \t", &rest), &log_p);
    const char *word = strtok_r(NULL, " \t", &rest), *weight = strtok_r(NULL, " \t", &rest);
    if (!good || word == NULL || (weight != NULL && !read_log(weight, &backoff)))
        return pst_fail(error, PST_BAD_DATA,
                        "it is not a logarithm, a word and the logarithm of its backoff");
    if (log_p > 0)
        return pst_fail(error, PST_BAD_DATA, "a probability is above 1");
    size_t before = place_of(arpa, word, true), place = place_of(arpa, word, false);
    if (strcasecmp(word, "<unk>") == 0)
        arpa->unknown = log_p;
    if (before != NOT_A_WORD)
        arpa->backoff.backoff[before] = backoff;
    if (place == NOT_A_WORD)
        return PST_OK;
    if (arpa->seen[place])
        return pst_fail(error, PST_BAD_DATA, "the word '%s' came already", word);
    arpa->seen[place] = true;
    arpa->backoff.single[place] = log_p;
    return PST_OK;
}

/* "LOG10(P) WORD WORD" */
static enum pst_status take_pair(struct arpa *arpa, char *line, struct pst_error *error)
{
    char *rest;
    double log_p;
    bool good = read_log(strtok_r(line, " \t", &rest), &log_p);
    const char *first = strtok_r(NULL, " \t", &rest), *second = strtok_r(NULL, " \t", &rest);
    if (!good || second == NULL)
        return pst_fail(error, PST_BAD_DATA, "it is not a logarithm and two words");
    if (log_p > 0)
        return pst_fail(error, PST_BAD_DATA, "a probability is above 1");
    size_t before = place_of(arpa, first, true), place = place_of(arpa, second, false);
    if (before != NOT_A_WORD && place != NOT_A_WORD)
        *language_model_at(arpa->model, before, place) = (float)log_p;
    return PST_OK;
}

/* ---- sections ------------------------------------------------------------------------------------------ */

/* Words that the 1-grams do not have get the probability of <unk>. */
static void settle_single(struct arpa *arpa)
{
    for (size_t w = 0; w <= arpa->lexicon->count; w++) {
        if (arpa->seen[w])
            continue;
        arpa->backoff.single[w] = arpa->unknown;
        arpa->model->unknown += w < arpa->lexicon->count;
    }
    language_model_back_off(arpa->model, &arpa->backoff);
}

/* A line that begins with \ ends a section and begins the next. */
static enum pst_status change_section(struct arpa *arpa, const char *line, struct pst_error *error)
{
    static const char *const titles[] = { [IN_DATA] = "\\data\\",
                                          [IN_SINGLE] = "\\1-grams:",
                                          [IN_PAIRS] = "\\2-grams:",
                                          [BEHIND_END] = "\\end\\" };
    enum section next = arpa->section + 1;
    if (arpa->section == IN_SINGLE && strcmp(line, titles[BEHIND_END]) == 0 && arpa->due[1] == 0)
        next = BEHIND_END;
    if (strcmp(line, titles[next]) != 0)
        return pst_fail(error, PST_BAD_DATA, "it is not %s, which should come next", titles[next]);
    for (size_t i = 0; i < 2; i++)
        if (arpa->section == (i == 0 ? IN_SINGLE : IN_PAIRS) && arpa->count[i] != arpa->due[i])
            return pst_fail(error, PST_BAD_DATA,
                            "\\data\\ says that there are %llu %zu-grams, but it is %llu that came",
                            (unsigned long long)arpa->due[i], i + 1, (unsigned long long)arpa->count[i]);
    if (arpa->section == IN_SINGLE)
        settle_single(arpa);
    arpa->section = next;
    return PST_OK;
}

static enum pst_status take_line(void *context, char *line, struct pst_error *error)
{
    struct arpa *arpa = context;
    if (*line == '\0' || arpa->section == BEHIND_END ||
        (arpa->section == BEFORE_DATA && strcmp(line, "\\data\\") != 0))
        return PST_OK;
    if (*line == '\\')
        return change_section(arpa, line, error);
    if (arpa->section == IN_DATA)
        return take_count(arpa, line, error);
    arpa->count[arpa->section - IN_SINGLE]++;
    return arpa->section == IN_SINGLE ? take_single(arpa, line, error) : take_pair(arpa, line, error);
}

enum pst_status pst_language_model_read(struct pst_language_model *model, const struct pst_lexicon *lexicon,
                                        const char *path, struct pst_error *error)
{
    struct arpa arpa = { .lexicon = lexicon, .model = model, .unknown = (double)-INFINITY };
    enum pst_status status = language_model_open(model, &arpa.backoff, lexicon, error);
    if (status != PST_OK)
        return status;
    arpa.seen = pst_allocate(lexicon->count + 1, sizeof *arpa.seen, error);
    status = arpa.seen != NULL ? pst_file_lines(path, take_line, &arpa, error) : PST_TRY_AGAIN;
    if (status == PST_OK && arpa.section != BEHIND_END)
        status = pst_fail(error, PST_BAD_DATA, "%s: %s", path,
                          arpa.section == BEFORE_DATA ? "not an ARPA file: it has no line \\data\\"
                                                      : "cut short: it ends without \\end\\");
    free(arpa.seen);
    backoff_free(&arpa.backoff);
    if (status != PST_OK)
        pst_language_model_free(model);
    return status;
}
