/* What may be asked of recordings. */
#include "stages/loader/loader.h"

/* An option that would have no effect is refused, not passed over. */
enum pst_status check_replay_wishes(const struct pst_run *run, struct pst_error *error)
{
    const struct wishes *asked = &((const struct loader *)run->self)->asked;
    static const char *const of_sets[] = { "split",     "hold-out", "hold-out-seed", "classes", "samples",
                                           "data-seed", NULL };
    static const char *const moves[] = { "shift",  "elastic",      "elastic-smoothness",
                                         "rotate", "scale-jitter", NULL };
    const char *given = pst_options_given(run, of_sets);
    if (given != NULL)
        return pst_fail(
            error, PST_USAGE,
            "--%s and other options that make or split a set are for data sets, not for recordings", given);
    given = pst_options_given(run, moves);
    if (given != NULL)
        return pst_fail(
            error, PST_USAGE,
            "--%s: recorded samples cannot be moved about: their soft targets belong to them as they are",
            given);
    if (asked->shuffle && asked->no_shuffle)
        return pst_fail(error, PST_USAGE, "--shuffle and --no-shuffle exclude each other");
    return PST_OK;
}

enum pst_status refuse_files(const struct pst_run *run, const char *path, struct pst_error *error)
{
    const char *given = pst_options_given(run, (const char *const[]){ "images", "labels", NULL });
    if (given == NULL)
        return PST_OK;
    return pst_fail(
        error, PST_USAGE,
        "--%s has nothing to give: only a recording that left its inputs out needs their files, and %s "
        "did not",
        given, path);
}
