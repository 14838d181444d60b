/* The teachers of stream-check: their models, and what they say when they are asked again. */
#include "stages/stream-check/check.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum pst_status take_teacher(const char *path, struct pst_error *error)
{
    struct teacher *grown = realloc(check.teachers, (check.teacher_count + 1) * sizeof *grown);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    check.teachers = grown;
    check.teachers[check.teacher_count++] = (struct teacher){ .path = path };
    return PST_OK;
}

enum pst_status take_name(const char *name, struct pst_error *error)
{
    if (check.teacher_count == 0)
        return pst_fail(error, PST_USAGE, "it names the teacher of the --against before it");
    struct teacher *last = &check.teachers[check.teacher_count - 1];
    if (last->name[0] != '\0')
        return pst_fail(error, PST_USAGE, "%s is named '%s' already", last->path, last->name);
    if (name[0] == '\0' || strlen(name) > PST_NAME_SIZE - sizeof "logits/")
        return pst_fail(error, PST_USAGE, "a name has 1 to %d bytes",
                        (int)(PST_NAME_SIZE - sizeof "logits/"));
    strcpy(last->name, name);
    return PST_OK;
}

/* The file's name without folders and ending, as teacher-forward has it. */
static void default_name(struct teacher *teacher)
{
    const char *slash = strrchr(teacher->path, '/');
    snprintf(teacher->name, sizeof teacher->name, "%s", slash == NULL ? teacher->path : slash + 1);
    char *dot = strrchr(teacher->name, '.');
    if (dot != NULL && dot != teacher->name)
        *dot = '\0';
}

enum pst_status read_teachers(struct pst_error *error)
{
    for (size_t t = 0; t < check.teacher_count; t++) {
        struct teacher *teacher = &check.teachers[t];
        if (teacher->name[0] == '\0')
            default_name(teacher);
        for (size_t other = 0; other < t; other++) {
            if (strcmp(check.teachers[other].name, teacher->name) == 0)
                return pst_fail(error, PST_USAGE, "two teachers are called '%s'; give one a --name",
                                teacher->name);
        }
        enum pst_status status = pst_model_read(teacher->path, &teacher->network, teacher->digest, error);
        if (status != PST_OK)
            return status;
    }
    return PST_OK;
}

/* ---- are they the right ones? ---- */

/* Where a history, or one that was joined to it, names the teacher, it must name this model. */
static enum pst_status check_history(struct teacher *teacher, const json_t *history, struct pst_error *error)
{
    for (size_t i = 0; i < json_array_size(history); i++) {
        const json_t *entry = json_array_get(history, i);
        enum pst_status status = check_history(teacher, json_object_get(entry, "recording"), error);
        if (status != PST_OK)
            return status;
        const char *name = json_string_value(json_object_get(entry, "name"));
        const char *model = json_string_value(json_object_get(entry, "model"));
        if (name == NULL || model == NULL || strcmp(name, teacher->name) != 0)
            continue;
        if (strcmp(model, teacher->digest) != 0)
            return pst_fail(error, PST_BAD_DATA,
                            "%s is not the teacher '%s' that was asked: its digest is %.16s, the history "
                            "says %.16s",
                            teacher->path, name, teacher->digest, model);
        teacher->in_history = true;
    }
    return PST_OK;
}

static enum pst_status check_inputs(const struct teacher *teacher, const struct pst_tensor_spec *x,
                                    struct pst_error *error)
{
    const struct pst_network *network = &teacher->network;
    if (pst_spec_elements(x) != pst_network_inputs(network))
        return pst_fail(error, PST_BAD_DATA, "%s takes %zu inputs, but 'x' has %zu elements a sample",
                        teacher->path, pst_network_inputs(network), pst_spec_elements(x));
    double scale = x->scale == 0 ? 1 : x->scale;
    if (x->dtype == PST_DTYPE_U8 && network->input_scale != 0 &&
        (fabs(scale - network->input_scale) > 1e-6 * scale || fabs(x->offset - network->input_offset) > 1e-6))
        return pst_fail(error, PST_BAD_DATA,
                        "%s was trained on inputs scaled by %g with offset %g, but the stream says %g and %g",
                        teacher->path, network->input_scale, network->input_offset, scale, x->offset);
    return PST_OK;
}

enum pst_status check_teachers(const struct pst_header *header, size_t x, struct pst_error *error)
{
    check.classes = pst_network_outputs(&check.teachers[0].network);
    for (size_t t = 0; t < check.teacher_count; t++) {
        struct teacher *teacher = &check.teachers[t];
        if (pst_network_outputs(&teacher->network) != check.classes)
            return pst_fail(error, PST_BAD_DATA, "%s has %zu outputs, but %s has %zu", teacher->path,
                            pst_network_outputs(&teacher->network), check.teachers[0].path, check.classes);
        enum pst_status status = check_inputs(teacher, &header->tensors[x], error);
        if (status == PST_OK)
            status = check_history(teacher, header->history, error);
        if (status != PST_OK)
            return status;
    }
    return PST_OK;
}

/* ---- asking ---- */

static enum pst_status ask(struct teacher *teacher, const struct pst_tensor_spec *spec, const uint8_t *x,
                           const struct place *places, size_t count, struct pst_error *error)
{
    if (count > teacher->room) {
        pst_workspace_free(teacher->workspace);
        teacher->workspace = NULL;
        teacher->room = 0;
        enum pst_status status =
            pst_workspace_new(&teacher->workspace, &teacher->network, count, false, error);
        if (status != PST_OK)
            return status;
        teacher->room = count;
    }
    float *inputs = pst_workspace_input(teacher->workspace);
    for (size_t i = 0; i < count; i++) {
        /* One sample, as a tensor that is only looked at. */
        struct pst_tensor sample = { .data = (void *)(uintptr_t)(x + i * spec->sample_bytes),
                                     .bytes = spec->sample_bytes };
        enum pst_status status =
            pst_tensor_to_f32(spec, &sample, 1, inputs + i * pst_network_inputs(&teacher->network), error);
        if (status != PST_OK)
            return pst_fail_at(error, "batch %" PRIu64 ", row %zu", places[i].batch, places[i].row);
    }
    pst_forward(&teacher->network, teacher->workspace, count);
    return PST_OK;
}

enum pst_status ask_teachers(const struct pst_tensor_spec *spec, const uint8_t *x, const struct place *places,
                             size_t count, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t t = 0; t < check.teacher_count && status == PST_OK; t++)
        status = ask(&check.teachers[t], spec, x, places, count, error);
    return status;
}

void free_teachers(void)
{
    for (size_t t = 0; t < check.teacher_count; t++) {
        pst_workspace_free(check.teachers[t].workspace);
        pst_network_free(&check.teachers[t].network);
    }
    free(check.teachers);
}
