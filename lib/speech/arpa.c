/* Language models in ARPA files. */
#include "lib/speech/language_model.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define LOG_10 2.302585092994045684
#define LOG_OF_0 -99 /* as the format has it */
#define NOT_A_WORD SIZE_MAX

/* What is being read. */
struct arpa {
    FILE *file;
    const char *path;
    char *line;
    size_t room, number; /* bytes of the line's memory; its number */
    const struct pst_lexicon *lexicon;
    struct pst_language_model *model;
    struct backoff backoff;
    bool *seen;      /* [words + 1]: in the 1-grams */
    uint64_t due[2]; /* numbers of n-grams that \data\ announces */
    double unknown;  /* log p of <unk> */
};

static enum pst_status refuse(const struct arpa *arpa, const char *what, struct pst_error *error)
{
    return pst_fail(error, PST_BAD_DATA, "%s, line %zu: %s", arpa->path, arpa->number, what);
}

/* Reads the next line that is not empty, without blanks at its end. Returns PST_END behind the last one. */
static enum pst_status next_line(struct arpa *arpa, struct pst_error *error)
{
    ssize_t length;
    do {
        errno = 0;
        length = getline(&arpa->line, &arpa->room, arpa->file);
        arpa->number++;
        while (length > 0 && strchr(" \t\r\n", arpa->line[length - 1]) != NULL)
            arpa->line[--length] = '\0';
    } while (length == 0);
    if (length > 0)
        return PST_OK;
    return ferror(arpa->file) ? pst_fail(error, PST_IO_ERROR, "%s: %s", arpa->path, strerror(errno))
           : errno == ENOMEM  ? pst_fail(error, PST_TRY_AGAIN, "out of memory")
                              : PST_END;
}

/* The next word of a line, and NULL behind the last one; the line is cut into pieces. */
static char *next_field(char **at)
{
    *at += strspn(*at, " \t");
    char *field = *at;
    *at += strcspn(*at, " \t");
    if (**at != '\0')
        *(*at)++ = '\0';
    return *field != '\0' ? field : NULL;
}

/* A base-10 logarithm becomes a natural one. */
static bool read_log(const char *text, double *log_p)
{
    double value;
    if (text == NULL || !pst_parse_double(text, -1e30, 1e30, &value))
        return false;
    *log_p = value <= LOG_OF_0 ? (double)-INFINITY : value * LOG_10;
    return true;
}

/* The place of a word in the table's rows (before) or columns. */
static size_t place_of(const struct arpa *arpa, const char *word, bool before)
{
    if (strcasecmp(word, before ? "<s>" : "</s>") == 0)
        return arpa->lexicon->count;
    size_t place = pst_lexicon_find(arpa->lexicon, word, strlen(word));
    return place < arpa->lexicon->count ? place : NOT_A_WORD;
}

/* ---- n-grams ------------------------------------------------------------------------------------------- */

/* A line "log10(p) WORD log10(backoff)". */
static enum pst_status take_single(struct arpa *arpa, struct pst_error *error)
{
    char *at = arpa->line;
    double log_p, backoff = 0;
    bool good = read_log(next_field(&at), &log_p);
    const char *word = next_field(&at), *weight = next_field(&at);
    if (!good || word == NULL || (weight != NULL && !read_log(weight, &backoff)) || next_field(&at) != NULL)
        return refuse(arpa, "not a logarithm, a word and the logarithm of its backoff", error);
    if (log_p > 0)
        return refuse(arpa, "a probability above 1", error);
    size_t before = place_of(arpa, word, true), behind = place_of(arpa, word, false);
    if (strcasecmp(word, "<unk>") == 0)
        arpa->unknown = log_p;
    if (before != NOT_A_WORD)
        arpa->backoff.backoff[before] = backoff;
    if (behind == NOT_A_WORD)
        return PST_OK;
    if (arpa->seen[behind])
        return refuse(arpa, "a word that came already", error);
    arpa->seen[behind] = true;
    arpa->backoff.single[behind] = log_p;
    return PST_OK;
}

/* A line "log10(p) WORD WORD". */
static enum pst_status take_pair(struct arpa *arpa, struct pst_error *error)
{
    char *at = arpa->line;
    double log_p;
    bool good = read_log(next_field(&at), &log_p);
    const char *first = next_field(&at), *second = next_field(&at);
    next_field(&at); /* a backoff, which the highest order does not need */
    if (!good || second == NULL || next_field(&at) != NULL)
        return refuse(arpa, "not a logarithm and two words", error);
    if (log_p > 0)
        return refuse(arpa, "a probability above 1", error);
    size_t before = place_of(arpa, first, true), behind = place_of(arpa, second, false);
    if (before != NOT_A_WORD && behind != NOT_A_WORD)
        *language_model_at(arpa->model, before, behind) = (float)log_p;
    return PST_OK;
}

/* Reads as many n-grams as were announced. */
static enum pst_status read_section(struct arpa *arpa, uint64_t due, const char *title,
                                    enum pst_status (*take)(struct arpa *, struct pst_error *),
                                    struct pst_error *error)
{
    if (strcmp(arpa->line, title) != 0)
        return refuse(arpa, "not the beginning of the next n-grams", error);
    for (uint64_t i = 0; i < due; i++) {
        enum pst_status status = next_line(arpa, error);
        if (status == PST_OK && arpa->line[0] != '\\')
            status = take(arpa, error);
        else if (status == PST_OK || status == PST_END)
            status = refuse(arpa, "there are fewer n-grams than \\data\\ says", error);
        if (status != PST_OK)
            return status;
    }
    enum pst_status status = next_line(arpa, error);
    return status == PST_END ? refuse(arpa, "the file ends without \\end\\", error) : status;
}

/* ---- the file ------------------------------------------------------------------------------------------ */

/* Reads what \data\ says, and what stands before it; the line is then the first behind. */
static enum pst_status read_data(struct arpa *arpa, struct pst_error *error)
{
    enum pst_status status;
    do
        status = next_line(arpa, error);
    while (status == PST_OK && strcmp(arpa->line, "\\data\\") != 0);
    if (status == PST_END)
        return pst_fail(error, PST_BAD_DATA, "%s: not an ARPA file: it has no line \\data\\", arpa->path);
    while (status == PST_OK && (status = next_line(arpa, error)) == PST_OK &&
           strncmp(arpa->line, "ngram ", 6) == 0) {
        char *at = arpa->line + 6;
        char *equals = strchr(at, '=');
        uint64_t order, count;
        if (equals == NULL)
            return refuse(arpa, "not 'ngram ORDER=COUNT'", error);
        *equals = '\0';
        char *number = equals + 1 + strspn(equals + 1, " ");
        if (!pst_parse_u64(at + strspn(at, " "), 1, 99, &order) ||
            !pst_parse_u64(number, 0, UINT32_MAX, &count))
            return refuse(arpa, "not 'ngram ORDER=COUNT'", error);
        if (order > 2 && count > 0)
            return refuse(arpa, "n-grams of more than two words are not searched with; make a bigram", error);
        if (order <= 2)
            arpa->due[order - 1] = count;
    }
    return status == PST_END ? refuse(arpa, "the file ends without \\end\\", error) : status;
}

/* Words that the file does not have get the probability of <unk>. */
static void fill_unknown(struct arpa *arpa)
{
    for (size_t w = 0; w <= arpa->lexicon->count; w++) {
        if (arpa->seen[w])
            continue;
        arpa->backoff.single[w] = arpa->unknown;
        arpa->model->unknown += w < arpa->lexicon->count;
    }
}

static enum pst_status read_all(struct arpa *arpa, struct pst_error *error)
{
    enum pst_status status = read_data(arpa, error);
    if (status == PST_OK)
        status = read_section(arpa, arpa->due[0], "\\1-grams:", take_single, error);
    if (status != PST_OK)
        return status;
    fill_unknown(arpa);
    language_model_back_off(arpa->model, &arpa->backoff);
    if (strcmp(arpa->line, "\\2-grams:") == 0 || arpa->due[1] > 0)
        status = read_section(arpa, arpa->due[1], "\\2-grams:", take_pair, error);
    if (status == PST_OK && strcmp(arpa->line, "\\end\\") != 0)
        return refuse(arpa, "there are more n-grams than \\data\\ says", error);
    return status;
}

enum pst_status pst_language_model_read(struct pst_language_model *model, const struct pst_lexicon *lexicon,
                                        const char *path, struct pst_error *error)
{
    struct arpa arpa = { .path = path, .lexicon = lexicon, .model = model, .unknown = (double)-INFINITY };
    int fd;
    *model = (struct pst_language_model){ 0 };
    enum pst_status status = pst_file_open(path, &fd, error);
    if (status != PST_OK)
        return status;
    arpa.file = fdopen(fd, "r");
    if (arpa.file == NULL) {
        close(fd);
        return pst_fail(error, PST_TRY_AGAIN, "%s: %s", path, strerror(errno));
    }
    status = language_model_open(model, &arpa.backoff, lexicon, error);
    if (status == PST_OK) {
        arpa.seen = pst_allocate(lexicon->count + 1, sizeof *arpa.seen, error);
        status = arpa.seen != NULL ? read_all(&arpa, error) : PST_TRY_AGAIN;
        backoff_free(&arpa.backoff);
    }
    free(arpa.seen);
    free(arpa.line);
    fclose(arpa.file);
    if (status != PST_OK)
        pst_language_model_free(model);
    return status;
}
