/* The types of teachers, and how they are used. A new type is its own file, which defines pst_teacher_NAME,
 * and a row here. */
#include "pipestill/teacher.h"

#include <string.h>

#define ROWS(ROW) ROW(network)

#define DECLARE(name) extern const struct pst_teacher_type pst_teacher_##name;
#define ENTER(name) &pst_teacher_##name,

ROWS(DECLARE)

const struct pst_teacher_type *const pst_teacher_types[] = { ROWS(ENTER) NULL };

enum pst_status pst_teacher_open(struct pst_teacher *teacher, const char *path, const char *activation,
                                 struct pst_error *error)
{
    unsigned char start[PST_FILE_START];
    size_t size = pst_file_start(path, start, sizeof start),
           type = 0; /* if it cannot be read, opening it reports that */
    while (pst_teacher_types[type] != NULL && !pst_teacher_types[type]->recognises(start, size))
        type++;
    *teacher = (struct pst_teacher){ .type = pst_teacher_types[type] != NULL ? pst_teacher_types[type]
                                                                             : pst_teacher_types[0] };
    enum pst_status status = teacher->type->open(teacher, path, activation, error);
    if (status != PST_OK)
        *teacher = (struct pst_teacher){ 0 };
    return status;
}

void pst_teacher_close(struct pst_teacher *teacher)
{
    if (teacher->type != NULL)
        teacher->type->close(teacher);
    *teacher = (struct pst_teacher){ 0 };
}

enum pst_status pst_teacher_hint(struct pst_teacher *teacher, const char *layer, struct pst_error *error)
{
    const struct pst_teacher_type *type = teacher->type;
    if (type->hint == NULL)
        return pst_fail(error, PST_USAGE, "a teacher that is %s gives no hints", type->help);
    for (size_t i = 0; i < teacher->hint_count; i++)
        if (strcmp(teacher->hints[i].layer, layer) == 0)
            return pst_fail(error, PST_USAGE, "layer %s is there twice", layer);
    if (teacher->hint_count == PST_MAX_HINTS)
        return pst_fail(error, PST_USAGE, "a teacher gives at most %d hints", PST_MAX_HINTS);
    struct pst_hint hint = { .layer = layer };
    enum pst_status status = type->hint(teacher, &hint, error);
    if (status == PST_OK)
        teacher->hints[teacher->hint_count++] = hint;
    return status;
}

float *pst_session_inputs(struct pst_session *session, size_t n, struct pst_error *error)
{
    const struct pst_teacher_type *type = session->teacher->type;
    if (n > session->room) {
        session->room = 0;
        if (type->make_room(session, n, error) != PST_OK)
            return NULL;
        session->room = n;
    }
    return type->inputs(session);
}

enum pst_status pst_session_answer(struct pst_session *session, size_t n, float *outputs,
                                   struct pst_error *error)
{
    return session->teacher->type->answer(session, n, outputs, error);
}

void pst_session_free(struct pst_session *session)
{
    if (session->own != NULL)
        session->teacher->type->release(session);
    session->own = NULL;
    session->room = 0;
}
