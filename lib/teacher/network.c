/* network: a safetensors file of a network, as student-trainer or another tool writes it. */
#include "pipestill/nn.h"
#include "pipestill/teacher.h"

#include <jansson.h>
#include <stdlib.h>

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

static enum pst_status find_hint(const struct pst_teacher *teacher, struct pst_hint *hint,
                                 struct pst_error *error)
{
    const struct pst_network *network = teacher->own;
    const struct pst_layer *layer;
    enum pst_status status = pst_chain_find(&network->chain, hint->layer, &layer, error);
    if (status != PST_OK)
        return status;
    hint->shape = layer->out;
    hint->own = layer;
    return PST_OK;
}

/* A session's own data: memory of passes, and taps on the layers of hints. */
struct asked {
    struct pst_workspace *workspace;
    struct pst_tap taps[PST_MAX_HINTS];
};

static void release(struct pst_session *session)
{
    struct asked *asked = session->own;
    if (asked != NULL)
        pst_workspace_free(asked->workspace);
    free(asked);
}

static enum pst_status make_room(struct pst_session *session, size_t most, struct pst_error *error)
{
    struct pst_arithmetic arithmetic = session->teacher->arithmetic;
    arithmetic.constant = true;
    release(session);
    struct asked *asked = session->own = pst_allocate(1, sizeof *asked, error);
    if (asked == NULL)
        return PST_TRY_AGAIN;
    return pst_workspace_new(&asked->workspace, session->teacher->own, most, false, &arithmetic, error);
}

static float *inputs(struct pst_session *session)
{
    return pst_workspace_input(((struct asked *)session->own)->workspace);
}

static enum pst_status answer(struct pst_session *session, size_t n, float *outputs, struct pst_error *error)
{
    struct asked *asked = session->own;
    const struct pst_teacher *teacher = session->teacher;
    for (size_t i = 0; i < teacher->hint_count; i++)
        asked->taps[i] = (struct pst_tap){ .layer = teacher->hints[i].own, .outputs = session->hints[i] };
    pst_workspace_tap(asked->workspace, asked->taps, teacher->hint_count);
    pst_forward_to(teacher->own, asked->workspace, n, outputs);
    return pst_workspace_check(asked->workspace, error);
}

const struct pst_teacher_type pst_teacher_network = {
    .name = "network",
    .help = "a safetensors file of a network",
    .recognises = recognises,
    .open = open_network,
    .close = close_network,
    .hint = find_hint,
    .make_room = make_room,
    .inputs = inputs,
    .answer = answer,
    .release = release,
};
