/* A recording that somebody is still writing, replayed just as it comes. */
#include "stages/loader/loader.h"

static struct pst_reader *reader;

static enum pst_status start(size_t count, char **operands, struct pst_error *error)
{
    if (count > 1)
        return pst_fail(error, PST_USAGE, "--follow takes one recording");
    enum pst_status status = check_replay_wishes(error);
    if (status != PST_OK)
        return status;
    if (is_choosy(&asked) || asked.batch > 0 || asked.shuffle || asked.epochs != 1 || asked.start > 0 ||
        asked.skip_bad || asked.run != NULL || asked.images != NULL || asked.labels != NULL)
        return pst_fail(
            error, PST_USAGE,
            "--follow replays a recording once and just as it comes; other options do not go with it");
    const struct pst_link_settings *settings = pst_link_options();
    struct pst_input *input;
    status = pst_input_follow(&input, operands[0], settings->peer_timeout, error);
    return status == PST_OK ? pst_reader_new(&reader, input, settings->max_message, error) : status;
}

static enum pst_status on_header(struct pst_header *header, struct pst_error *error)
{
    pst_header_free(header);
    return pst_reader_header(reader, header, error);
}

static enum pst_status next(struct pst_batch *batch, const struct pst_header *header, struct pst_error *error)
{
    (void)header;
    return pst_reader_next(reader, batch, error);
}

static bool always(void)
{
    return true;
}

static void stop(void)
{
    pst_reader_free(reader);
}

const struct kind follow_kind = {
    .start = start,
    .on_header = on_header,
    .next = next,
    .verbatim = always,
    .stop = stop,
};
