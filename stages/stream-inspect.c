/* stream-inspect: a sink that shows what is in a stream, and checks that it is whole. */
#include "stages/stream-inspect/inspect.h"

#include <inttypes.h>
#include <string.h>

struct inspect {
    bool check_only, as_json, summary, show_samples;
    size_t head; /* batches or samples; 0: all */
    const char *sample_text, *architecture;
    uint64_t wanted;                  /* the id of --sample */
    const char *endpoint;             /* the operand, if there is one; for messages */
    size_t id;                        /* place of the tensor `id`, or PST_NONE */
    uint64_t batches, samples, shown; /* what came, and the samples shown */
    bool stopped;                     /* by --head */
    struct statistics statistics;
};

static const struct inspect defaults = { .endpoint = "the stream" };

#define PLACE(member) offsetof(struct inspect, member)

static const struct pst_option options[] = {
    { 'c', "check", PST_FLAG, PLACE(check_only),
      "only say, in a line and by the exit code, whether the stream is whole",
      .excludes = "head|sample|text|summary" },
    { 'n', "head", PST_SIZE, PLACE(head),
      "stop after N batches, or N samples if these are shown; 0: read all" },
    { 'j', "json", PST_FLAG, PLACE(as_json),
      "JSON lines: the header, each batch or sample, the end; or the model" },
    { 0, "sample", PST_STRING, PLACE(sample_text), "show the sample with this id each time that it comes",
      .metavar = "ID" },
    { 't', "text", PST_FLAG, PLACE(show_samples),
      "show each sample: its image in letters, its targets as classes, largest first" },
    { 's', "summary", PST_FLAG, PLACE(summary), "leave out the lines for batches",
      .excludes = "sample|text" },
    { 'a', "arch", PST_STRING, PLACE(architecture),
      "show the layers of a network that does not exist yet, as in student-trainer --arch",
      .metavar = "LAYERS", .excludes = "check|head|sample|text|summary|input" },
    { 0 },
};

/* A model is always shown whole, so only --json may be given. */
static enum pst_status start_model(struct pst_run *run, const char *path, struct pst_error *error)
{
    static const char *const of_streams[] = { "check", "head", "sample", "text", "summary", NULL };
    const char *given = pst_options_given(run, of_streams);
    if (given != NULL)
        return pst_fail(error, PST_USAGE, "--%s is for streams, and %s is a model", given, path);
    return show_model(run, path, ((const struct inspect *)run->self)->as_json, error);
}

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    struct inspect *inspect = run->self;
    if (inspect->architecture != NULL && count == 1)
        return pst_fail(error, PST_USAGE, "--arch shows a network, and '%s' is something else; give one",
                        operands[0]);
    if (inspect->architecture != NULL) {
        enum pst_status status = show_network(run, inspect->architecture, inspect->as_json, error);
        return status == PST_OK ? PST_END : status;
    }
    if (count == 1 && pst_options_given(run, (const char *const[]){ "input", NULL }) != NULL)
        return pst_fail(error, PST_USAGE, "--input and the argument '%s' name two streams; give one",
                        operands[0]);
    if (count == 1 && is_model(operands[0])) {
        enum pst_status status = start_model(run, operands[0], error);
        return status == PST_OK ? PST_END : status;
    }
    if (count == 1) {
        inspect->endpoint = operands[0];
        pst_read_from(run, inspect->endpoint);
    }
    if (inspect->sample_text != NULL && !pst_parse_u64(inspect->sample_text, 0, UINT64_MAX, &inspect->wanted))
        return pst_fail(error, PST_USAGE, "--sample: '%s' is not a whole number", inspect->sample_text);
    inspect->show_samples = inspect->show_samples || inspect->sample_text != NULL;
    return PST_OK;
}

static enum pst_status show_header(struct pst_run *run, const struct pst_header *header,
                                   struct pst_header *out, struct pst_error *error)
{
    struct inspect *inspect = run->self;
    (void)out;
    inspect->id = pst_header_find(header, "id");
    if (inspect->check_only)
        return PST_OK;
    if (inspect->show_samples) {
        if (inspect->sample_text != NULL && inspect->id == PST_NONE)
            return pst_fail(error, PST_BAD_DATA, "the stream has no tensor 'id'%s",
                            pst_compact_advice(header));
        return PST_OK;
    }
    enum pst_status status = statistics_begin(&inspect->statistics, header, error);
    if (status != PST_OK)
        return status;
    if (!inspect->as_json)
        return print_text(run, write_header, header, error);
    json_t *object = pst_header_to_json(header);
    if (object != NULL)
        json_object_set_new(object, "kind", json_string("header"));
    return print_json(run, object, error);
}

/* Ends the run when --head is reached. */
static enum pst_status count_to_head(struct inspect *inspect, uint64_t count)
{
    inspect->stopped = inspect->head > 0 && count >= inspect->head;
    return inspect->stopped ? PST_END : PST_OK;
}

static enum pst_status show_rows(struct pst_run *run, const struct pst_batch *batch, struct pst_error *error)
{
    struct inspect *inspect = run->self;
    const uint64_t *ids = inspect->id == PST_NONE ? NULL : batch->tensors[inspect->id].data;
    enum pst_status status = PST_OK;
    for (size_t row = 0; row < batch->n && status == PST_OK; row++) {
        if (inspect->sample_text != NULL && (ids == NULL || ids[row] != inspect->wanted))
            continue;
        struct sample sample = { .header = pst_input_header(run),
                                 .batch = batch,
                                 .row = row,
                                 .id = ids == NULL ? 0 : ids[row],
                                 .has_id = ids != NULL };
        status = inspect->as_json ? print_json(run, sample_to_json(&sample), error)
                                  : print_text(run, write_sample, &sample, error);
        if (status == PST_OK)
            status = count_to_head(inspect, ++inspect->shown);
    }
    return status;
}

static enum pst_status show_line(struct pst_run *run, const struct pst_batch *batch, struct pst_error *error)
{
    struct inspect *inspect = run->self;
    if (inspect->as_json)
        return print_json(run,
                          json_pack("{s:s, s:I, s:I, s:I}", "kind", "batch", "seq", (json_int_t)batch->seq,
                                    "epoch", (json_int_t)batch->epoch, "n", (json_int_t)batch->n),
                          error);
    char line[128];
    snprintf(line, sizeof line, "batch %-8" PRIu64 " epoch %-6" PRIu64 " %zu samples\n", batch->seq,
             batch->epoch, batch->n);
    return pst_print(run, line, error);
}

static enum pst_status show_batch(struct pst_run *run, const struct pst_batch *batch, struct pst_batch *out,
                                  struct pst_error *error)
{
    (void)out;
    struct inspect *inspect = run->self;
    inspect->batches++;
    inspect->samples += batch->n;
    if (inspect->check_only)
        return PST_OK;
    if (inspect->show_samples)
        return show_rows(run, batch, error);
    statistics_add(&inspect->statistics, batch);
    enum pst_status status = inspect->summary ? PST_OK : show_line(run, batch, error);
    return status == PST_OK ? count_to_head(inspect, inspect->batches) : status;
}

/* ---- the end ---- */

/* The end after --head. The rest may be damaged, so this does not say that the stream is whole. */
static enum pst_status show_stop(struct pst_run *run, struct pst_error *error)
{
    struct inspect *inspect = run->self;
    if (inspect->as_json)
        return print_json(run,
                          json_pack("{s:s, s:I, s:I, s:o*}", "kind", "stopped", "batches",
                                    (json_int_t)inspect->batches, "samples", (json_int_t)inspect->samples,
                                    "tensors",
                                    inspect->show_samples ? NULL : statistics_to_json(&inspect->statistics)),
                          error);
    char line[512];
    snprintf(line, sizeof line, "%s: stopped by --head in batch %" PRIu64 "; what follows was not looked at",
             inspect->endpoint, pst_input_header(run)->first + inspect->batches - 1);
    return pst_print_line(run, line, error);
}

static enum pst_status show_whole(struct pst_run *run, struct pst_error *error)
{
    struct inspect *inspect = run->self;
    if (inspect->as_json)
        return print_json(run,
                          json_pack("{s:s, s:b, s:I, s:I, s:o*}", "kind", "end", "whole", true, "batches",
                                    (json_int_t)inspect->batches, "samples", (json_int_t)inspect->samples,
                                    "tensors",
                                    inspect->check_only || inspect->show_samples
                                        ? NULL
                                        : statistics_to_json(&inspect->statistics)),
                          error);
    char line[512];
    snprintf(line, sizeof line, "%s: whole, %" PRIu64 " batches, %" PRIu64 " samples", inspect->endpoint,
             inspect->batches, inspect->samples);
    return pst_print_line(run, line, error);
}

/* The frame calls this only after a correct end of the stream, or when --head was reached. */
static enum pst_status show_end(struct pst_run *run, struct pst_error *error)
{
    struct inspect *inspect = run->self;
    if (inspect->sample_text != NULL && inspect->shown == 0)
        return pst_fail(error, PST_BAD_DATA, "none of %" PRIu64 " samples has the id %" PRIu64,
                        inspect->samples, inspect->wanted);
    if (!inspect->check_only && !inspect->show_samples && !inspect->as_json) {
        enum pst_status status = print_text(run, write_statistics, &inspect->statistics, error);
        if (status != PST_OK)
            return status;
    }
    return inspect->stopped ? show_stop(run, error) : show_whole(run, error);
}

static void stop(struct pst_run *run)
{
    struct inspect *inspect = run->self;
    statistics_free(&inspect->statistics);
}

int main(int argc, char **argv)
{
    return pst_main(argc, argv,
                    &(struct pst_stage){
                        .name = "stream-inspect",
                        .purpose = "show what is in a stream or a model, and whether a stream is whole",
                        .operands = "[FILE | MODEL]",
                        .most_operands = 1,
                        .operand_files = PST_FILE_READ | PST_FILE_ENDPOINT,
                        .description =
                            "Shows the header, the history, a line for each batch, and statistics of each\n"
                            "tensor; or, with --sample or --text, samples.\n"
                            "The exit code is 0 only if the stream is whole, or reading stopped at --head.\n"
                            "For a model file it shows the layers and the history of its training.",
                        .example = "loader digits --limit 300 | stream-inspect",
                        .see_also = "evaluator(1), replay(1), pipestill(1)",
                        .options = options,
                        .size = sizeof(struct inspect),
                        .defaults = &defaults,
                        .traits = PST_READS,
                        .start = start,
                        .on_header = show_header,
                        .on_batch = show_batch,
                        .on_end = show_end,
                        .stop = stop,
                    });
}
