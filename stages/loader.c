/*
 * loader: the source of a pipeline. Opens a data set, chooses samples, puts them in order, moves them about,
 * and writes them as batches; or replays recorded streams. The bits of a sample depend on (seed, epoch, id)
 * only.
 */
#include "stages/loader/loader.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const splits[] = { "train", "validation", "test", NULL };

static const struct loader defaults = { .asked = USUAL_WISHES, .kind = &set_kind };

#define PLACE(member) offsetof(struct loader, asked.member)

const struct pst_option loader_options[] = {
    { 0, "split", PST_CHOICE, PLACE(split), "which part of the set", .choices = splits },
    { 0, "images", PST_STRING, PLACE(images), "IDX file of samples, plain or .gz, instead of a named set",
      .metavar = "FILE", .silent = true },
    { 0, "labels", PST_STRING, PLACE(labels), "IDX file of their labels", .metavar = "FILE", .silent = true },
    { 0, "classes", PST_SIZE, PLACE(classes), "classes of IDX files; 0: the largest label plus one",
      .most = MOST_CLASSES },
    { 0, "samples", PST_SIZE, PLACE(samples), "size of digits; 0: 10000, and 5000 for the test set",
      .most = MOST_DIGITS },
    { 0, "data-seed", PST_U64, PLACE(data_seed), "seed that draws the digits", .metavar = "N" },
    { 0, "hold-out", PST_SIZE, PLACE(hold_out), "training samples that are the validation split",
      .metavar = "N" },
    { 0, "hold-out-seed", PST_U64, PLACE(hold_out_seed), "seed that chooses them", .metavar = "N" },
    { 0, "only-classes", PST_STRING, PLACE(only), "take these classes only: 7,8 or 0-4", .metavar = "LIST" },
    { 0, "omit-classes", PST_STRING, PLACE(omit), "leave these classes out", .metavar = "LIST" },
    { 0, "fraction", PST_POSITIVE_DOUBLE, PLACE(fraction), "take this share of each class", .most = 1 },
    { 0, "limit", PST_SIZE, PLACE(limit), "take at most so many, in all classes' proportion; 0: all",
      .metavar = "N" },
    { 'b', "batch", PST_SIZE, PLACE(batch), "samples in a batch; 0: 128, or as they were recorded",
      .most = 1 << 20 },
    { 0, "epochs", PST_U64, PLACE(epochs), "times to go through the samples; 0: without end", .most = 1e6 },
    { 0, "start", PST_U64, PLACE(start), "begin with this batch, counted from 0", .most = 1e14,
      .silent = true },
    { 's', "seed", PST_U64, PLACE(seed), "seed of selection, order and augmentation", .metavar = "N" },
    { 0, "shuffle", PST_FLAG, PLACE(shuffle), "a new order each epoch; usual for a training split",
      .silent = true },
    { 0, "no-shuffle", PST_FLAG, PLACE(no_shuffle), "the set's own order; usual for the others",
      .silent = true },
    { 0, "shift", PST_SIZE, PLACE(shift), "move images by up to so many pixels each way", .most = 1000 },
    { 0, "elastic", PST_DOUBLE, PLACE(elastic.strength), "bend images by about so many pixels", .most = 100 },
    { 0, "elastic-smoothness", PST_DOUBLE, PLACE(elastic.smoothness), "width of the bends in pixels",
      .metavar = "SIGMA", .least = 0.1, .most = 100 },
    { 0, "rotate", PST_DOUBLE, PLACE(elastic.rotation), "turn images by up to so many degrees each way",
      .most = 180 },
    { 0, "scale-jitter", PST_DOUBLE, PLACE(elastic.scaling), "stretch and shrink images by up to this share",
      .most = 0.9 },
    { 0, "run", PST_STRING, PLACE(run), "name this run so in the header; otherwise at random",
      .metavar = "NAME", .silent = true },
    { 0, "follow", PST_FLAG, PLACE(follow), "replay FILE while it is still being written", .silent = true },
    { 0, "skip-bad", PST_FLAG, PLACE(skip_bad), "leave damaged batches of recordings out, and say how many",
      .silent = true },
    { 0 },
};

static bool names_a_set(const char *operand)
{
    return strcmp(operand, "mnist") == 0 || strcmp(operand, "digits") == 0;
}

/* A word that is neither a file nor looks like the name of one was meant as a set. */
static bool looks_like_a_file(const char *operand)
{
    return strpbrk(operand, "./") != NULL || access(operand, F_OK) == 0;
}

/* What the operands name: a set, or recordings. */
static enum pst_status choose_kind(struct loader *loader, size_t count, char **operands,
                                   struct pst_error *error)
{
    const struct wishes *asked = &loader->asked;
    if (count > 0 && !names_a_set(operands[0]) && !looks_like_a_file(operands[0]))
        return pst_fail(error, PST_USAGE,
                        "there is no set '%s'; there are mnist and digits, --images, and recordings, of "
                        "which none has this name",
                        operands[0]);
    if (count > 0 && !names_a_set(operands[0]))
        loader->kind = asked->follow ? &follow_kind : &replay_kind;
    else if (count > 1)
        return pst_fail(error, PST_USAGE, "'%s' is one argument too many; --help says more", operands[1]);
    else if (asked->follow || asked->skip_bad)
        return pst_fail(error, PST_USAGE, "--follow and --skip-bad are for recordings");
    return PST_OK;
}

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    struct loader *loader = run->self;
    const char *name = loader->asked.run;
    const size_t most = sizeof((struct pst_header *)0)->run - 1;
    enum pst_status status = choose_kind(loader, count, operands, error);
    if (status != PST_OK)
        return status;
    if (name != NULL && strlen(name) > most)
        return pst_fail(error, PST_USAGE, "--run: at most %zu bytes", most);
    loader->source = pst_allocate(1, loader->kind->size, error);
    return loader->source == NULL ? PST_TRY_AGAIN : loader->kind->start(run, count, operands, error);
}

static enum pst_status on_header(struct pst_run *run, const struct pst_header *in, struct pst_header *out,
                                 struct pst_error *error)
{
    (void)in;
    const struct loader *loader = run->self;
    enum pst_status status = loader->kind->on_header(run, out, error);
    if (status == PST_OK && loader->asked.run != NULL)
        strcpy(out->run, loader->asked.run); /* start has checked its length */
    return status;
}

static enum pst_status next(struct pst_run *run, const struct pst_batch *in, struct pst_batch *out,
                            struct pst_error *error)
{
    (void)in;
    return ((const struct loader *)run->self)->kind->next(run, out, error);
}

static void stop(struct pst_run *run)
{
    struct loader *loader = run->self;
    if (loader->source != NULL)
        loader->kind->stop(run);
    free(loader->source);
}

int main(int argc, char **argv)
{
    return pst_main(argc, argv,
                    &(struct pst_stage){
                        .name = "loader",
                        .purpose = "write a data set as a stream of batches, or replay recorded ones",
                        .operands = "[mnist | digits | FILE...]",
                        .most_operands = 4096,
                        .description =
                            "mnist is read from $MNIST_DIR or one of the usual places; digits are drawn\n"
                            "as they are needed. Other sets come from IDX files with --images.\n"
                            "FILE is a recorded stream. It is replayed just as it was, or in other batches, "
                            "shuffled\nsample by sample, or in part; several are replayed as one set.",
                        .example = "loader digits --epochs 2 --shift 2 | stream-inspect",
                        .see_also = "teacher-forward(1), student-trainer(1), stream-inspect(1)",
                        .options = loader_options,
                        .size = sizeof(struct loader),
                        .defaults = &defaults,
                        .traits = PST_WRITES,
                        .start = start,
                        .on_header = on_header,
                        .on_batch = next,
                        .stop = stop,
                    });
}
