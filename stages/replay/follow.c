/* A recording that is still being written, replayed as it grows. */
#include "stages/replay/replay.h"

/* A recording that was complete so long before the follower began may be of an earlier run. */
#define OLD_SECONDS 60.0

struct followed {
    struct pst_reader *reader;
};

static struct followed *followed_of(const struct pst_run *run)
{
    return ((const struct replay *)run->self)->source;
}

static enum pst_status start(struct pst_run *run, size_t count, char **paths, struct pst_error *error)
{
    if (count > 1)
        return pst_fail(error, PST_USAGE, "--follow takes one recording");
    const struct pst_link_settings *settings = pst_link_options(run);
    struct pst_input *input;
    double age;
    enum pst_status status = pst_input_follow(&input, paths[0], settings->peer_timeout, &age, error);
    if (status == PST_OK && age > OLD_SECONDS)
        pst_say(run, "%s: is whole since %.0f s, and nothing is writing it; is it the one that is meant?",
                paths[0], age);
    return status == PST_OK ? pst_reader_new(&followed_of(run)->reader, input, settings->max_message, error)
                            : status;
}

static enum pst_status on_header(struct pst_run *run, struct pst_header *header, struct pst_error *error)
{
    pst_verbatim(run);
    pst_header_free(header);
    return pst_reader_header(followed_of(run)->reader, header, error);
}

static enum pst_status next(struct pst_run *run, struct pst_batch *batch, struct pst_error *error)
{
    return pst_reader_next(followed_of(run)->reader, batch, error);
}

static void stop(struct pst_run *run)
{
    pst_reader_free(followed_of(run)->reader);
}

const struct way followed_way = {
    .size = sizeof(struct followed),
    .start = start,
    .on_header = on_header,
    .next = next,
    .stop = stop,
};
