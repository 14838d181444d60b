/* teacher-forward: a filter that asks a teacher and adds its logits. */
#include "pipestill.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *name;
static const char *path;
static struct pst_network network;
static struct pst_workspace *workspace;
static size_t room; /* samples that the workspace holds */
static size_t x_index, logits_index;
static char digest[PST_DIGEST_TEXT];

static const struct pst_option options[] = {
    { .letter = 'n',
      .name = "name",
      .type = PST_STRING,
      .target = &name,
      .metavar = "NAME",
      .silent = true,
      .help = "what the teacher is called in the stream: logits/NAME; otherwise the file's name without its "
              "ending" },
    { 0 },
};

/* The file's name without folders and ending. */
static void default_name(char *text, size_t size)
{
    const char *slash = strrchr(path, '/');
    snprintf(text, size, "%s", slash == NULL ? path : slash + 1);
    char *dot = strrchr(text, '.');
    if (dot != NULL && dot != text)
        *dot = '\0';
}

enum { MOST_NAME = PST_NAME_SIZE - sizeof "logits/" }; /* bytes */

static enum pst_status start(size_t count, char **operands, struct pst_error *error)
{
    (void)count;
    if (name != NULL && strlen(name) > MOST_NAME)
        return pst_fail(error, PST_USAGE, "--name: at most %d bytes", (int)MOST_NAME);
    path = operands[0];
    return pst_model_read(path, NULL, &network, digest, error);
}

/* The model must have been trained on numbers made in the same way. */
static enum pst_status check_scale(const struct pst_tensor_spec *x, struct pst_error *error)
{
    if (x->dtype != PST_DTYPE_U8 || network.input_channels != 1)
        return PST_OK;
    double scale = x->scale == 0 ? 1 : x->scale;
    if (fabs(scale - network.input_scale[0]) <= 1e-6 * scale &&
        fabs(x->offset - network.input_scale[1]) <= 1e-6)
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA,
                    "%s was trained on inputs scaled by %g with offset %g, but the stream says %g and %g",
                    path, network.input_scale[0], network.input_scale[1], scale, x->offset);
}

static enum pst_status declare(struct pst_header *header, struct pst_error *error)
{
    x_index = pst_header_find(header, "x");
    if (x_index == PST_NONE)
        return pst_fail(error, PST_BAD_DATA, "the stream has no inputs 'x'%s", pst_compact_advice(header));
    const struct pst_tensor_spec *x = &header->tensors[x_index];
    if (pst_spec_elements(x) != pst_network_inputs(&network))
        return pst_fail(error, PST_BAD_DATA, "%s takes %zu inputs, but 'x' has %zu elements a sample", path,
                        pst_network_inputs(&network), pst_spec_elements(x));
    if (header->classes != 0 && header->classes != pst_network_outputs(&network))
        return pst_fail(error, PST_BAD_DATA, "%s has %zu outputs, but the stream has %llu classes", path,
                        pst_network_outputs(&network), (unsigned long long)header->classes);
    enum pst_status status = check_scale(x, error);
    if (status != PST_OK)
        return status;
    struct pst_tensor_spec spec = { .dtype = PST_DTYPE_F32,
                                    .rank = 1,
                                    .shape = { pst_network_outputs(&network) } };
    char teacher[MOST_NAME + 1];
    if (name == NULL)
        default_name(teacher, sizeof teacher);
    else
        snprintf(teacher, sizeof teacher, "%s", name);
    snprintf(spec.name, sizeof spec.name, "logits/%s", teacher);
    status = pst_header_add_tensor(header, &spec, &logits_index, error);
    if (status != PST_OK)
        return pst_fail_at(error, "give this teacher another --name");
    status = pst_history_note("name", json_string(teacher), error);
    if (status == PST_OK)
        status = pst_history_note("architecture", json_string(network.architecture), error);
    return status == PST_OK ? pst_history_note("model", json_string(digest), error) : status;
}

static enum pst_status ask(struct pst_batch *batch, const struct pst_header *header, struct pst_error *error)
{
    if (batch->n > room) {
        pst_workspace_free(workspace);
        workspace = NULL;
        enum pst_status status = pst_workspace_new(&workspace, &network, batch->n, false, error);
        if (status != PST_OK)
            return status;
        room = batch->n;
    }
    enum pst_status status = pst_tensor_to_f32(&header->tensors[x_index], &batch->tensors[x_index], batch->n,
                                               pst_workspace_input(workspace), error);
    if (status != PST_OK)
        return status;
    pst_forward(&network, workspace, batch->n);
    memcpy(batch->tensors[logits_index].data, pst_workspace_logits(workspace),
           batch->tensors[logits_index].bytes);
    return PST_OK;
}

static void stop(void)
{
    pst_workspace_free(workspace);
    pst_network_free(&network);
}

int main(int argc, char **argv)
{
    return pst_filter_main(
        argc, argv,
        &(struct pst_filter){
            .stage = { .name = "teacher-forward",
                       .purpose = "ask a teacher: add its logits to every batch",
                       .operands = "MODEL",
                       .least_operands = 1,
                       .most_operands = 1,
                       .description =
                           "MODEL is a safetensors file of a fully connected ReLU network, as "
                           "student-trainer writes it.\nSeveral teachers are a chain of such stages.",
                       .options = options,
                       .example = "loader mnist | teacher-forward a.safetensors | teacher-forward "
                                  "b.safetensors >logits.pst",
                       .see_also = "temperature-softmax(1), student-trainer(1)",
                       .uses_blas = true,
                       .start = start,
                       .stop = stop },
            .on_header = declare,
            .on_batch = ask });
}
