/* compactor: a filter that makes a stream smaller, for recordings: soft targets in fewer bits, inputs by
 * reference, and all of it compressed. */
#include "pipestill.h"

#include <inttypes.h>
#include <jansson.h>

static struct pst_compact_options asked;
static int form = PST_COMPACT_F16, inputs = PST_COMPACT_KEEP;
static bool show_error, restore;
static uint64_t level; /* of zstd; 0: not at all */
/* The last one is not of the library: nothing is done to any tensor. */
static const char *const forms[] = { "f32", "f16", "u8", "top-k", "sampled", "keep", NULL };
enum { KEEP_ALL = PST_COMPACT_SAMPLED + 1 };
static const char *const kinds[] = { "keep", "digest", "reference", NULL };

static struct pst_compactor *compactor;
static struct pst_restorer *restorer;
static struct pst_batch from, to;
static struct pst_header header; /* of what is written */
static struct pst_compact_loss loss;

static const struct pst_option options[] = {
    { .name = "targets",
      .type = PST_CHOICE,
      .target = &form,
      .choices = forms,
      .help = "form of the soft targets; keep: of these and all else as it is",
      .silent = true },
    { .name = "of",
      .type = PST_STRING,
      .target = &asked.target,
      .metavar = "NAME",
      .help = "which tensor they are; others of soft targets and logits are dropped",
      .silent = true },
    { .name = "top",
      .type = PST_SIZE,
      .target = &asked.top,
      .metavar = "K",
      .most = PST_COMPACT_MOST_CLASSES,
      .help = "classes that top-k keeps",
      .silent = true },
    { .name = "draws",
      .type = PST_SIZE,
      .target = &asked.draws,
      .metavar = "N",
      .most = 1 << 20,
      .help = "classes that sampled draws for each sample",
      .silent = true },
    { .letter = 's',
      .name = "seed",
      .type = PST_U64,
      .target = &asked.seed,
      .help = "seed of these draws",
      .silent = true },
    { .name = "inputs",
      .type = PST_CHOICE,
      .target = &inputs,
      .choices = kinds,
      .help = "keep x; or a digest of it; or one of x, y and id",
      .silent = true },
    { .letter = 'z',
      .name = "zstd",
      .type = PST_U64,
      .target = &level,
      .metavar = "LEVEL",
      .most = 19,
      .help = "compress all tensors, 1 fast to 19 small; 0: not",
      .silent = true },
    { .name = "error",
      .type = PST_FLAG,
      .target = &show_error,
      .help = "say at the end what was lost, and how many bytes a sample takes",
      .silent = true },
    { .name = "restore",
      .type = PST_FLAG,
      .target = &restore,
      .help = "the other way: soft targets as f32 again",
      .silent = true },
    { 0 },
};

/* The history says what was done, and no option that did nothing. */
static enum pst_status note_options(struct pst_error *error)
{
    if (restore)
        return pst_history_note("restore", json_true(), error);
    enum pst_status status =
        pst_history_note("targets", json_string(pst_compact_form_name(asked.form)), error);
    if (status == PST_OK)
        status = pst_history_note("inputs", json_string(pst_compact_inputs_name(asked.inputs)), error);
    if (status == PST_OK && asked.top > 0)
        status = pst_history_note("top", json_integer((json_int_t)asked.top), error);
    if (status == PST_OK && asked.draws > 0)
        status = pst_history_note("draws", json_integer((json_int_t)asked.draws), error);
    if (status == PST_OK && asked.draws > 0)
        status = pst_history_note("seed", json_integer((json_int_t)asked.seed), error);
    return status;
}

/* What says how to make a stream compact, and means nothing to a stream that is to be restored. */
static enum pst_status check_restore(struct pst_error *error)
{
    static const char *const others[] = { "targets", "of", "top", "draws", "seed", "inputs", "error", NULL };
    const char *given = pst_options_given(others);
    return given == NULL ? PST_OK
                         : pst_fail(error, PST_USAGE,
                                    "--restore takes no other option than --zstd, and not --%s: the stream "
                                    "says all",
                                    given);
}

static enum pst_status start(size_t count, char **operands, struct pst_error *error)
{
    (void)count;
    (void)operands;
    asked.form = (enum pst_compact_form)form;
    asked.inputs = (enum pst_compact_inputs)inputs;
    if (restore) {
        enum pst_status status = check_restore(error);
        return status == PST_OK ? note_options(error) : status;
    }
    bool seed = pst_options_given((const char *const[]){ "seed", NULL }) != NULL;
    bool others = show_error || asked.target != NULL || asked.top > 0 || asked.draws > 0 || seed;
    if (form == KEEP_ALL && (others || inputs != PST_COMPACT_KEEP))
        return pst_fail(error, PST_USAGE, "--targets keep takes no other option than --zstd");
    if (form == KEEP_ALL)
        return PST_OK;
    if ((asked.form == PST_COMPACT_TOP_K) != (asked.top > 0))
        return pst_fail(error, PST_USAGE, "--targets top-k and --top K belong together");
    if ((asked.form == PST_COMPACT_SAMPLED) != (asked.draws > 0))
        return pst_fail(error, PST_USAGE, "--targets sampled and --draws N belong together");
    if (seed && asked.form != PST_COMPACT_SAMPLED)
        return pst_fail(error, PST_USAGE, "--seed is for --targets sampled");
    return note_options(error);
}

static enum pst_status plan(const struct pst_header *original, struct pst_error *error)
{
    if (form == KEEP_ALL)
        return pst_header_copy(&header, original, error);
    if (!restore)
        return pst_compactor_new(&compactor, original, &asked, &header, error);
    enum pst_status status =
        pst_restorer_new(&restorer, original, pst_link_options()->max_message, &header, error);
    if (status == PST_OK && pst_restorer_inputs(restorer) != PST_COMPACT_KEEP)
        return pst_fail(error, PST_BAD_DATA,
                        "the stream's inputs were left out; loader gives them again when it replays a "
                        "recording%s",
                        pst_restorer_inputs(restorer) == PST_COMPACT_BY_DIGEST
                            ? ", and stream-join brings a recording's targets to inputs from elsewhere"
                            : "");
    return status;
}

/* Makes `to` of `from`, one way or the other. */
static enum pst_status turn(struct pst_error *error)
{
    if (restore)
        return pst_restorer_batch(restorer, &from, &to, error);
    enum pst_status status = pst_compactor_pack(compactor, &from, &to, error);
    if (status == PST_OK && show_error)
        status = pst_compactor_compare(compactor, &from, &to, &loss, error);
    return status;
}

/* Tells what was lost. The trailer, some hundred bytes, is not written yet. */
static void tell(const struct pst_writer *writer)
{
    double samples = loss.samples > 0 ? (double)loss.samples : 1, mean = loss.sum / samples;
    double bytes = (double)pst_writer_bytes(writer) / samples;
    const char *name = pst_compactor_target(compactor);
    pst_say("%s as %s: KL(full || restored) %.3g nats on average, %.3g at most, over %" PRIu64
            " samples; %.2f bytes a sample",
            name, pst_compact_form_name(asked.form), mean, loss.largest, loss.samples, bytes);
    pst_log("compact", json_pack("{s:s, s:s, s:s, s:I, s:f, s:f, s:f}", "target", name, "form",
                                 pst_compact_form_name(asked.form), "inputs",
                                 pst_compact_inputs_name(asked.inputs), "samples", (json_int_t)loss.samples,
                                 "mean_kl", mean, "largest_kl", loss.largest, "bytes_per_sample", bytes));
}

/* Where all tensors stay as they are, the history has nothing to tell either. */
static enum pst_status relay_header(struct pst_streams *streams, struct pst_error *error)
{
    if (form == KEEP_ALL)
        return pst_relay_verbatim(streams, &header, error);
    return pst_relay_header(streams, &header, error);
}

/* The batch that is written for the one that was read. */
static enum pst_status make(struct pst_batch **made, struct pst_error *error)
{
    *made = form == KEEP_ALL ? &from : &to;
    return *made == &from ? PST_OK : turn(error);
}

static enum pst_status run(struct pst_streams *streams, struct pst_error *error)
{
    struct pst_batch *made;
    enum pst_status status = plan(&streams->header, error);
    if (status == PST_OK && level > 0)
        status = pst_writer_compress(streams->writer, (int)level, error);
    if (status == PST_OK)
        status = relay_header(streams, error);
    while (status == PST_OK) {
        status = pst_reader_next(streams->reader, &from, error);
        if (status != PST_OK)
            break;
        status = make(&made, error);
        if (status != PST_OK)
            return pst_fail_at(error, "batch %" PRIu64, from.seq);
        status = pst_writer_batch(streams->writer, made, error);
        if (status == PST_OK)
            pst_progress_batch(made, pst_reader_waited(streams->reader), pst_writer_waited(streams->writer));
    }
    if (status != PST_END)
        return status;
    if (show_error)
        tell(streams->writer);
    return PST_OK;
}

static void stop(void)
{
    pst_compactor_free(compactor);
    pst_restorer_free(restorer);
    pst_header_free(&header);
    pst_batch_free(&from);
    pst_batch_free(&to);
}

int main(int argc, char **argv)
{
    return pst_relay_main(
        argc, argv,
        &(struct pst_relay){
            .stage = { .name = "compactor",
                       .purpose = "make a stream smaller, for recordings",
                       .description =
                           "Keeps soft targets as f16, as logits in 8 bits, as the likeliest classes or as "
                           "a few drawn\nones, a digest instead of inputs that a data set can give "
                           "again, and all of it compressed.",
                       .options = options,
                       .example =
                           "loader mnist | teacher-forward t.safetensors | temperature-softmax -T 20 | "
                           "compactor --targets u8 >small.pst",
                       .see_also = "loader(1), temperature-softmax(1), averager(1), stream-inspect(1), "
                                   "stream-join(1)",
                       .start = start,
                       .stop = stop },
            .run = run });
}
