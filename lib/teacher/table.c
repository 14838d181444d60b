/* The types of teachers, and asking them. A new type is a file of its own, which defines pst_teacher_NAME,
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
           type = 0; /* whoever opens it says what is wrong */
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
