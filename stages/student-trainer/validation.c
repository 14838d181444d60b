/* Validation: a second stream, held in memory, that tells which epoch's model is the best. */
#include "stages/student-trainer/trainer.h"

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

/* Makes room for at least n samples. What is there stays, and is freed at the end, whatever happens. */
static enum pst_status make_room(struct trainer *trainer, size_t n, struct pst_error *error)
{
    struct validation *validation = &trainer->validation;
    if (n <= validation->room)
        return PST_OK;
    size_t room = 2 * n, inputs = pst_network_inputs(&trainer->training.network);
    float *x = realloc(validation->x, room * inputs * sizeof *x);
    if (x != NULL)
        validation->x = x;
    int32_t *y = realloc(validation->y, room * sizeof *y);
    if (y != NULL)
        validation->y = y;
    if (x == NULL || y == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for %zu samples", room);
    validation->room = room;
    return PST_OK;
}

static enum pst_status add_validation_batch(struct trainer *trainer, const struct pst_header *header,
                                            const struct pst_batch *batch, size_t x, size_t y,
                                            struct pst_error *error)
{
    struct validation *validation = &trainer->validation;
    size_t inputs = pst_network_inputs(&trainer->training.network);
    enum pst_status status = make_room(trainer, validation->n + batch->n, error);
    if (status != PST_OK)
        return status;
    memcpy(validation->y + validation->n, batch->tensors[y].data, batch->tensors[y].bytes);
    status = check_labels(trainer, validation->y + validation->n, batch->n, error);
    if (status == PST_OK)
        status = pst_tensor_to_f32(&header->tensors[x], &batch->tensors[x], batch->n,
                                   validation->x + validation->n * inputs, error);
    validation->n += batch->n;
    return status == PST_OK ? PST_OK : pst_fail_at(error, "batch %llu", (unsigned long long)batch->seq);
}

static enum pst_status read_validation_batches(struct trainer *trainer, struct pst_reader *reader,
                                               const struct pst_header *header, struct pst_error *error)
{
    size_t x = pst_header_find(header, "x"), y;
    if (x == PST_NONE ||
        pst_spec_elements(&header->tensors[x]) != pst_network_inputs(&trainer->training.network))
        return pst_fail(error, PST_BAD_DATA, "the stream has no inputs 'x' that fit the network%s",
                        x == PST_NONE ? pst_compact_advice(header) : "");
    enum pst_status status = pst_header_require(header, "y", PST_DTYPE_I32, 0, NULL, &y, error);
    struct pst_batch batch = { 0 };
    while (status == PST_OK) {
        status = pst_reader_next(reader, &batch, error);
        if (status == PST_OK)
            status = add_validation_batch(trainer, header, &batch, x, y, error);
    }
    pst_batch_free(&batch);
    if (status == PST_END && trainer->validation.n == 0)
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

enum pst_status validate(struct trainer *trainer, double *errors, double *loss, struct pst_error *error)
{
    struct validation *validation = &trainer->validation;
    enum { AT_ONCE = 256 };
    struct pst_workspace *workspace;
    const struct pst_loss hard = { .hard_weight = 1, .temperature = 1 };
    size_t inputs = pst_network_inputs(&trainer->training.network),
           classes = pst_network_outputs(&trainer->training.network);
    enum pst_status status = pst_workspace_new(&workspace, &trainer->training.network, AT_ONCE, false, error);
    if (status != PST_OK)
        return status;
    *errors = *loss = 0;
    for (size_t at = 0; at < validation->n; at += AT_ONCE) {
        size_t n = validation->n - at < AT_ONCE ? validation->n - at : AT_ONCE;
        memcpy(pst_workspace_input(workspace), validation->x + at * inputs, n * inputs * sizeof(float));
        pst_forward(&trainer->training.network, workspace, n);
        struct pst_loss_sums sums;
        pst_loss_compute(&hard, pst_workspace_logits(workspace), validation->y + at, NULL, n, classes, NULL,
                         &sums);
        *errors += (double)sums.errors;
        *loss += sums.hard / (double)validation->n;
    }
    pst_workspace_free(workspace);
    return PST_OK;
}
