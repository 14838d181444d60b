/* stream-export: a sink that writes a stream's tensors as files that other tools read. */
#include "stages/stream-export/export.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct format *const formats[] = { &format_csv, &format_tsv, &format_jsonl, &format_npy,
                                                &format_npz };
static const char *const format_words[] = { "csv", "tsv", "jsonl", "npy", "npz", NULL };

static enum pst_status take_list(void *self, const char *value, struct pst_error *error)
{
    struct export *export = self;
    const char **grown = realloc(export->lists, (export->list_count + 1) * sizeof *grown);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    export->lists = grown;
    grown[export->list_count++] = value;
    return PST_OK;
}

static const struct pst_option options[] = {
    { 't', "to", PST_CHOICE, offsetof(struct export, to), "the type of file", .choices = format_words,
      .required = true },
    { 'o', "output", PST_STRING, offsetof(struct export, output_path),
      "the file to write; otherwise standard output", .metavar = "FILE", .files = PST_FILE_REPLACED,
      .silent = true },
    { 0, "take", PST_LIST, 0, "the columns: names of tensors and derived columns, with commas between",
      .take = take_list, .metavar = "LIST" },
    { 0, "of", PST_STRING, offsetof(struct export, of),
      "tensor with the predictions: logits, logits/NAME, soft or soft/NAME", .metavar = "TENSOR" },
    { 0, "as", PST_CHOICE, offsetof(struct export, as),
      "what the predictions are; auto: as y says, or the header",
      .choices = (const char *const[]){ "auto", "classes", "numbers", "bits", NULL } },
    { 0, "raw", PST_FLAG, offsetof(struct export, raw),
      "write bytes as they are, without their scale and offset" },
    { 0, "no-header", PST_FLAG, offsetof(struct export, no_header), "write no line of names",
      .needs = "to=csv|to=tsv" },
    { 0 },
};

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    (void)count, (void)operands;
    struct export *export = run->self;
    bool to_file = export->output_path != NULL && strcmp(export->output_path, "-") != 0;
    export->format = formats[export->to];
    if (to_file)
        pst_stop_on_signals(); /* so that an incomplete file is removed */
    else if (export->format->is_binary && isatty(STDOUT_FILENO))
        return pst_fail(
            error, PST_USAGE,
            "standard output is a terminal, and %s is not text; name a file with -o, or pipe it on",
            format_words[export->to]);
    return PST_OK;
}

/* Probabilities at another temperature than 1 are not the network's own. */
static void warn(struct pst_run *run)
{
    const struct predictions *of = &((const struct export *)run->self)->predictions;
    if (of->index != PST_NONE && !of->logits && of->spec.temperature != 0 && of->spec.temperature != 1)
        pst_say(run, "%s is softened at T = %g, and so are the probabilities, margins and entropies",
                of->spec.name, of->spec.temperature);
}

static enum pst_status begin(struct pst_run *run, const struct pst_header *header, struct pst_header *out,
                             struct pst_error *error)
{
    (void)out;
    struct export *export = run->self;
    enum pst_status status = columns_choose(export, header, error);
    if (status != PST_OK)
        return status;
    status = output_open(run, &export->output, export->output_path, error);
    if (status == PST_OK)
        status = export->format->begin(export, error);
    if (status == PST_OK)
        warn(run);
    return status;
}

static enum pst_status add(struct pst_run *run, const struct pst_batch *batch, struct pst_batch *out,
                           struct pst_error *error)
{
    (void)out;
    struct export *export = run->self;
    enum pst_status status = columns_fill(export, batch, error);
    return status == PST_OK ? export->format->add(export, batch->n, error) : status;
}

static enum pst_status finish(struct pst_run *run, struct pst_error *error)
{
    struct export *export = run->self;
    enum pst_status status = export->format->finish != NULL ? export->format->finish(export, error) : PST_OK;
    return status == PST_OK ? output_finish(&export->output, error) : status;
}

static void stop(struct pst_run *run)
{
    struct export *export = run->self;
    for (size_t i = 0; export->keys != NULL && i < export->count; i++)
        free(export->keys[i]);
    free(export->keys);
    fields_free(&export->fields);
    arrays_free(export);
    columns_free(export);
    predictions_free(&export->predictions);
    names_free(&export->names);
    output_stop(&export->output);
    free(export->lists);
}

int main(int argc, char **argv)
{
    static const struct export defaults = { .predictions = { .index = PST_NONE } };
    return pst_main(
        argc, argv,
        &(struct pst_stage){
            .name = "stream-export",
            .purpose = "write a stream as a file for other tools",
            .description =
                "A column of --take is a tensor, by its name, or derived: label (the name of y's class),\n"
                "argmax (the likeliest class), class (its name), probability, margin, entropy,\n"
                "prediction (of every class or output), epoch, seq. Without --take: id, y or label, and\n"
                "what is predicted; without predictions all tensors. A tensor of several numbers is\n"
                "NAME.0, NAME.1, ... in csv and tsv, a list in jsonl, and an array in npy and npz.",
            .example = "replay new.pst | teacher-forward student.safetensors |\n"
                       "      stream-export --to csv -o predictions.csv",
            .see_also = "evaluator(1), stream-inspect(1), stream-select(1), teacher-forward(1)",
            .options = options,
            .size = sizeof(struct export),
            .defaults = &defaults,
            .traits = PST_READS,
            .start = start,
            .on_header = begin,
            .on_batch = add,
            .on_end = finish,
            .stop = stop,
        });
}
