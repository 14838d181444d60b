/* hints.h: the outputs of layers that a teacher gives beside its logits. */
#ifndef STAGES_TEACHER_FORWARD_HINTS_H
#define STAGES_TEACHER_FORWARD_HINTS_H

#include "pipestill.h"

struct hints {
    const char *layers[PST_MAX_HINTS]; /* of --hint, [count]; borrowed */
    size_t count;
    size_t at[PST_MAX_HINTS]; /* places of their tensors in the output */
};

/* Takes one --hint. self: a struct hints. */
enum pst_status hints_take(void *self, const char *value, struct pst_error *error);

/* Makes the teacher give them. */
PST_CHECKED enum pst_status hints_ask(const struct hints *hints, struct pst_teacher *teacher,
                                      const char *path, struct pst_error *error);

/* Declares hint/NAME, or, if there are several, hint/NAME.LAYER for each. name: NAME. x: place of the inputs
 * that they are made from. */
PST_CHECKED enum pst_status hints_declare(struct pst_run *run, struct hints *hints,
                                          const struct pst_teacher *teacher, const char *name, size_t x,
                                          struct pst_header *out, struct pst_error *error);

/* Sets where the hints of the next answer go. */
void hints_place(const struct hints *hints, struct pst_session *session, const struct pst_batch *out);

#endif
