/* stream-check: a sink that asks the teachers again about a part of the samples, and compares. */
#include "stages/stream-check/check.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define USE_CHECK 512 /* random numbers of this stage's own */

struct check check = { .tolerance = 1e-4 };

static const char *share_text = "1%";
static bool as_json;
static size_t x, id;           /* places of the tensors */
static struct pst_buffer rows; /* places in the batch of the samples chosen */

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
        return pst_fail(error, PST_BAD_DATA, "the stream has no inputs 'x', so no teacher can be asked");
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

static enum pst_status compare(const struct pst_batch *batch, struct comparison *comparison,
                               const size_t *chosen, size_t count, struct pst_error *error)
{
    for (size_t i = 0; i < count; i++) {
        size_t row = chosen[i];
        const float *recorded = (const float *)batch->tensors[comparison->tensor].data + row * check.classes;
        double apart = compare_row(comparison, recorded, i);
        if (!(apart <= check.tolerance))
            return pst_fail(error, PST_BAD_DATA,
                            "row %zu, sample %" PRIu64 ": '%s' is off by %.3g from what %s%s says; "
                            "--tolerance allows %g",
                            row, ((const uint64_t *)batch->tensors[id].data)[row], comparison->name, apart,
                            check.teachers[comparison->members[0]].path,
                            comparison->member_count > 1 ? " with the others" : "", check.tolerance);
    }
    return PST_OK;
}

static enum pst_status take(struct pst_batch *batch, const struct pst_header *header, struct pst_error *error)
{
    check.batches++;
    check.samples += batch->n;
    enum pst_status status = pst_buffer_reserve(&rows, batch->n * sizeof(size_t), 0, error);
    if (status != PST_OK)
        return status;
    const uint64_t *ids = batch->tensors[id].data;
    size_t *chosen = rows.data, count = 0;
    for (size_t row = 0; row < batch->n; row++) {
        if (is_chosen(batch->epoch, ids[row]))
            chosen[count++] = row;
    }
    if (count == 0)
        return PST_OK;
    check.checked += count;
    status = ask_teachers(header, batch, x, chosen, count, error);
    for (size_t i = 0; i < check.comparison_count && status == PST_OK; i++)
        status = compare(batch, &check.comparisons[i], chosen, count, error);
    return status;
}

static enum pst_status report(struct pst_error *error)
{
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
    free_plan();
    free_teachers();
    pst_buffer_free(&rows);
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
