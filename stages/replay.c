/*
 * replay: a source that writes recorded streams again: exactly as they were, or as a set of samples that are
 * chosen, shuffled and put into batches of another size.
 */
#include "stages/replay/replay.h"

#include <stdlib.h>
#include <string.h>

static const struct replay defaults = {
    .options = { .epochs = 1, .fraction = 1, .special_share = 0.5, .memory = (size_t)128 << 20 }
};

#define PLACE(member) offsetof(struct replay, options.member)

static const struct pst_option options[] = {
    { 0, "only-classes", PST_STRING, PLACE(only), "take these classes only: 7,8 or 0-4", .metavar = "LIST",
      .of_samples = true },
    { 0, "omit-classes", PST_STRING, PLACE(omit), "leave these classes out", .metavar = "LIST",
      .of_samples = true },
    { 0, "fraction", PST_POSITIVE_DOUBLE, PLACE(fraction), "take this share of each class", .most = 1,
      .of_samples = true },
    { 0, "limit", PST_SIZE, PLACE(limit), "take at most N samples, in the proportion of classes; 0: all",
      .metavar = "N", .of_samples = true },
    { 0, "sample", PST_STRING, PLACE(sample), "take N samples at random, or this share: 1%",
      .metavar = "N|SHARE%", .of_samples = true },
    { 0, "special", PST_STRING, PLACE(special), "make these classes a share of every batch: 7,8 or @FILE:SET",
      .metavar = "CLASSES", .of_samples = true, .needs = "shuffle", .excludes = "sample" },
    { 0, "special-share", PST_DOUBLE, PLACE(special_share), "how large that share is", .least = 0.01,
      .most = 0.99, .of_samples = true, .needs = "special" },
    { 'b', "batch", PST_SIZE, PLACE(batch),
      "samples in a batch; 0: as recorded, or 128 of chosen or shuffled ones", .most = 1 << 20,
      .of_samples = true },
    { 0, "epochs", PST_U64, PLACE(epochs), "times to go through the samples; 0: without end", .most = 1e6,
      .of_samples = true },
    { 0, "start", PST_U64, PLACE(start), "begin with this batch, counted from 0", .most = 1e14,
      .silent = true },
    { 's', "seed", PST_U64, PLACE(seed), "seed of selection and order", .metavar = "N", .of_samples = true,
      .needs = "shuffle|fraction|limit|sample" },
    { 0, "shuffle", PST_FLAG, PLACE(shuffle), "a new order each time through the samples",
      .of_samples = true },
    { 0, "memory", PST_SIZE, PLACE(memory), "memory for batches of recordings", .metavar = "BYTES",
      .most = 1099511627776.0, .silent = true, .needs = "shuffle|splice" },
    { 0, "splice", PST_STRING, PLACE(splice), "give each frame so many frames before and after it, too: 20,5",
      .metavar = "BEFORE,AFTER", .tensor = "x" },
    { 0, "run", PST_STRING, PLACE(run), "name of this run in the header; otherwise random", .metavar = "NAME",
      .silent = true },
    { 0, "follow", PST_FLAG, PLACE(follow), "replay FILE while it is still being written", .silent = true,
      .excludes = "only-classes|omit-classes|fraction|limit|sample|special|batch|epochs|start|shuffle|splice|"
                  "run|skip-bad" },
    { 0, "skip-bad", PST_FLAG, PLACE(skip_bad), "leave damaged batches out, and say how many",
      .silent = true },
    { 0 },
};

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    struct replay *replay = run->self;
    const char *name = replay->options.run;
    const size_t most = sizeof((struct pst_header *)0)->run - 1;
    if (name != NULL && (strlen(name) > most || !pst_is_utf8(name)))
        return pst_fail(error, PST_USAGE, "--run: its value is not UTF-8 of at most %zu bytes", most);
    replay->way = replay->options.follow ? &followed_way : &recorded_way;
    replay->source = pst_allocate(1, replay->way->size, error);
    return replay->source == NULL ? PST_TRY_AGAIN : replay->way->start(run, count, operands, error);
}

static enum pst_status on_header(struct pst_run *run, const struct pst_header *in, struct pst_header *out,
                                 struct pst_error *error)
{
    (void)in;
    const struct replay *replay = run->self;
    enum pst_status status = replay->way->on_header(run, out, error);
    if (status == PST_OK && replay->options.run != NULL)
        strcpy(out->run, replay->options.run); /* start has checked its length */
    return status;
}

static enum pst_status next(struct pst_run *run, const struct pst_batch *in, struct pst_batch *out,
                            struct pst_error *error)
{
    (void)in;
    return ((const struct replay *)run->self)->way->next(run, out, error);
}

static void stop(struct pst_run *run)
{
    struct replay *replay = run->self;
    if (replay->source != NULL)
        replay->way->stop(run);
    free(replay->source);
}

int main(int argc, char **argv)
{
    return pst_main(
        argc, argv,
        &(struct pst_stage){
            .name = "replay",
            .purpose = "write recorded streams again",
            .operands = "FILE...",
            .least_operands = 1,
            .most_operands = 4096,
            .operand_files = PST_FILE_READ,
            .description = "FILE is a recorded stream. It is replayed just as it was, or in other batches, "
                           "shuffled\nsample by sample, or in part; several are replayed as one set.",
            .example = "replay transfer.pst --shuffle --epochs 100 | student-trainer --arch 784-30-10 -o "
                       "student.safetensors",
            .see_also = "loader(1), stream-join(1), stream-repair(1), compactor(1), student-trainer(1)",
            .options = options,
            .size = sizeof(struct replay),
            .defaults = &defaults,
            .traits = PST_WRITES,
            .start = start,
            .on_header = on_header,
            .on_batch = next,
            .stop = stop,
        });
}
