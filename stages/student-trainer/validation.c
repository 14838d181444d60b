/* Validation: a second stream, held in memory, decides which epoch's model is the best. */
#include "stages/student-trainer/trainer.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

bool has_validation(const struct trainer *trainer)
{
    return trainer->validation.n > 0;
}

void free_validation(struct trainer *trainer)
{
    free(trainer->validation.x);
    free(trainer->validation.y);
    free(trainer->best_parameters);
}

/* Bytes of the targets of one sample. */
static size_t y_bytes(const struct trainer *trainer)
{
    bool labels = trainer->validation.loss.terms[0].type->target == PST_TARGET_LABELS;
    return labels ? sizeof(int32_t) : pst_network_outputs(&trainer->training.network) * sizeof(float);
}

/* Makes room for at least n samples. The samples stay, also on failure, and are freed at the end. */
static enum pst_status make_room(struct trainer *trainer, size_t n, struct pst_error *error)
{
    struct validation *validation = &trainer->validation;
    if (n <= validation->room)
        return PST_OK;
    size_t room = 2 * n, inputs = pst_network_inputs(&trainer->training.network);
    float *x = realloc(validation->x, room * inputs * sizeof *x);
    if (x != NULL)
        validation->x = x;
    void *y = realloc(validation->y, room * y_bytes(trainer));
    if (y != NULL)
        validation->y = y;
    if (x == NULL || y == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for %zu samples", room);
    validation->room = room;
    return PST_OK;
}

static enum pst_status add_validation_batch(struct trainer *trainer, const struct pst_binding *x,
                                            struct target *y, const struct pst_batch *batch,
                                            struct pst_error *error)
{
    struct validation *validation = &trainer->validation;
    size_t inputs = pst_network_inputs(&trainer->training.network), bytes = y_bytes(trainer);
    const void *data;
    enum pst_status status = make_room(trainer, validation->n + batch->n, error);
    if (status == PST_OK)
        status = read_target(trainer, y, validation->loss.terms[0].type->target, &batch->tensors[y->index],
                             batch->n, &data, error);
    if (status == PST_OK)
        status = pst_fill_inputs(x, batch, validation->x + validation->n * inputs, error);
    if (status != PST_OK)
        return pst_fail_at(error, "batch %llu", (unsigned long long)batch->seq);
    memcpy((char *)validation->y + validation->n * bytes, data, batch->n * bytes);
    validation->n += batch->n;
    return PST_OK;
}

/* The type of loss for y: labels if it is i32; otherwise as the student's own terms. */
static const char *loss_for(const struct trainer *trainer, const struct pst_tensor_spec *y)
{
    const struct pst_loss *loss = &trainer->training.loss;
    if (y->dtype == PST_DTYPE_I32)
        return "labels";
    for (size_t k = 0; k < loss->count; k++) {
        if (loss->terms[k].type->target == PST_TARGET_BITS)
            return "bce";
        if (loss->terms[k].type->target == PST_TARGET_NUMBERS)
            return "mse";
    }
    return y->dtype == PST_DTYPE_U8 ? "bce" : "mse";
}

/* Checks that names of classes or outputs are those of the training stream. */
static enum pst_status compare_names(const struct trainer *trainer, const struct pst_header *header,
                                     struct pst_error *error)
{
    json_t *about;
    enum pst_status status = pst_header_about(header, &about, error);
    if (status == PST_OK)
        status = pst_about_compare_outputs(about, trainer->training.network.about, "the network", error);
    json_decref(about);
    return status;
}

static enum pst_status read_validation_batches(struct trainer *trainer, struct pst_reader *reader,
                                               const struct pst_header *header, struct pst_error *error)
{
    struct validation *validation = &trainer->validation;
    size_t y = pst_header_find(header, "y");
    struct target target = { 0 };
    struct pst_binding binding;
    if (y == PST_NONE)
        return pst_fail(error, PST_BAD_DATA, "the stream has no tensor 'y' to compare with");
    if (pst_labels_are_mixed(header))
        return pst_header_require(header, "y", PST_DTYPE_I32, 0, NULL, &y, error);
    (void)pst_loss_add(&validation->loss, loss_for(trainer, &header->tensors[y]));
    enum pst_status status = bind_network(trainer, header, &binding, error);
    if (status == PST_OK)
        status = compare_names(trainer, header, error);
    if (status == PST_OK)
        status = use_tensor(&target, validation->loss.terms[0].type->target, header, y,
                            pst_network_outputs(&trainer->training.network), error);
    struct pst_batch batch = { 0 };
    while (status == PST_OK) {
        status = pst_reader_next(reader, &batch, error);
        if (status == PST_OK)
            status = add_validation_batch(trainer, &binding, &target, &batch, error);
    }
    pst_batch_free(&batch);
    pst_buffer_free(&target.numbers);
    pst_binding_free(&binding);
    if (status == PST_END && validation->n == 0)
        return pst_fail(error, PST_BAD_DATA, "the stream has no samples");
    return status == PST_END ? PST_OK : status;
}

enum pst_status read_validation(struct pst_run *run, struct pst_error *error)
{
    struct trainer *trainer = run->self;
    struct pst_reader *reader = NULL;
    struct pst_header header = { 0 };
    enum pst_status status =
        pst_open_stream(run, trainer->settings.validate_endpoint, &reader, &header, error);
    if (status == PST_OK)
        status = read_validation_batches(trainer, reader, &header, error);
    pst_reader_free(reader);
    pst_header_free(&header);
    if (status != PST_OK)
        return pst_fail_at(error, "--validate %s", trainer->settings.validate_endpoint);
    trainer->best_parameters =
        pst_allocate(trainer->training.network.parameter_count, sizeof *trainer->best_parameters, error);
    return trainer->best_parameters == NULL ? PST_TRY_AGAIN : PST_OK;
}

/* Counts the outputs that predict the wrong bit; an output above 0 predicts 1. */
static size_t count_wrong_bits(const float *outputs, const float *bits, size_t count)
{
    size_t wrong = 0;
    for (size_t j = 0; j < count; j++)
        wrong += (outputs[j] > 0) != (bits[j] > 0.5F);
    return wrong;
}

enum pst_status validate(struct trainer *trainer, double *errors, double *loss, struct pst_error *error)
{
    struct validation *validation = &trainer->validation;
    enum { AT_ONCE = 256 };
    struct pst_workspace *workspace;
    struct pst_network network = trainer->training.network; /* as it would be written at this point */
    network.parameters = (float *)(uintptr_t)pst_training_result(&trainer->training);
    enum pst_loss_target kind = validation->loss.terms[0].type->target;
    size_t inputs = pst_network_inputs(&trainer->training.network),
           outputs = pst_network_outputs(&trainer->training.network);
    enum pst_status status = pst_workspace_new(&workspace, &trainer->training.network, AT_ONCE, false,
                                               &trainer->training.arithmetic, error);
    if (status != PST_OK)
        return status;
    *errors = *loss = 0;
    for (size_t at = 0; at < validation->n && status == PST_OK; at += AT_ONCE) {
        size_t n = validation->n - at < AT_ONCE ? validation->n - at : AT_ONCE;
        memcpy(pst_workspace_input(workspace), validation->x + at * inputs, n * inputs * sizeof(float));
        pst_forward(&network, workspace, n);
        status = pst_workspace_check(workspace, error);
        const float *said = pst_workspace_logits(workspace);
        const void *y = (const char *)validation->y + at * y_bytes(trainer);
        struct pst_loss_targets targets = { .terms = { y },
                                            .labels = kind == PST_TARGET_LABELS ? y : NULL,
                                            .team = pst_workspace_team(workspace) };
        struct pst_loss_sums sums;
        pst_loss_compute(&validation->loss, &targets, said, n, outputs, NULL, &sums);
        *errors +=
            kind == PST_TARGET_BITS ? (double)count_wrong_bits(said, y, n * outputs) : (double)sums.errors;
        *loss += sums.total / (double)validation->n;
    }
    if (kind == PST_TARGET_NUMBERS)
        *errors = *loss;
    pst_workspace_free(workspace);
    return status;
}
