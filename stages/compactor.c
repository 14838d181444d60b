/* compactor: a filter that makes a stream smaller, for recordings: soft targets in fewer bits, and digests
 * in place of inputs. */
#include "pipestill.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

static const char *const forms[] = { "f32", "u8", "top-k", "sampled", NULL };
static const char *const kinds[] = { "keep", "digest", NULL };
static const char *const hints[] = { "keep", "f16", NULL };

struct compaction {
    struct pst_compact_options asked; /* its form and inputs are set from these: */
    int form, inputs, hints;
    bool show_error, restore;
    /* One for all jobs. */
    struct pst_compactor *compactor;
    struct pst_restorer *restorer;
    struct pst_compact_loss *loss; /* of all jobs; owned */
    /* A job's own. */
    struct pst_buffer scratch;
    struct pst_compact_loss own_loss;
};

static const struct compaction defaults = { .form = PST_COMPACT_U8 };

#define PLACE(member) offsetof(struct compaction, member)

static const struct pst_option options[] = {
    { 0, "targets", PST_CHOICE, PLACE(form), "form of the soft targets", .choices = forms, .silent = true },
    { 0, "of", PST_STRING, PLACE(asked.target),
      "soft targets or logits to keep; all other soft targets and logits are dropped", .metavar = "NAME",
      .silent = true },
    { 0, "top", PST_SIZE, PLACE(asked.top), "classes that top-k keeps", .metavar = "K",
      .most = PST_COMPACT_MOST_CLASSES, .silent = true, .needs = "targets=top-k" },
    { 0, "draws", PST_SIZE, PLACE(asked.draws), "classes that sampled draws for each sample", .metavar = "N",
      .most = 1 << 20, .silent = true, .needs = "targets=sampled" },
    { 's', "seed", PST_U64, PLACE(asked.seed), "seed of these draws", .silent = true,
      .needs = "targets=sampled" },
    { 0, "inputs", PST_CHOICE, PLACE(inputs), "keep x, or a digest, by which stream-join checks it",
      .choices = kinds, .silent = true },
    { 0, "hints", PST_CHOICE, PLACE(hints), "keep hint/NAME as they are, or in half the size",
      .choices = hints, .silent = true },
    { 0, "error", PST_FLAG, PLACE(show_error),
      "report the loss of precision, and the bytes of a sample, at the end", .silent = true },
    { 0, "restore", PST_FLAG, PLACE(restore), "the opposite: write soft targets as f32 again", .silent = true,
      .excludes = "targets|of|top|draws|seed|inputs|hints|error" },
    { 0 },
};

/* Enters in history and origins the options that have an effect, and no others. */
static enum pst_status note_options(struct pst_run *run, struct pst_error *error)
{
    const struct compaction *self = run->self;
    const struct pst_compact_options *asked = &self->asked;
    char kept[24], seed[24];
    snprintf(kept, sizeof kept, "%zu", asked->top + asked->draws);
    snprintf(seed, sizeof seed, "%" PRIu64, asked->seed);
    if (self->restore)
        return pst_history_note(run, "restore", json_true(), error);
    enum pst_status status = pst_origin_note(run, "targets", pst_compact_form_name(asked->form), error);
    if (status == PST_OK)
        status = pst_history_note(run, "inputs", json_string(kinds[self->inputs]), error);
    if (status == PST_OK && asked->half)
        status = pst_history_note(run, "hints", json_string(hints[self->hints]), error);
    if (status == PST_OK && asked->top > 0)
        status = pst_origin_note(run, "top", kept, error);
    if (status == PST_OK && asked->draws > 0)
        status = pst_origin_note(run, "draws", kept, error);
    if (status == PST_OK && asked->draws > 0)
        status = pst_origin_note(run, "seed", seed, error);
    return status;
}

static enum pst_status check_form(const struct compaction *self, struct pst_error *error)
{
    const struct pst_compact_options *asked = &self->asked;
    if ((asked->form == PST_COMPACT_TOP_K) != (asked->top > 0))
        return pst_fail(error, PST_USAGE, "--targets top-k and --top K belong together");
    if ((asked->form == PST_COMPACT_SAMPLED) != (asked->draws > 0))
        return pst_fail(error, PST_USAGE, "--targets sampled and --draws N belong together");
    return PST_OK;
}

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    (void)count, (void)operands;
    struct compaction *self = run->self;
    self->asked.form = (enum pst_compact_form)self->form;
    self->asked.digest = self->inputs == 1;
    self->asked.half = self->hints == 1;
    enum pst_status status = check_form(self, error);
    return status == PST_OK ? note_options(run, error) : status;
}

/* ---- headers ------------------------------------------------------------------------------------------- */

static enum pst_status plan_restoring(struct pst_run *run, const struct pst_header *in,
                                      struct pst_header *out, struct pst_error *error)
{
    struct compaction *self = run->self;
    enum pst_status status =
        pst_restorer_new(&self->restorer, in, pst_link_options(run)->max_message, out, error);
    if (status != PST_OK || !pst_restorer_lacks_inputs(self->restorer))
        return status;
    return pst_fail(error, PST_BAD_DATA,
                    "the stream's inputs were left out; 'loader … | stream-join FILE' brings a recording's "
                    "targets to them");
}

/* Each f16 hint is made from the same hint in f32. */
static enum pst_status say_hints(struct pst_run *run, const struct pst_header *in,
                                 const struct pst_header *out, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < out->tensor_count && status == PST_OK; i++) {
        size_t from = pst_header_find(in, out->tensors[i].name);
        if (pst_target_is_hint(out->tensors[i].name) && out->tensors[i].passed_from == PST_NONE)
            status = pst_made_from(run, i, "hint in f16", &from, 1, error);
    }
    return status;
}

/* The tensors of the form are made from the targets, except that f32 is the targets themselves. The digest
 * is made from x. */
static enum pst_status say_origins(struct pst_run *run, const struct pst_header *in, struct pst_header *out,
                                   struct pst_error *error)
{
    const struct compaction *self = run->self;
    const size_t *places;
    size_t from, x = pst_header_find(in, "x"), digest = pst_header_find(out, PST_COMPACT_DIGEST);
    size_t count = pst_compactor_parts(self->compactor, &places, &from);
    enum pst_status status = say_hints(run, in, out, error);
    if (status == PST_OK && digest != PST_NONE)
        status = pst_made_from(run, digest, NULL, &x, 1, error);
    for (size_t i = 0; i < count && status == PST_OK; i++) {
        char part[32];
        snprintf(part, sizeof part, "part %zu", i);
        if (self->asked.form == PST_COMPACT_F32)
            pst_header_set_origin(out, places[i], in->tensors[from].origin);
        status = pst_made_from(run, places[i], part, &from, 1, error);
    }
    return status;
}

static enum pst_status plan(struct pst_run *run, const struct pst_header *in, struct pst_header *out,
                            struct pst_error *error)
{
    struct compaction *self = run->self;
    pst_header_free(out);
    if (self->restore)
        return plan_restoring(run, in, out, error);
    self->loss = pst_allocate(1, sizeof *self->loss, error);
    if (self->loss == NULL)
        return PST_TRY_AGAIN;
    enum pst_status status = pst_compactor_new(&self->compactor, in, &self->asked, out, error);
    return status == PST_OK ? say_origins(run, in, out, error) : status;
}

/* ---- batches ------------------------------------------------------------------------------------------- */

static enum pst_status turn(struct pst_run *run, const struct pst_batch *in, struct pst_batch *out,
                            struct pst_error *error)
{
    struct compaction *self = run->self;
    if (self->restore)
        return pst_restorer_batch(self->restorer, in, out, &self->scratch, error);
    enum pst_status status = pst_compactor_pack(self->compactor, in, out, &self->scratch, error);
    if (status == PST_OK && self->show_error)
        status = pst_compactor_compare(self->compactor, in, out, &self->own_loss, &self->scratch, error);
    return status;
}

static void leave(struct pst_run *run)
{
    struct compaction *self = run->self;
    const struct pst_compact_loss *own = &self->own_loss;
    if (self->loss != NULL) {
        self->loss->samples += own->samples;
        self->loss->sum += own->sum;
        self->loss->largest = own->largest > self->loss->largest ? own->largest : self->loss->largest;
    }
    pst_buffer_free(&self->scratch);
}

/* Reports what was lost. The trailer, about a hundred bytes, is not written yet. */
static enum pst_status report(struct pst_run *run, struct pst_error *error)
{
    (void)error;
    const struct compaction *self = run->self;
    const struct pst_compact_loss *loss = self->loss;
    if (!self->show_error)
        return PST_OK;
    double samples = loss->samples > 0 ? (double)loss->samples : 1, mean = loss->sum / samples;
    double bytes = (double)pst_bytes_written(run) / samples;
    const char *name = pst_compactor_target(self->compactor), *form = pst_compact_form_name(self->asked.form);
    pst_say(run,
            "%s as %s: KL(full || restored) %.3g nats on average, %.3g at most, over %" PRIu64
            " samples; %.2f bytes a sample",
            name, form, mean, loss->largest, loss->samples, bytes);
    pst_log(run, "compact",
            json_pack("{s:s, s:s, s:s, s:I, s:f, s:f, s:f}", "target", name, "form", form, "inputs",
                      kinds[self->inputs], "samples", (json_int_t)loss->samples, "mean_kl", mean,
                      "largest_kl", loss->largest, "bytes_per_sample", bytes));
    return PST_OK;
}

static void stop(struct pst_run *run)
{
    struct compaction *self = run->self;
    pst_compactor_free(self->compactor);
    pst_restorer_free(self->restorer);
    free(self->loss);
}

int main(int argc, char **argv)
{
    return pst_main(
        argc, argv,
        &(struct pst_stage){
            .name = "compactor",
            .purpose = "make a stream smaller, for recordings",
            .description =
                "Keeps soft targets as log-probabilities in 8 bits, as the likeliest classes or as a\n"
                "few drawn ones, and can keep a digest instead of each input.",
            .example = "loader mnist | teacher-forward t.safetensors | temperature-softmax -T 20 | "
                       "compactor >small.pst",
            .see_also = "replay(1), temperature-softmax(1), averager(1), stream-inspect(1), "
                        "stream-join(1)",
            .options = options,
            .size = sizeof(struct compaction),
            .defaults = &defaults,
            .traits = PST_READS | PST_WRITES | PST_PARALLEL,
            .start = start,
            .on_header = plan,
            .on_batch = turn,
            .on_end = report,
            .leave = leave,
            .stop = stop,
        });
}
