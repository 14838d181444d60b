/* specialist-combine: a filter that combines a generalist and specialists into one soft target. */
#include "stages/specialist-combine/combine.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_NAME (PST_NAME_SIZE - sizeof "soft/") /* bytes */

static const struct combine defaults = { .most = 1, .tolerance = 1e-7 };

static enum pst_status take_specialist(void *place, const char *value, struct pst_error *error)
{
    struct combine *self = place;
    size_t length = strcspn(value, "=");
    bool nothing = value[length] == '=' && value[length + 1] == '\0';
    if (length == 0 || length > MOST_NAME || nothing)
        return pst_fail(error, PST_USAGE, "not NAME or NAME=CLASSES, such as a=3,5,8 or a=@sets.txt:set-0");
    struct chosen *grown = realloc(self->chosen, (self->chosen_count + 1) * sizeof *grown);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    self->chosen = grown;
    self->chosen[self->chosen_count++] = (struct chosen){ value, length };
    return PST_OK;
}

/* Not noted as options: declare() notes in the origin which tensors and classes are combined. */
static const struct pst_option options[] = {
    { 'g', "generalist", PST_STRING, offsetof(struct combine, generalist_name),
      "tensor of the generalist, which has all classes: logits/NAME or soft/NAME", "TENSOR", .required = true,
      .of_samples = true },
    { 's', "specialist", PST_LIST, 0,
      "combine only specialists named here; CLASSES are needed without a lineage", "NAME[=CLASSES]",
      .take = take_specialist, .of_samples = true },
    { 'n', "top", PST_SIZE, offsetof(struct combine, most),
      "use a specialist that knows one of the generalist's N likeliest classes", "N", .least = 1,
      .most = INT32_MAX },
    { 0, "tolerance", PST_POSITIVE_DOUBLE, offsetof(struct combine, tolerance),
      "stop when the changes of all groups of classes in a step add up to this or less" },
    { 0, "name", PST_STRING, offsetof(struct combine, name), "add soft/NAME; otherwise soft",
      .metavar = "NAME", .silent = true },
    { 0, "other-generalist", PST_FLAG, offsetof(struct combine, other_generalist),
      "accept specialists that learned from another generalist, too", .of_samples = true },
    { 0 },
};

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    (void)count, (void)operands;
    const struct combine *self = run->self;
    if (self->name != NULL && strlen(self->name) > MOST_NAME)
        return pst_fail(error, PST_USAGE, "--name: at most %d bytes", (int)MOST_NAME);
    return PST_OK;
}

/* ---- the header ---------------------------------------------------------------------------------------- */

/* Notes which classes each specialist knows, in the order of the specialists. */
static enum pst_status note_classes(struct pst_run *run, struct pst_error *error)
{
    const struct combine *self = run->self;
    struct pst_text text;
    FILE *out = pst_text_open(&text);
    for (size_t m = 0; out != NULL && m < self->count; m++) {
        fprintf(out, "%s%s", m > 0 ? ";" : "",
                self->specialists[m].dustbin == DUSTBIN_GENERALIST ? "generalist:" : "");
        for (size_t i = 0; i < self->specialists[m].count; i++)
            fprintf(out, "%s%u", i > 0 ? "," : "", self->specialists[m].classes[i]);
    }
    char digest[PST_DIGEST_TEXT], *note = pst_text_close(&text);
    if (note == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a lineage");
    pst_digest(note, strlen(note), digest);
    enum pst_status status = pst_origin_note(run, "knows", digest, error);
    free(note);
    return status;
}

static enum pst_status note_origin(struct pst_run *run, const struct pst_header *in, struct pst_error *error)
{
    const struct combine *self = run->self;
    size_t *from = pst_allocate(2 * self->count + 1, sizeof *from, error), count = 0;
    if (from == NULL)
        return PST_TRY_AGAIN;
    from[count++] = self->generalist;
    json_t *names = json_array();
    for (size_t m = 0; m < self->count; m++) {
        const struct specialist *specialist = &self->specialists[m];
        from[count++] = specialist->at;
        if (specialist->asked != PST_NONE)
            from[count++] = specialist->asked;
        json_array_append_new(names, json_string(in->tensors[specialist->at].name));
    }
    enum pst_status status = pst_history_note(run, "specialists", names, error);
    if (status == PST_OK)
        status = pst_made_from(run, self->target, "soft", from, count, error);
    free(from);
    return status;
}

static enum pst_status declare(struct pst_run *run, const struct pst_header *in, struct pst_header *out,
                               struct pst_error *error)
{
    struct combine *self = run->self;
    enum pst_status status = find_tensors(self, in, error);
    if (status != PST_OK)
        return status;
    struct pst_tensor_spec spec = in->tensors[self->generalist];
    if (self->name != NULL)
        snprintf(spec.name, sizeof spec.name, "soft/%s", self->name);
    else
        strcpy(spec.name, "soft");
    spec.temperature = self->logits ? 1 : spec.temperature;
    self->of_all = pst_allocate(1, sizeof *self->of_all, error);
    status = self->of_all == NULL ? PST_TRY_AGAIN : pst_header_add_tensor(out, &spec, &self->target, error);
    if (status == PST_OK)
        status = note_classes(run, error);
    return status == PST_OK ? note_origin(run, in, error) : status;
}

/* ---- the end ------------------------------------------------------------------------------------------- */

static enum pst_status report(struct pst_run *run, struct pst_error *error)
{
    (void)error;
    const struct combine *self = run->self;
    const struct tally *all = self->of_all;
    double samples = all->samples > 0 ? (double)all->samples : 1;
    pst_log(run, "combined",
            json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "samples", (json_int_t)all->samples, "alone",
                      (json_int_t)all->alone, "heard", (json_int_t)all->used, "not_asked",
                      (json_int_t)all->missed, "steps", (json_int_t)all->steps, "unfinished",
                      (json_int_t)all->unfinished));
    pst_say(run,
            "heard %.3g of %zu specialists a sample; the generalist answers %.3g %% of the samples alone",
            (double)all->used / samples, self->count, 100 * (double)all->alone / samples);
    if (all->missed > 0)
        pst_say(run, "%llu times a specialist whose set fits was not asked", (unsigned long long)all->missed);
    if (all->unfinished > 0)
        pst_say(run, "%llu samples did not reach the tolerance in %d steps",
                (unsigned long long)all->unfinished, PST_COMBINATION_MOST_STEPS);
    return PST_OK;
}

static void stop(struct pst_run *run)
{
    struct combine *self = run->self;
    for (size_t m = 0; m < self->count; m++) {
        free(self->specialists[m].classes);
        free(self->specialists[m].columns);
        free(self->specialists[m].inside);
    }
    free(self->specialists);
    free(self->chosen);
    free(self->of_all);
}

int main(int argc, char **argv)
{
    return pst_main(
        argc, argv,
        &(struct pst_stage){
            .name = "specialist-combine",
            .purpose = "combine a generalist and specialists into one soft target",
            .description =
                "Adds soft, the q that makes KL(generalist || q) + the sum of KL(specialist || q) least, "
                "over\n"
                "the specialists that know one of the generalist's likeliest classes. A specialist is a "
                "tensor\n"
                "of logits or of soft targets, as the generalist is, whose model learned through class-map\n"
                "--dustbin. Its lineage says which classes it knows.",
            .example = "replay test.pst | teacher-forward g.safetensors |\n"
                       "      teacher-forward --other-classes --when-top @sets.txt:a a.safetensors |\n"
                       "      specialist-combine -g logits/g | evaluator --of soft",
            .see_also = "class-cluster(1), class-map(1), teacher-forward(1), averager(1)",
            .options = options,
            .size = sizeof(struct combine),
            .defaults = &defaults,
            .traits = PST_READS | PST_WRITES | PST_PARALLEL,
            .start = start,
            .on_header = declare,
            .on_batch = combine_batch,
            .on_end = report,
            .leave = leave,
            .stop = stop,
        });
}
