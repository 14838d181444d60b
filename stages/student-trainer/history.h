/* history.h: what the parts that read a stream's history share; each looks at it for a contradiction of its
 * own. */
#ifndef STUDENT_TRAINER_HISTORY_H
#define STUDENT_TRAINER_HISTORY_H

#include "stages/student-trainer/trainer.h"

#include <jansson.h>

/* history.c: whether an entry is of this stage. */
bool is_stage(const json_t *entry, const char *name);

/* history.c: whether a stage may have dropped or changed targets in a way that its entry does not tell. */
bool may_change(const json_t *entry);

/* history.c: whether a stream-join took a tensor: of this name, or, where `prefix`, one whose name begins so.
 * Returns its whole name, or NULL. */
const char *taken(const json_t *entry, const char *name, bool prefix);

/* temperature.c: whether soft targets have the temperature that the history says they were made at. */
PST_CHECKED enum pst_status check_temperature(const struct pst_header *header,
                                              const struct pst_tensor_spec *soft, struct pst_error *error);

/* Names of teachers, each once; they live in header and history. */
struct names {
    const char **list; /* owned */
    size_t count, room;
    bool short_of_memory;
};

/*
 * mean.c: where the averager stands that made the mean `soft` or `logits`: in *history, or, where it was
 * joined, in that of its recording, which *history becomes. PST_NONE where the history does not say.
 */
size_t find_averager(const json_t **history, const char *mean);

/*
 * mean.c: the teachers that a mean may be of: those that stand before it in the header, unless it was joined,
 * and those that the history names before its averager. names: {0} before; its list is owned by the caller.
 * Returns PST_OK, or PST_TRY_AGAIN where memory is short.
 */
PST_CHECKED enum pst_status find_teachers(struct names *names, const struct pst_header *header, size_t mean,
                                          const json_t *history, size_t averager, struct pst_error *error);

/* mean.c: whether a mean is what its averager says: its kind, the number of teachers, and their weights. */
PST_CHECKED enum pst_status check_mean(const struct pst_header *header, size_t mean, struct pst_error *error);

/* models.c: whether each teacher that the targets at `target` are from is one model. */
PST_CHECKED enum pst_status check_models(const struct pst_header *header, size_t target,
                                         struct pst_error *error);

#endif
