/* Hints: the outputs of the teacher's layers, a tensor for each (Romero et al. 2015). */
#include "stages/teacher-forward/hints.h"

#include <jansson.h>
#include <stdio.h>

enum pst_status hints_take(void *self, const char *value, struct pst_error *error)
{
    struct hints *hints = self;
    if (hints->count == PST_MAX_HINTS)
        return pst_fail(error, PST_USAGE, "a teacher gives at most %d hints", PST_MAX_HINTS);
    hints->layers[hints->count++] = value;
    return PST_OK;
}

enum pst_status hints_ask(const struct hints *hints, struct pst_teacher *teacher, const char *path,
                          struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < hints->count && status == PST_OK; i++)
        status = pst_teacher_hint(teacher, hints->layers[i], error);
    return status == PST_OK ? PST_OK : pst_fail_at(error, "--hint: %s", path);
}

/* Makes the name of a hint's tensor; fails if it is too long. */
static enum pst_status name_tensor(const struct hints *hints, size_t i, const char *name,
                                   struct pst_tensor_spec *spec, struct pst_error *error)
{
    bool several = hints->count > 1;
    int length = snprintf(spec->name, sizeof spec->name, "hint/%s%s%s", name, several ? "." : "",
                          several ? hints->layers[i] : "");
    if (length >= 0 && (size_t)length < sizeof spec->name)
        return PST_OK;
    return pst_fail(error, PST_USAGE,
                    "'hint/%s.%s' is too long for a tensor; give this teacher a shorter --name", name,
                    hints->layers[i]);
}

/* A hint's origin depends on its layer, not on the name of its tensor. */
static enum pst_status declare_one(struct pst_run *run, struct hints *hints, size_t i,
                                   const struct pst_hint *hint, const char *name, size_t x,
                                   struct pst_header *out, struct pst_error *error)
{
    struct pst_tensor_spec spec = { .dtype = PST_DTYPE_F32, .rank = hint->shape.rank };
    for (size_t d = 0; d < spec.rank; d++)
        spec.shape[d] = hint->shape.size[d];
    enum pst_status status = name_tensor(hints, i, name, &spec, error);
    if (status != PST_OK)
        return status;
    if (pst_header_add_tensor(out, &spec, &hints->at[i], error) != PST_OK)
        return pst_fail_at(error, "give this teacher another --name");
    char as[PST_LAYER_NUMBER + 16];
    snprintf(as, sizeof as, "hint of layer %s", hint->layer);
    return pst_made_from(run, hints->at[i], as, &x, 1, error);
}

enum pst_status hints_declare(struct pst_run *run, struct hints *hints, const struct pst_teacher *teacher,
                              const char *name, size_t x, struct pst_header *out, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < hints->count && status == PST_OK; i++)
        status = declare_one(run, hints, i, &teacher->hints[i], name, x, out, error);
    return status;
}

void hints_place(const struct hints *hints, struct pst_session *session, const struct pst_batch *out)
{
    for (size_t i = 0; i < hints->count; i++)
        session->hints[i] = out->tensors[hints->at[i]].data;
}
