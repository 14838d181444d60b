/* stream-inspect: a sink that shows what is in a stream, and says whether it is whole. */
#include "stages/stream-inspect/inspect.h"

#include <inttypes.h>
#include <string.h>

static bool check_only, as_json, summary, show_samples;
static size_t head; /* batches or samples; 0: all */
static const char *sample_text;
static uint64_t wanted;                        /* the id of --sample */
static const char *endpoint = "the stream";    /* whatever --input says */
static struct pst_header described;            /* a copy, for the end */
static size_t id;                              /* place of the tensor, or PST_NONE */
static uint64_t batches, samples, shown_count; /* samples shown */
static bool stopped;                           /* by --head */

static const struct pst_option options[] = {
    { .letter = 'c',
      .name = "check",
      .type = PST_FLAG,
      .target = &check_only,
      .help = "only say whether the stream is whole, by a line and the exit code" },
    { .letter = 'n',
      .name = "head",
      .type = PST_SIZE,
      .target = &head,
      .help = "stop after so many batches, or samples where samples are shown; 0: read all" },
    { .letter = 'j',
      .name = "json",
      .type = PST_FLAG,
      .target = &as_json,
      .help = "JSON lines: the header, each batch or sample, the end" },
    { .name = "sample",
      .type = PST_STRING,
      .target = &sample_text,
      .metavar = "ID",
      .help = "show the sample with this id, as often as it comes" },
    { .letter = 't',
      .name = "text",
      .type = PST_FLAG,
      .target = &show_samples,
      .help = "show each sample: its image in letters, its targets as classes, largest first" },
    { .letter = 's', .name = "summary", .type = PST_FLAG, .target = &summary, .help = "no line a batch" },
    { 0 },
};

static enum pst_status start(size_t count, char **operands, struct pst_error *error)
{
    if (count == 1) {
        endpoint = operands[0];
        pst_read_from(endpoint);
    }
    if (sample_text != NULL && !pst_parse_u64(sample_text, 0, UINT64_MAX, &wanted))
        return pst_fail(error, PST_USAGE, "--sample: '%s' is not a whole number", sample_text);
    if (check_only && (head > 0 || sample_text != NULL || show_samples))
        return pst_fail(
            error, PST_USAGE,
            "--check reads all and shows nothing; it does not go with --head, --sample or --text");
    show_samples = show_samples || sample_text != NULL;
    if (show_samples && summary)
        return pst_fail(error, PST_USAGE, "--summary shows no samples");
    return PST_OK;
}

static enum pst_status show_header(struct pst_header *header, struct pst_error *error)
{
    enum pst_status status = pst_header_copy(&described, header, error);
    id = pst_header_find(header, "id");
    if (status != PST_OK || check_only)
        return status;
    if (show_samples) {
        if (sample_text != NULL && id == PST_NONE)
            return pst_fail(error, PST_BAD_DATA, "the stream has no tensor 'id'%s",
                            pst_compact_advice(header));
        return PST_OK;
    }
    status = statistics_begin(&described, error);
    if (status != PST_OK)
        return status;
    if (!as_json)
        return print_text(write_header, header, error);
    json_t *object = pst_header_to_json(header);
    if (object != NULL)
        json_object_set_new(object, "kind", json_string("header"));
    return print_json(object, error);
}

/* Ends the run where --head is reached. */
static enum pst_status count_to_head(uint64_t count)
{
    stopped = head > 0 && count >= head;
    return stopped ? PST_END : PST_OK;
}

static enum pst_status show_rows(const struct pst_batch *batch, const struct pst_header *header,
                                 struct pst_error *error)
{
    const uint64_t *ids = id == PST_NONE ? NULL : batch->tensors[id].data;
    enum pst_status status = PST_OK;
    for (size_t row = 0; row < batch->n && status == PST_OK; row++) {
        if (sample_text != NULL && (ids == NULL || ids[row] != wanted))
            continue;
        struct sample sample = { .header = header,
                                 .batch = batch,
                                 .row = row,
                                 .id = ids == NULL ? 0 : ids[row],
                                 .has_id = ids != NULL };
        status =
            as_json ? print_json(sample_to_json(&sample), error) : print_text(write_sample, &sample, error);
        if (status == PST_OK)
            status = count_to_head(++shown_count);
    }
    return status;
}

static enum pst_status show_line(const struct pst_batch *batch, struct pst_error *error)
{
    if (as_json)
        return print_json(json_pack("{s:s, s:I, s:I, s:I}", "kind", "batch", "seq", (json_int_t)batch->seq,
                                    "epoch", (json_int_t)batch->epoch, "n", (json_int_t)batch->n),
                          error);
    char line[128];
    snprintf(line, sizeof line, "batch %-8" PRIu64 " epoch %-6" PRIu64 " %zu samples\n", batch->seq,
             batch->epoch, batch->n);
    return pst_print(line, error);
}

static enum pst_status show_batch(struct pst_batch *batch, const struct pst_header *header,
                                  struct pst_error *error)
{
    batches++;
    samples += batch->n;
    if (check_only)
        return PST_OK;
    if (show_samples)
        return show_rows(batch, header, error);
    statistics_add(batch);
    enum pst_status status = summary ? PST_OK : show_line(batch, error);
    return status == PST_OK ? count_to_head(batches) : status;
}

/* ---- the end ---- */

/* --head has seen enough; what follows may be damaged, so "whole" is not said. */
static enum pst_status show_stop(struct pst_error *error)
{
    if (as_json)
        return print_json(json_pack("{s:s, s:I, s:I, s:o*}", "kind", "stopped", "batches",
                                    (json_int_t)batches, "samples", (json_int_t)samples, "tensors",
                                    show_samples ? NULL : statistics_to_json()),
                          error);
    char line[512];
    snprintf(line, sizeof line,
             "%s: stopped by --head in batch %" PRIu64 "; what follows was not looked at\n", endpoint,
             described.first + batches - 1);
    return pst_print(line, error);
}

static enum pst_status show_whole(struct pst_error *error)
{
    if (as_json)
        return print_json(json_pack("{s:s, s:b, s:I, s:I, s:o*}", "kind", "end", "whole", true, "batches",
                                    (json_int_t)batches, "samples", (json_int_t)samples, "tensors",
                                    check_only || show_samples ? NULL : statistics_to_json()),
                          error);
    char line[512];
    snprintf(line, sizeof line, "%s: whole, %" PRIu64 " batches, %" PRIu64 " samples\n", endpoint, batches,
             samples);
    return pst_print(line, error);
}

/* The stream has ended as it should, or --head was reached: the runner calls this only then. */
static enum pst_status show_end(struct pst_error *error)
{
    if (sample_text != NULL && shown_count == 0)
        return pst_fail(error, PST_BAD_DATA, "none of %" PRIu64 " samples has the id %" PRIu64, samples,
                        wanted);
    if (!check_only && !show_samples && !as_json) {
        enum pst_status status = print_text(write_statistics, NULL, error);
        if (status != PST_OK)
            return status;
    }
    return stopped ? show_stop(error) : show_whole(error);
}

static void stop(void)
{
    statistics_free();
    pst_header_free(&described);
}

int main(int argc, char **argv)
{
    return pst_sink_main(
        argc, argv,
        &(struct pst_sink){
            .stage = { .name = "stream-inspect",
                       .purpose = "show what is in a stream, and say whether it is whole",
                       .operands = "[FILE]",
                       .most_operands = 1,
                       .description =
                           "Shows the header, the history, a line a batch, and statistics of each tensor;\n"
                           "or, with --sample or --text, what it says of samples.\n"
                           "The exit code is 0 only where the stream is whole, or --head was reached.",
                       .options = options,
                       .example = "loader digits --limit 300 | stream-inspect",
                       .see_also = "evaluator(1), loader(1), pipestill(1)",
                       .start = start,
                       .stop = stop },
            .on_header = show_header,
            .on_batch = show_batch,
            .on_end = show_end });
}
