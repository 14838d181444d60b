/*
 * loader: the source of a pipeline. Opens a data set, chooses samples, puts them in order, moves them about,
 * and writes them as batches. The bits of a sample depend on (seed, epoch, id) only.
 */
#include "stages/loader/loader.h"

#include <stdio.h>
#include <string.h>

static const char *const splits[] = { "train", "validation", "test", NULL };

static const struct loader defaults = { .asked = {
                                            .epochs = 1, .fraction = 1, .elastic = { .smoothness = 4 } } };

#define PLACE(member) offsetof(struct loader, asked.member)

static const struct pst_option options[] = {
    { 0, "split", PST_CHOICE, PLACE(split), "which part of the set", .choices = splits, .of_samples = true },
    { 0, "images", PST_STRING, PLACE(images), "IDX file of samples, plain or .gz, instead of a named set",
      .metavar = "FILE", .silent = true },
    { 0, "labels", PST_STRING, PLACE(labels), "IDX file of their labels", .metavar = "FILE", .silent = true },
    { 0, "classes", PST_SIZE, PLACE(classes), "classes of IDX files; 0: the largest label plus one",
      .most = MOST_CLASSES, .of_samples = true },
    { 0, "samples", PST_SIZE, PLACE(samples), "size of digits; 0: 10000, and 5000 for the test set",
      .most = MOST_DIGITS, .of_samples = true },
    { 0, "data-seed", PST_U64, PLACE(data_seed), "seed that draws the digits", .metavar = "N",
      .of_samples = true },
    { 0, "hold-out", PST_SIZE, PLACE(hold_out), "training samples that are the validation split",
      .metavar = "N", .of_samples = true },
    { 0, "hold-out-seed", PST_U64, PLACE(hold_out_seed), "seed that chooses them", .metavar = "N",
      .of_samples = true },
    { 0, "only-classes", PST_STRING, PLACE(only), "take these classes only: 7,8 or 0-4", .metavar = "LIST",
      .of_samples = true },
    { 0, "omit-classes", PST_STRING, PLACE(omit), "leave these classes out", .metavar = "LIST",
      .of_samples = true },
    { 0, "fraction", PST_POSITIVE_DOUBLE, PLACE(fraction), "take this share of each class", .most = 1,
      .of_samples = true },
    { 0, "limit", PST_SIZE, PLACE(limit), "take at most so many, in all classes' proportion; 0: all",
      .metavar = "N", .of_samples = true },
    { 'b', "batch", PST_SIZE, PLACE(batch), "samples in a batch; 0: 128", .most = 1 << 20,
      .of_samples = true },
    { 0, "epochs", PST_U64, PLACE(epochs), "times to go through the samples; 0: without end", .most = 1e6,
      .of_samples = true },
    { 0, "start", PST_U64, PLACE(start), "begin with this batch, counted from 0", .most = 1e14,
      .silent = true },
    { 's', "seed", PST_U64, PLACE(seed), "seed of selection, order and augmentation", .metavar = "N",
      .of_samples = true },
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
    { 0 },
};

/* Whether a file begins as a recorded stream does: with a map of which the first key says what it is. */
static bool is_recording(const char *path)
{
    char bytes[6] = { 0 };
    FILE *file = fopen(path, "rb");
    bool is = file != NULL && fread(bytes, 1, sizeof bytes, file) == sizeof bytes &&
              memcmp(bytes + 1, "\xa4kind", 5) == 0;
    if (file != NULL)
        fclose(file);
    return is;
}

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    struct loader *loader = run->self;
    const char *name = loader->asked.run;
    const size_t most = sizeof((struct pst_header *)0)->run - 1;
    if (count > 0 && is_recording(operands[0]))
        return pst_fail(error, PST_USAGE, "%s is a recorded stream: use replay", operands[0]);
    if (name != NULL && strlen(name) > most)
        return pst_fail(error, PST_USAGE, "--run: at most %zu bytes", most);
    loader->source = source_new(error);
    return loader->source == NULL ? PST_TRY_AGAIN : source_start(run, count > 0 ? operands[0] : NULL, error);
}

static enum pst_status on_header(struct pst_run *run, const struct pst_header *in, struct pst_header *out,
                                 struct pst_error *error)
{
    (void)in;
    const struct loader *loader = run->self;
    enum pst_status status = source_header(run, out, error);
    if (status == PST_OK && loader->asked.run != NULL)
        strcpy(out->run, loader->asked.run); /* start has checked its length */
    return status;
}

static void stop(struct pst_run *run)
{
    source_free(((struct loader *)run->self)->source);
}

int main(int argc, char **argv)
{
    return pst_main(argc, argv,
                    &(struct pst_stage){
                        .name = "loader",
                        .purpose = "write a data set as a stream of batches",
                        .operands = "[mnist | digits]",
                        .most_operands = 1,
                        .description =
                            "mnist is read from $MNIST_DIR or one of the usual places; digits are drawn\n"
                            "as they are needed. Other sets come from IDX files with --images.",
                        .example = "loader digits --epochs 2 --shift 2 | stream-inspect",
                        .see_also = "replay(1), teacher-forward(1), student-trainer(1), stream-inspect(1)",
                        .options = options,
                        .size = sizeof(struct loader),
                        .defaults = &defaults,
                        .traits = PST_WRITES,
                        .start = start,
                        .on_header = on_header,
                        .on_batch = source_next,
                        .stop = stop,
                    });
}
