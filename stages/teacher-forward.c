/* teacher-forward: a filter that asks a teacher and adds its logits. */
#include "pipestill.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct forward {
    const char *name; /* NULL without --name */
    const char *path;
    struct pst_network network;
    char digest[PST_DIGEST_TEXT];
    size_t x, logits; /* places in what comes and in what goes out */
    struct pst_workspace *workspace;
    size_t room; /* samples that the workspace holds */
};

static const struct pst_option options[] = {
    { .letter = 'n',
      .name = "name",
      .type = PST_STRING,
      .at = offsetof(struct forward, name),
      .metavar = "NAME",
      .silent = true,
      .help = "what the teacher is called in the stream: logits/NAME; otherwise the file's name without its "
              "ending" },
    { 0 },
};

/* The file's name without folders and ending. */
static void default_name(const char *path, char *text, size_t size)
{
    const char *slash = strrchr(path, '/');
    snprintf(text, size, "%s", slash == NULL ? path : slash + 1);
    char *dot = strrchr(text, '.');
    if (dot != NULL && dot != text)
        *dot = '\0';
}

enum { MOST_NAME = PST_NAME_SIZE - sizeof "logits/" }; /* bytes */

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    (void)count;
    struct forward *forward = run->self;
    if (forward->name != NULL && strlen(forward->name) > MOST_NAME)
        return pst_fail(error, PST_USAGE, "--name: at most %d bytes", (int)MOST_NAME);
    forward->path = operands[0];
    return pst_model_read(forward->path, &forward->network, forward->digest, error);
}

/* The model must have been trained on numbers made in the same way. */
static enum pst_status check_scale(const struct forward *forward, const struct pst_tensor_spec *x,
                                   struct pst_error *error)
{
    const struct pst_network *network = &forward->network;
    if (x->dtype != PST_DTYPE_U8 || network->input_scale == 0)
        return PST_OK;
    double scale = x->scale == 0 ? 1 : x->scale;
    if (fabs(scale - network->input_scale) <= 1e-6 * scale && fabs(x->offset - network->input_offset) <= 1e-6)
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA,
                    "%s was trained on inputs scaled by %g with offset %g, but the stream says %g and %g",
                    forward->path, network->input_scale, network->input_offset, scale, x->offset);
}

/* Whether the stream is one that the model can answer. */
static enum pst_status check_stream(struct forward *forward, const struct pst_header *in,
                                    struct pst_error *error)
{
    size_t inputs = pst_network_inputs(&forward->network), outputs = pst_network_outputs(&forward->network);
    forward->x = pst_header_find(in, "x");
    if (forward->x == PST_NONE)
        return pst_fail(error, PST_BAD_DATA, "the stream has no inputs 'x'%s", pst_compact_advice(in));
    const struct pst_tensor_spec *x = &in->tensors[forward->x];
    if (pst_spec_elements(x) != inputs)
        return pst_fail(error, PST_BAD_DATA, "%s takes %zu inputs, but 'x' has %zu elements a sample",
                        forward->path, inputs, pst_spec_elements(x));
    if (in->classes != 0 && in->classes != outputs)
        return pst_fail(error, PST_BAD_DATA, "%s has %zu outputs, but the stream has %llu classes",
                        forward->path, outputs, (unsigned long long)in->classes);
    return check_scale(forward, x, error);
}

/* Adds the teacher's logits to the header. */
static enum pst_status add_logits(struct pst_run *run, struct pst_header *out, struct pst_error *error)
{
    struct forward *forward = run->self;
    struct pst_tensor_spec spec = { .dtype = PST_DTYPE_F32,
                                    .rank = 1,
                                    .shape = { pst_network_outputs(&forward->network) } };
    char teacher[MOST_NAME + 1], architecture[512];
    if (forward->name == NULL)
        default_name(forward->path, teacher, sizeof teacher);
    else
        snprintf(teacher, sizeof teacher, "%s", forward->name);
    snprintf(spec.name, sizeof spec.name, "logits/%s", teacher);
    enum pst_status status = pst_header_add_tensor(out, &spec, &forward->logits, error);
    if (status != PST_OK)
        return pst_fail_at(error, "give this teacher another --name");
    pst_network_describe(&forward->network, architecture, sizeof architecture);
    status = pst_history_note(run, "name", json_string(teacher), error);
    if (status == PST_OK)
        status = pst_history_note(run, "architecture", json_string(architecture), error);
    return status == PST_OK ? pst_history_note(run, "model", json_string(forward->digest), error) : status;
}

static enum pst_status declare(struct pst_run *run, const struct pst_header *in, struct pst_header *out,
                               struct pst_error *error)
{
    enum pst_status status = check_stream(run->self, in, error);
    return status == PST_OK ? add_logits(run, out, error) : status;
}

/* A workspace for n samples, or NULL. */
static struct pst_workspace *workspace_for(struct forward *forward, size_t n, struct pst_error *error)
{
    if (n <= forward->room)
        return forward->workspace;
    pst_workspace_free(forward->workspace);
    forward->workspace = NULL;
    forward->room = 0;
    if (pst_workspace_new(&forward->workspace, &forward->network, n, false, error) == PST_OK)
        forward->room = n;
    return forward->workspace;
}

static enum pst_status ask(struct pst_run *run, const struct pst_batch *in, struct pst_batch *out,
                           struct pst_error *error)
{
    struct forward *forward = run->self;
    struct pst_workspace *workspace = workspace_for(forward, in->n, error);
    if (workspace == NULL)
        return PST_TRY_AGAIN;
    enum pst_status status =
        pst_tensor_to_f32(&pst_input_header(run)->tensors[forward->x], &in->tensors[forward->x], in->n,
                          pst_workspace_input(workspace), error);
    if (status != PST_OK)
        return status;
    pst_forward(&forward->network, workspace, in->n);
    struct pst_tensor *logits = &out->tensors[forward->logits];
    memcpy(logits->data, pst_workspace_logits(workspace), logits->bytes);
    return PST_OK;
}

static void leave(struct pst_run *run)
{
    struct forward *forward = run->self;
    pst_workspace_free(forward->workspace);
}

static void stop(struct pst_run *run)
{
    struct forward *forward = run->self;
    pst_network_free(&forward->network);
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
                        .description =
                            "MODEL is a safetensors file of a fully connected ReLU network, as "
                            "student-trainer writes it.\nSeveral teachers are a chain of such stages.",
                        .example = "loader mnist | teacher-forward a.safetensors | teacher-forward "
                                   "b.safetensors >logits.pst",
                        .see_also = "temperature-softmax(1), student-trainer(1)",
                        .options = options,
                        .size = sizeof(struct forward),
                        .traits = PST_READS | PST_WRITES | PST_BLAS | PST_PARALLEL,
                        .start = start,
                        .on_header = declare,
                        .on_batch = ask,
                        .leave = leave,
                        .stop = stop,
                    });
}
