/* stream-check: a sink that asks the teachers again about a part of the samples, and compares. */
#include "stages/stream-check/check.h"

#include <inttypes.h>
#include <string.h>

#define USE_CHECK 512 /* random numbers of this stage's own */

struct check check = { .tolerance = 1e-4 };

static const char *share_text = "1%";
static bool as_json;
static size_t x, id;         /* places of the tensors */
static struct pst_error off; /* what a comparison found */

static const struct pst_option options[] = {
    { .letter = 'a',
      .name = "against",
      .type = PST_LIST,
      .take = take_teacher,
      .metavar = "MODEL",
      .required = true,
      .help = "a teacher to ask again; may be given several times" },
    { .letter = 'n',
      .name = "name",
      .type = PST_LIST,
      .take = take_name,
      .metavar = "NAME",
      .help = "what the teacher of the --against before it is called in the stream; otherwise as its file" },
    { .name = "sample",
      .type = PST_STRING,
      .target = &share_text,
      .metavar = "SHARE",
      .help = "the share of samples to check, such as 1% or 0.01" },
    { .letter = 's',
      .name = "seed",
      .type = PST_U64,
      .target = &check.seed,
      .help = "seed that chooses them" },
    { .letter = 't',
      .name = "tolerance",
      .type = PST_DOUBLE,
      .target = &check.tolerance,
      .help = "the largest difference allowed" },
    { .letter = 'j', .name = "json", .type = PST_FLAG, .target = &as_json, .help = "report as JSON" },
    { 0 },
};

/* "1%" or "0.01". */
static enum pst_status parse_share(struct pst_error *error)
{
    char number[32];
    size_t length = strlen(share_text);
    bool percent = length > 0 && share_text[length - 1] == '%';
    if (percent)
        length--;
    if (length < sizeof number) {
        memcpy(number, share_text, length);
        number[length] = '\0';
        if (pst_parse_double(number, 0, percent ? 100 : 1, &check.share) && check.share > 0) {
            check.share /= percent ? 100 : 1;
            return PST_OK;
        }
    }
    return pst_fail(error, PST_USAGE, "--sample: '%s' is no share above 0 up to 100%%, such as 1%% or 0.01",
                    share_text);
}

static enum pst_status start(size_t count, char **operands, struct pst_error *error)
{
    if (count == 1)
        pst_read_from(operands[0]);
    enum pst_status status = parse_share(error);
    return status == PST_OK ? read_teachers(error) : status;
}

static enum pst_status look(struct pst_header *header, struct pst_error *error)
{
    enum pst_status status = pst_header_copy(&check.header, header, error);
    if (status != PST_OK)
        return status;
    x = pst_header_find(header, "x");
    if (x == PST_NONE)
        return pst_fail(error, PST_BAD_DATA, "the stream has no inputs 'x', so no teacher can be asked%s",
                        pst_compact_advice(header));
    status = pst_header_require(header, "id", PST_DTYPE_U64, 0, NULL, &id, error);
    if (status == PST_OK)
        status = check_teachers(header, x, error);
    if (status == PST_OK)
        status = plan(header, error);
    return status == PST_OK ? prepare_rows(error) : status;
}

/* A sample is chosen by (seed, epoch, id), so it does not matter where in the stream it stands. */
static bool is_chosen(uint64_t epoch, uint64_t sample)
{
    struct pst_random random;
    pst_random_start(&random, check.seed, USE_CHECK, epoch, sample);
    return pst_random_uniform(&random) < check.share;
}

/* What is off is told when reading has ended: it need not stand in the batch that was read last. */
static enum pst_status take(struct pst_batch *batch, const struct pst_header *header, struct pst_error *error)
{
    (void)header;
    check.batches++;
    check.samples += batch->n;
    const uint64_t *ids = batch->tensors[id].data;
    enum pst_status status = PST_OK;
    for (size_t row = 0; row < batch->n && status == PST_OK; row++) {
        if (is_chosen(batch->epoch, ids[row]))
            status = collect(batch, x, ids, row, &off);
    }
    if (status != PST_OK && status != PST_BAD_DATA)
        return pst_fail(error, status, "%s", off.message);
    return status == PST_OK ? PST_OK : PST_END;
}

static enum pst_status report(struct pst_error *error)
{
    if (off.status != PST_OK)
        return pst_fail(error, off.status, "%s", off.message);
    enum pst_status status = compare_collected(error);
    if (status != PST_OK)
        return status;
    if (check.checked == 0)
        return pst_fail(error, PST_BAD_DATA,
                        "of %" PRIu64 " samples none was chosen, so nothing was checked; give a larger "
                        "--sample",
                        check.samples);
    return as_json ? report_json(error) : report_text(error);
}

static void stop(void)
{
    free_rows();
    free_group();
    free_plan();
    free_teachers();
    pst_header_free(&check.header);
}

int main(int argc, char **argv)
{
    return pst_sink_main(
        argc, argv,
        &(struct pst_sink){
            .stage = { .name = "stream-check",
                       .purpose = "ask the teachers again about a part of a recording, and compare",
                       .operands = "[FILE]",
                       .most_operands = 1,
                       .description =
                           "Compares logits/NAME and soft/NAME with what the teacher NAME says now, and "
                           "soft\n"
                           "and logits with the mean, where all of its teachers are given. A difference\n"
                           "above --tolerance is an error that names batch, row, sample and tensor.",
                       .options = options,
                       .example = "loader mnist | teacher-forward t.safetensors | stream-check --against "
                                  "t.safetensors --sample 1%",
                       .see_also = "stream-inspect(1), stream-join(1), teacher-forward(1)",
                       .uses_blas = true,
                       .start = start,
                       .stop = stop },
            .on_header = look,
            .on_batch = take,
            .on_end = report });
}
