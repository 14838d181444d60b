/* when_top.h: asks a teacher only about some samples: those whose likeliest classes, by another teacher,
 * include one of a set. */
#ifndef STAGES_TEACHER_FORWARD_WHEN_TOP_H
#define STAGES_TEACHER_FORWARD_WHEN_TOP_H

#include "pipestill.h"

struct when_top {
    const char *classes, *by; /* options; classes: NULL if all samples are asked about */
    size_t most;              /* so many of the likeliest classes are searched for one in the set */
    size_t at;                /* place of the predictions that decide */
    bool logits;
    size_t width;           /* classes of those predictions */
    bool *inside;           /* [width]: the set; owned */
    size_t asked;           /* place of asked/NAME in the output */
    uint64_t *of_all;       /* [2]: samples asked about, and samples, of all jobs; owned */
    uint64_t own[2];        /* a job's own */
    struct pst_buffer rows; /* of a batch: places of the samples that are asked about; a job's own */
};

/* Reads the set and finds the predictions. Does nothing if all samples are asked about. */
PST_CHECKED enum pst_status when_top_look(struct pst_run *run, struct when_top *when,
                                          const struct pst_header *in, struct pst_error *error);

/* Declares asked/NAME. teacher: NAME. */
PST_CHECKED enum pst_status when_top_declare(struct pst_run *run, struct when_top *when,
                                             struct pst_header *out, const char *teacher,
                                             struct pst_error *error);

/* Fills asked/NAME, and gathers the inputs of the samples to ask about at the front. inputs: [n, elements].
 * count: receives how many there are. */
PST_CHECKED enum pst_status when_top_gather(const struct pst_run *run, struct when_top *when,
                                            const struct pst_batch *in, struct pst_batch *out, float *inputs,
                                            size_t elements, size_t *count, struct pst_error *error);

/* Moves the answers from the front to their samples, and writes zeros between. answers: [n, outputs]. */
void when_top_scatter(const struct when_top *when, float *answers, size_t n, size_t outputs, size_t count);

/* Adds a job's counts to those of all, and frees the job's own memory. */
void when_top_leave(struct when_top *when);

/* Says how many samples were asked about. */
void when_top_report(struct pst_run *run, const struct when_top *when);

void when_top_free(struct when_top *when);

#endif
