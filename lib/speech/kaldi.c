/* The lists of a corpus as Kaldi has them: wav.scp, text and utt2spk for each part. */
#include "lib/speech/own.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct part {
    struct pst_corpus *corpus;
    char folder[PATH_MAX];
    bool test;
};

/* Cuts the first word of a line off; returns the rest. */
static char *cut_word(char *line)
{
    char *end = line + strcspn(line, " \t"), *rest = end + strspn(end, " \t");
    *end = '\0';
    return rest;
}

/* "UTTERANCE PATH"; paths are relative to the folder of the list. */
static enum pst_status take_sound(void *context, char *line, struct pst_error *error)
{
    const struct part *part = context;
    char path[PATH_MAX], *file = cut_word(line);
    if (*line == '\0')
        return PST_OK;
    if (*file == '\0' || file[strlen(file) - 1] == '|')
        return pst_fail(error, PST_BAD_DATA, "'%.200s' is not a file; a command cannot be used", file);
    int length = *file == '/' ? snprintf(path, sizeof path, "%s", file)
                              : snprintf(path, sizeof path, "%s/%s", part->folder, file);
    if (length >= PATH_MAX)
        return pst_fail(error, PST_BAD_DATA, "the path is too long");
    struct pst_utterance utterance = { .name = line, .speaker = line, .path = path, .test = part->test };
    return pst_corpus_add(part->corpus, &utterance, error);
}

/* "UTTERANCE WORDS" */
static enum pst_status take_words(void *context, char *line, struct pst_error *error)
{
    const struct part *part = context;
    char *words = cut_word(line);
    return *line == '\0' ? PST_OK : pst_corpus_add_words(part->corpus, line, words, error);
}

/* "UTTERANCE SPEAKER" */
static enum pst_status take_speaker(void *context, char *line, struct pst_error *error)
{
    const struct part *part = context;
    char *speaker = cut_word(line);
    size_t number = *line == '\0' ? part->corpus->count : pst_corpus_find(part->corpus, line);
    if (*line == '\0')
        return PST_OK;
    if (number == part->corpus->count || *speaker == '\0')
        return pst_fail(error, PST_BAD_DATA, "no list names the utterance '%.200s', or it has no speaker",
                        line);
    speaker[strcspn(speaker, " \t")] = '\0';
    const char *copy = pst_corpus_text(part->corpus, speaker, error);
    if (copy == NULL)
        return PST_TRY_AGAIN;
    part->corpus->utterances[number].speaker = copy;
    return PST_OK;
}

/* Reads a file of a folder, if it is there. found: NULL; or receives whether it is. */
static enum pst_status read_file(const char *folder, const char *name, pst_take_line *take, void *context,
                                 bool *found, struct pst_error *error)
{
    char path[PATH_MAX];
    bool there = snprintf(path, sizeof path, "%s/%s", folder, name) < PATH_MAX && access(path, F_OK) == 0;
    if (found != NULL)
        *found = there;
    return there ? pst_file_lines(path, take, context, error) : PST_OK;
}

static enum pst_status read_sounds(struct part *part, const char *below, bool test, bool *found,
                                   struct pst_error *error)
{
    part->test = test;
    if (snprintf(part->folder, sizeof part->folder, "%s%s", part->corpus->folder, below) >= PATH_MAX)
        return pst_fail(error, PST_NO_INPUT, "%s: the path is too long", part->corpus->folder);
    return read_file(part->folder, "wav.scp", take_sound, part, found, error);
}

static enum pst_status read_texts(struct part *part, struct pst_error *error)
{
    enum pst_status status = read_file(part->folder, "text", take_words, part, NULL, error);
    return status == PST_OK ? read_file(part->folder, "utt2spk", take_speaker, part, NULL, error) : status;
}

/* The words and phones of all parts. */
static enum pst_status read_dictionary(struct pst_corpus *corpus, struct pst_error *error)
{
    char below[PATH_MAX];
    const char *folder = corpus->folder;
    if (snprintf(below, sizeof below, "%s/dict", folder) < PATH_MAX && access(below, F_OK) == 0)
        folder = below;
    enum pst_status status = read_file(folder, "phones.txt", pst_corpus_take_phone, corpus, NULL, error);
    return status == PST_OK ? read_file(folder, "lexicon.txt", pst_corpus_take_word, corpus, NULL, error)
                            : status;
}

enum pst_status pst_corpus_read_kaldi(struct pst_corpus *corpus, bool *found, struct pst_error *error)
{
    struct part train = { .corpus = corpus }, test = { .corpus = corpus };
    bool with_test = false;
    enum pst_status status = read_sounds(&train, "/train", false, found, error);
    if (status == PST_OK && !*found)
        status = read_sounds(&train, "", false, found, error);
    else if (status == PST_OK)
        status = read_sounds(&test, "/test", true, &with_test, error);
    if (status != PST_OK || !*found)
        return status;
    status = pst_corpus_index(corpus, error);
    if (status == PST_OK)
        status = read_texts(&train, error);
    if (status == PST_OK && with_test)
        status = read_texts(&test, error);
    return status == PST_OK ? read_dictionary(corpus, error) : status;
}
