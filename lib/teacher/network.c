/* network: a safetensors file of a network, as student-trainer or another tool writes it. */
#include "pipestill/nn.h"
#include "pipestill/teacher.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Eight bytes of length, then a header in JSON. */
static bool recognises(const unsigned char *start, size_t size)
{
    return size > 8 && start[8] == '{';
}

static enum pst_status open_network(struct pst_teacher *teacher, const char *path, const char *activation,
                                    struct pst_error *error)
{
    struct pst_network *network = pst_allocate(1, sizeof *network, error);
    if (network == NULL)
        return PST_TRY_AGAIN;
    enum pst_status status = pst_model_read(path, activation, network, teacher->digest, error);
    if (status == PST_OK && pst_lineage_check(json_object_get(network->lineage, "entries"), error) != PST_OK)
        status = pst_fail_at(error, "%s", path);
    if (status == PST_OK && pst_about_check(network->about, error) != PST_OK)
        status = pst_fail_at(error, "%s: metadata", path);
    if (status != PST_OK) {
        pst_network_free(network);
        free(network);
        return status;
    }
    teacher->own = network;
    teacher->in = network->chain.in;
    teacher->outputs = pst_network_outputs(network);
    teacher->description = network->architecture;
    teacher->precision = "f32";
    teacher->input_channels = network->input_channels;
    teacher->input_scale = network->input_scale;
    teacher->about = network->about;
    teacher->lineage = network->lineage;
    return PST_OK;
}

static void close_network(struct pst_teacher *teacher)
{
    pst_network_free(teacher->own);
    free(teacher->own);
}

static void release(struct pst_session *session)
{
    pst_workspace_free(session->own);
}

static enum pst_status make_room(struct pst_session *session, size_t most, struct pst_error *error)
{
    struct pst_workspace *workspace;
    enum pst_status status = pst_workspace_new(&workspace, session->teacher->own, most, false, error);
    release(session);
    session->own = workspace;
    return status;
}

static float *inputs(struct pst_session *session)
{
    return pst_workspace_input(session->own);
}

static enum pst_status answer(struct pst_session *session, size_t n, float *outputs, struct pst_error *error)
{
    (void)error;
    pst_forward(session->teacher->own, session->own, n);
    memcpy(outputs, pst_workspace_logits(session->own), n * session->teacher->outputs * sizeof *outputs);
    return PST_OK;
}

const struct pst_teacher_type pst_teacher_network = {
    .name = "network",
    .help = "a safetensors file of a network",
    .recognises = recognises,
    .open = open_network,
    .close = close_network,
    .make_room = make_room,
    .inputs = inputs,
    .answer = answer,
    .release = release,
};
