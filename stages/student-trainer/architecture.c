/* The network of --arch and --hidden: its text may stand in a file, and the place of a fault in it is shown.
 */
#include "stages/student-trainer/trainer.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Two lines above the message: the text, and a mark below the word. */
static void show_place(struct pst_run *run, const char *text, struct pst_place place)
{
    char excerpt[PST_EXCERPT], mark[PST_EXCERPT];
    if (text[0] == '\0')
        return;
    pst_architecture_mark(text, place, excerpt, mark);
    pst_say(run, "%s", excerpt);
    pst_say(run, "%s", mark);
}

/* from: what the messages name. lines: of the text in its file; NULL: it stands on the command line. */
static enum pst_status parse(struct pst_run *run, const char *text, const char *from, const size_t *lines,
                             struct pst_error *error)
{
    struct trainer *trainer = run->self;
    struct pst_place place;
    enum pst_status status = pst_network_parse(&trainer->training.network, text, &place, error);
    if (status != PST_USAGE)
        return status;
    show_place(run, text, place);
    if (lines == NULL)
        return pst_fail_at(error, "%s", from);
    error->status = PST_BAD_DATA;
    return pst_fail_at(error, "%s: line %zu", from, lines[place.at]);
}

static enum pst_status parse_file(struct pst_run *run, const char *path, struct pst_error *error)
{
    struct pst_architecture_file file;
    enum pst_status status = pst_architecture_read(path, &file, error);
    if (status != PST_OK)
        return status;
    status = parse(run, file.text, path, file.lines, error);
    pst_architecture_file_free(&file);
    return status;
}

enum pst_status make_network(struct pst_run *run, const char *architecture, const char *option,
                             struct pst_error *error)
{
    struct trainer *trainer = run->self;
    struct pst_network *network = &trainer->training.network;
    enum pst_status status = architecture[0] == '@' ? parse_file(run, architecture + 1, error)
                                                    : parse(run, architecture, option, NULL, error);
    if (status != PST_OK)
        return status;
    pst_network_initialise(network, trainer->settings.seed);
    /* However it was written: the run is the same. */
    return pst_history_note(run, "arch", json_string(network->architecture), error);
}
