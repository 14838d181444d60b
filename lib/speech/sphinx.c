/* The lists of a corpus as Sphinx's trainer has them, in etc/. */
#include "lib/speech/own.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lists {
    struct pst_corpus *corpus;
    char name[NAME_MAX + 1]; /* what stands before "_train.fileids" */
    const char *sound;       /* the folder of sound below the corpus */
    bool test;
};

static bool is_there(const struct pst_corpus *corpus, const char *below)
{
    char path[PATH_MAX];
    return snprintf(path, sizeof path, "%s/%s", corpus->folder, below) < PATH_MAX && access(path, F_OK) == 0;
}

/* Finds the NAME of etc/NAME_train.fileids. Returns PST_OK; PST_BAD_DATA if there are two. */
static enum pst_status find_name(struct lists *lists, struct pst_error *error)
{
    static const char ending[] = "_train.fileids";
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/etc", lists->corpus->folder);
    DIR *folder = opendir(path);
    enum pst_status status = PST_OK;
    if (folder == NULL && pst_shortage_or(PST_OK) != PST_OK)
        return pst_fail(error, PST_TRY_AGAIN, "%s: %s", path, strerror(errno));
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL && status == PST_OK;) {
        size_t length = strlen(entry->d_name);
        if (length < sizeof ending || strcmp(entry->d_name + length - (sizeof ending - 1), ending) != 0)
            continue;
        if (*lists->name != '\0')
            status = pst_fail(error, PST_BAD_DATA, "%s: there are two lists NAME%s", path, ending);
        memcpy(lists->name, entry->d_name, length - (sizeof ending - 1));
    }
    if (folder != NULL)
        closedir(folder);
    return status;
}

/* "FOLDER/SPEAKER/UTTERANCE" */
static enum pst_status take_file_id(void *context, char *line, struct pst_error *error)
{
    const struct lists *lists = context;
    char path[PATH_MAX];
    line += strspn(line, " \t");
    if (*line == '\0' || *line == '#')
        return PST_OK;
    if (snprintf(path, sizeof path, "%s/%s/%s", lists->corpus->folder, lists->sound, line) >= PATH_MAX)
        return pst_fail(error, PST_BAD_DATA, "the path is too long");
    char *slash = strrchr(line, '/'), *name = slash != NULL ? slash + 1 : line;
    if (*name == '\0' || strpbrk(name, " \t") != NULL)
        return pst_fail(error, PST_BAD_DATA, "'%.200s' does not end with the name of an utterance", line);
    if (slash != NULL)
        *slash = '\0';
    char *before = slash != NULL ? strrchr(line, '/') : NULL;
    struct pst_utterance utterance = { .name = name,
                                       .speaker = slash == NULL    ? name
                                                  : before != NULL ? before + 1
                                                                   : line,
                                       .path = path,
                                       .test = lists->test };
    return pst_corpus_add(lists->corpus, &utterance, error);
}

/* "WORDS (UTTERANCE)" */
static enum pst_status take_transcript(void *context, char *line, struct pst_error *error)
{
    const struct lists *lists = context;
    size_t length = strlen(line);
    char *open = strrchr(line, '(');
    if (*line == '\0')
        return PST_OK;
    if (open == NULL || line[length - 1] != ')')
        return pst_fail(error, PST_BAD_DATA, "a transcript ends with the utterance, in brackets");
    line[length - 1] = '\0';
    *open = '\0';
    return pst_corpus_add_words(lists->corpus, open + 1, line, error);
}

/* Reads etc/NAME + ending, if it is there. */
static enum pst_status read_list(struct lists *lists, const char *ending, pst_take_line *take,
                                 struct pst_error *error)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/etc/%s%s", lists->corpus->folder, lists->name, ending);
    bool phones = take == pst_corpus_take_phone || take == pst_corpus_take_word;
    if (length >= PATH_MAX || access(path, F_OK) != 0)
        return PST_OK;
    return pst_file_lines(path, take, phones ? (void *)lists->corpus : lists, error);
}

enum pst_status pst_corpus_read_sphinx(struct pst_corpus *corpus, bool *found, struct pst_error *error)
{
    struct lists lists = { .corpus = corpus, .sound = is_there(corpus, "audio") ? "audio" : "wav" };
    enum pst_status status = find_name(&lists, error);
    *found = *lists.name != '\0';
    if (status != PST_OK || !*found)
        return status;
    status = read_list(&lists, "_train.fileids", take_file_id, error);
    lists.test = true;
    if (status == PST_OK)
        status = read_list(&lists, "_test.fileids", take_file_id, error);
    if (status == PST_OK)
        status = pst_corpus_index(corpus, error);
    if (status == PST_OK)
        status = read_list(&lists, "_train.transcription", take_transcript, error);
    if (status == PST_OK)
        status = read_list(&lists, "_test.transcription", take_transcript, error);
    if (status == PST_OK)
        status = read_list(&lists, ".phone", pst_corpus_take_phone, error);
    return status == PST_OK ? read_list(&lists, ".dic", pst_corpus_take_word, error) : status;
}
