/* An option that a stage does not have: which one the user probably means, of this stage or of another. */
#include "pipestill/linux.h"

#include "lib/cli/frame.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What other programs call some of our options, with blanks around each word. */
static const struct {
    const char *name, *words;
} synonyms[] = {
    { "learning-rate", " lr rate eta " },
    { "batch", " batch-size bs " },
    { "epochs", " epoch num-epochs " },
    { "samples", " num-samples " },
    { "temperature", " temp tau " },
    { "optimiser", " opt adam " },
    { "hard-weight", " alpha " },
    { "weight-decay", " wd l2 " },
    { "dropout-hidden", " dropout " },
    { "hidden", " layers " },
    { "from", " model init " },
    { "validate", " val " },
    { "patience", " early-stopping " },
    { "input", " file " },
    { "zstd", " compress " },
    { "jobs", " workers num-workers " },
    { "threads", " cpus " },
    { "peer-timeout", " timeout " },
    { "server-key", " public-key " },
    { "key", " secret-key " },
    { "log", " verbose " },
    { "quiet", " silent " },
};

/* Our name for an option that other programs call by this word; the word itself if it is not in the list. */
static const char *our_name(const char *word)
{
    char padded[40];
    snprintf(padded, sizeof padded, " %s ", word);
    for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++) {
        if (strstr(synonyms[i].words, padded) != NULL)
            return synonyms[i].name;
    }
    return word;
}

/* ---- options of this stage --------------------------------------------------------------------------- */

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

/* The stage's option whose name is nearest to a word, or NULL if none is near. far: receives the distance. */
static const char *nearest_option(const struct pst_frame *frame, const char *word, size_t *far)
{
    const char *nearest = NULL;
    *far = strlen(word) < 4 ? 2 : 3; /* two letters of three are another word */
    for (size_t i = 0; i < frame->option_count; i++) {
        size_t this_far = distance(word, frame->options[i]->name);
        if (this_far < *far) {
            *far = this_far;
            nearest = frame->options[i]->name;
        }
    }
    return nearest;
}

/* ---- options of other stages ------------------------------------------------------------------------- */

/*
 * The folder of this program. Every program in it is run with --list-options, so it must hold only stages:
 * the folder of an installation, or of a build.
 */
static bool find_folder(char folder[4096])
{
    static const char *const endings[] = { "/libexec/pipestill", "/stages" };
    ssize_t length = readlink("/proc/self/exe", folder, 4095);
    folder[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t size = strlen(endings[i]), whole = strlen(folder);
        if (whole > size && strcmp(folder + whole - size, endings[i]) == 0)
            return true;
    }
    return false;
}

/* The stages that have an option: "loader and replay"; empty if there are none. */
static void find_owners(const char *name, char *owners, size_t size)
{
    char folder[4096], line[1024], stage[32] = "", last[32] = "";
    size_t count = 0;
    owners[0] = '\0';
    if (!find_folder(folder) || setenv("PIPESTILL_STAGES", folder, 1) != 0)
        return;
    FILE *tables = popen(
        "for s in \"$PIPESTILL_STAGES\"/*; do \"$s\" --list-options; done </dev/null 2>/dev/null", "re");
    while (tables != NULL && fgets(line, sizeof line, tables) != NULL) {
        line[strcspn(line, "\t")] = '\0';
        if (strncmp(line, "--", 2) != 0) {
            snprintf(stage, sizeof stage, "%.31s", line);
        } else if (strcmp(line + 2, name) == 0 && count++ < 4) {
            size_t used = strlen(owners);
            snprintf(owners + used, size - used, "%s%s", count > 2 ? ", " : "", last);
            snprintf(last, sizeof last, "%s", count < 4 ? stage : "others");
        }
    }
    if (tables != NULL)
        pclose(tables);
    size_t used = strlen(owners);
    snprintf(owners + used, size - used, "%s%s", count > 1 ? " and " : "", last);
}

enum pst_status pst_unknown_option(const struct pst_frame *frame, const char *text, struct pst_error *error)
{
    char word[32] = "", owners[160] = "";
    size_t far;
    const char *name = word, *nearest = NULL;
    if (sscanf(text, "--%31[^=]", word) == 1) {
        name = our_name(word);
        nearest = nearest_option(frame, name, &far);
        /* An exact name of another stage's option is likelier than one that differs by two letters. */
        if (far > 1)
            find_owners(name, owners, sizeof owners);
    }
    if (owners[0] != '\0')
        return pst_fail(error, PST_USAGE, "there is no option '%s' here; --%s is an option of %s", text, name,
                        owners);
    if (nearest != NULL)
        return pst_fail(error, PST_USAGE, "there is no option '%s'; did you mean --%s?", text, nearest);
    return pst_fail(error, PST_USAGE, "there is no option '%s'; --help lists them", text);
}
