/* teacher-forward: a filter that adds a teacher's logits. */
#include "stages/teacher-forward/hints.h"
#include "stages/teacher-forward/when_top.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct forward {
    const char *name, *activation, *mean, *deviation; /* options; NULL if not given */
    bool other_classes;
    struct when_top when;
    struct pst_arithmetic arithmetic;
    struct hints hints;
    const char *path;
    struct pst_teacher teacher;
    struct pst_binding binding;
    size_t logits;              /* place in the output */
    struct pst_session session; /* of one job */
};

static const struct pst_option options[] = {
    { 'n', "name", PST_STRING, offsetof(struct forward, name),
      "name of the teacher in the stream: logits/NAME; otherwise the file's name without its ending",
      .metavar = "NAME", .silent = true },
    { 0, "activation", PST_STRING, offsetof(struct forward, activation),
      "activation between the layers of a model that does not name it", .metavar = "NAME" },
    { 0, "mean", PST_STRING, offsetof(struct forward, mean),
      "mean of inputs, subtracted from x: one, or one for each channel: 0.5,0.4,0.4", .metavar = "NUMBERS" },
    { 0, "deviation", PST_STRING, offsetof(struct forward, deviation),
      "standard deviation of inputs; x - mean is divided by it", .metavar = "NUMBERS" },
    { 0, "kernels", PST_CHOICE, offsetof(struct forward, arithmetic.kernels),
      "the library that multiplies matrices; with --jobs 1, onednn has a thread for each idle core unless "
      "--threads is given",
      .choices = pst_kernel_names, .silent = true },
    { 0, "precision", PST_CHOICE, offsetof(struct forward, arithmetic.precision),
      "precision of products; auto: bf16 if it is faster here", .choices = pst_precision_names,
      .silent = true },
    { 0, "hint", PST_LIST, offsetof(struct forward, hints),
      "also add the output of this layer, as hint/NAME, or, if several, hint/NAME.LAYER", .take = hints_take,
      .metavar = "LAYER", .of_samples = true, .excludes = "when-top" },
    { 0, "other-classes", PST_FLAG, offsetof(struct forward, other_classes),
      "accept a teacher of classes that the stream does not have; class-map --of maps them",
      .of_samples = true },
    { 0, "when-top", PST_STRING, offsetof(struct forward, when.classes),
      "ask only about samples whose likeliest class is one of these: a list, or @FILE:SET", "CLASSES",
      .of_samples = true },
    { 0, "by", PST_STRING, offsetof(struct forward, when.by),
      "the predictions for --when-top: logits/NAME or soft/NAME", "TENSOR", .of_samples = true,
      .needs = "when-top" },
    { 0, "top", PST_SIZE, offsetof(struct forward, when.most),
      "one of the K likeliest classes is enough for --when-top", "K", .least = 1, .most = INT32_MAX,
      .needs = "when-top" },
    { 0 },
};

static const struct forward defaults = { .when.most = 1 };

/* The file's name without folders and ending. */
static void default_name(const char *path, char *text, size_t size)
{
    const char *slash = strrchr(path, '/');
    snprintf(text, size, "%s", slash == NULL ? path : slash + 1);
    char *dot = strrchr(text, '.');
    if (dot != NULL && dot != text)
        *dot = '\0';
    pst_make_plain(text);
}

enum { MOST_NAME = PST_NAME_SIZE - sizeof "logits/" }; /* bytes */

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    (void)count;
    struct forward *forward = run->self;
    if (forward->name != NULL && strlen(forward->name) > MOST_NAME)
        return pst_fail(error, PST_USAGE, "--name: at most %d bytes", (int)MOST_NAME);
    forward->path = operands[0];
    forward->arithmetic.threads = pst_threads(run);
    enum pst_status status = pst_arithmetic_settle(&forward->arithmetic, error);
    if (status == PST_OK)
        pst_multiplied_by(run, pst_arithmetic_name(&forward->arithmetic));
    if (status == PST_OK)
        status = pst_teacher_open(&forward->teacher, forward->path, forward->activation, error);
    forward->teacher.arithmetic = forward->arithmetic;
    return status == PST_OK ? hints_ask(&forward->hints, &forward->teacher, forward->path, error) : status;
}

/* Checks that the stream's inputs fit the teacher. */
static enum pst_status check_stream(struct forward *forward, const struct pst_header *in,
                                    struct pst_error *error)
{
    const struct pst_teacher *teacher = &forward->teacher;
    const struct pst_inputs inputs = { .who = forward->path,
                                       .shape = &teacher->in,
                                       .channels = teacher->input_channels,
                                       .scale = teacher->input_scale,
                                       .about = teacher->about,
                                       .mean = forward->mean,
                                       .deviation = forward->deviation };
    forward->session.teacher = teacher;
    if (forward->other_classes)
        return pst_bind_inputs(&forward->binding, in, &inputs, error);
    if (in->classes != 0 && in->classes != teacher->outputs)
        return pst_fail(
            error, PST_BAD_DATA,
            "%s has %zu outputs, but the stream has %llu classes; for --other-classes there is class-map",
            forward->path, teacher->outputs, (unsigned long long)in->classes);
    json_t *about = NULL;
    enum pst_status status = pst_header_about(in, &about, error);
    if (status == PST_OK)
        status = pst_about_compare_outputs(about, teacher->about, forward->path, error);
    json_decref(about);
    return status == PST_OK ? pst_bind_inputs(&forward->binding, in, &inputs, error) : status;
}

/* Copies what the model says of its outputs to the header, if the stream does not say it. */
static enum pst_status name_outputs(const struct pst_teacher *teacher, struct pst_header *out,
                                    struct pst_error *error)
{
    static const char *const keys[] = { "class_names", "output_names" };
    if (out->other == NULL)
        out->other = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *names = json_object_get(teacher->about, keys[i]);
        if (json_array_size(names) != teacher->outputs || json_object_get(out->other, keys[i]) != NULL)
            continue;
        if (json_object_set(out->other, keys[i], names) != 0)
            return pst_fail(error, PST_TRY_AGAIN, "out of memory for a header");
        if (i == 0)
            out->classes = teacher->outputs;
    }
    return PST_OK;
}

/* Notes what determines the logits: the model, and the inputs. */
static enum pst_status note_origin(struct pst_run *run, struct pst_error *error)
{
    struct forward *forward = run->self;
    const struct json_t *lineage = forward->teacher.lineage;
    const char *arithmetic = pst_arithmetic_name(&forward->arithmetic);
    enum pst_status status = pst_origin_note(run, "model", forward->teacher.digest, error);
    if (status == PST_OK && arithmetic != NULL)
        status = pst_origin_note(run, "kernels", arithmetic, error);
    /* Normalisations are folded into weights, but not if hints are looked at: the bits differ. */
    if (status == PST_OK && arithmetic != NULL && forward->hints.count == 0)
        status = pst_origin_note(run, "layers", "at once", error);
    if (status == PST_OK)
        status = pst_learned_from(run, json_object_get(lineage, "entries"), json_object_get(lineage, "from"),
                                  error);
    const size_t from[] = { forward->binding.x, forward->when.at };
    size_t count = forward->when.classes == NULL ? 1 : 2;
    return status == PST_OK ? pst_made_from(run, forward->logits, "logits", from, count, error) : status;
}

/* Adds the teacher's logits to the header. */
static enum pst_status add_logits(struct pst_run *run, struct pst_header *out, struct pst_error *error)
{
    struct forward *forward = run->self;
    struct pst_tensor_spec spec = { .dtype = PST_DTYPE_F32,
                                    .rank = 1,
                                    .shape = { forward->teacher.outputs } };
    char teacher[MOST_NAME + 1];
    if (forward->name == NULL)
        default_name(forward->path, teacher, sizeof teacher);
    else
        snprintf(teacher, sizeof teacher, "%s", forward->name);
    snprintf(spec.name, sizeof spec.name, "logits/%s", teacher);
    enum pst_status status = pst_header_add_tensor(out, &spec, &forward->logits, error);
    if (status != PST_OK)
        return pst_fail_at(error, "give this teacher another --name");
    status = pst_history_note(run, "name", json_string(teacher), error);
    if (status == PST_OK)
        status = pst_history_note(run, "architecture", json_string(forward->teacher.description), error);
    if (status == PST_OK)
        status = when_top_declare(run, &forward->when, out, teacher, error);
    if (status == PST_OK)
        status =
            hints_declare(run, &forward->hints, &forward->teacher, teacher, forward->binding.x, out, error);
    return status == PST_OK ? note_origin(run, error) : status;
}

static enum pst_status declare(struct pst_run *run, const struct pst_header *in, struct pst_header *out,
                               struct pst_error *error)
{
    struct forward *forward = run->self;
    enum pst_status status = check_stream(forward, in, error);
    if (status == PST_OK)
        status = when_top_look(run, &forward->when, in, error);
    if (status == PST_OK && !forward->other_classes)
        status = name_outputs(&forward->teacher, out, error);
    return status == PST_OK ? add_logits(run, out, error) : status;
}

static enum pst_status ask(struct pst_run *run, const struct pst_batch *in, struct pst_batch *out,
                           struct pst_error *error)
{
    struct forward *forward = run->self;
    float *inputs = pst_session_inputs(&forward->session, in->n, error);
    if (inputs == NULL)
        return PST_TRY_AGAIN;
    enum pst_status status = pst_fill_inputs(&forward->binding, in, inputs, error);
    size_t count = in->n, outputs = forward->teacher.outputs;
    float *answers = out->tensors[forward->logits].data;
    bool some = forward->when.classes != NULL;
    if (status == PST_OK && some)
        status = when_top_gather(run, &forward->when, in, out, inputs,
                                 pst_shape_elements(&forward->teacher.in), &count, error);
    hints_place(&forward->hints, &forward->session, out);
    if (status == PST_OK && count > 0)
        status = pst_session_answer(&forward->session, count, answers, error);
    if (status == PST_OK && some)
        when_top_scatter(&forward->when, answers, in->n, outputs, count);
    return status;
}

static enum pst_status report(struct pst_run *run, struct pst_error *error)
{
    (void)error;
    when_top_report(run, &((const struct forward *)run->self)->when);
    return PST_OK;
}

static void leave(struct pst_run *run)
{
    struct forward *forward = run->self;
    pst_session_free(&forward->session);
    when_top_leave(&forward->when);
}

static void stop(struct pst_run *run)
{
    struct forward *forward = run->self;
    when_top_free(&forward->when);
    pst_binding_free(&forward->binding);
    pst_teacher_close(&forward->teacher);
}

int main(int argc, char **argv)
{
    return pst_main(argc, argv,
                    &(struct pst_stage){
                        .name = "teacher-forward",
                        .purpose = "ask a teacher: add its logits to every batch",
                        .operands = "MODEL",
                        .least_operands = 1,
                        .most_operands = 1,
                        .operand_files = PST_FILE_READ,
                        .description =
                            "MODEL is a safetensors file of a network, as student-trainer or another tool "
                            "writes it.\nSeveral teachers are a chain of such stages.",
                        .example = "loader mnist | teacher-forward a.safetensors | teacher-forward "
                                   "b.safetensors >logits.pst",
                        .see_also = "temperature-softmax(1), class-map(1), student-trainer(1)",
                        .options = options,
                        .size = sizeof(struct forward),
                        .defaults = &defaults,
                        .traits = PST_READS | PST_WRITES | PST_BLAS | PST_PARALLEL,
                        .blas_kernel = pst_blas_kernel,
                        .start = start,
                        .on_header = declare,
                        .on_batch = ask,
                        .on_end = report,
                        .leave = leave,
                        .stop = stop,
                    });
}
