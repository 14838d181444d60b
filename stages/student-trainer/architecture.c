/* The network of --arch and --hidden: its text may be in a file, and messages show the place of a fault. */
#include "stages/student-trainer/trainer.h"

#include <jansson.h>

enum pst_status make_network(struct pst_run *run, const char *architecture, const char *option,
                             struct pst_error *error)
{
    struct trainer *trainer = run->self;
    struct pst_network *network = &trainer->training.network;
    char excerpt[PST_EXCERPT], mark[PST_EXCERPT];
    enum pst_status status = pst_network_written(network, architecture, option, excerpt, mark, error);
    if (status != PST_OK && excerpt[0] != '\0') {
        pst_say(run, "%s", excerpt);
        pst_say(run, "%s", mark);
    }
    if (status != PST_OK)
        return status;
    pst_network_initialise(network, trainer->settings.seed);
    /* In its normal form, because the way of writing it does not change the run. */
    return pst_history_note(run, "arch", json_string(network->architecture), error);
}
