/* decoders.h: threads that make samples ahead. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_PICTURES_DECODERS_H
#define PIPESTILL_LIB_DATA_PICTURES_DECODERS_H

#include "pipestill/data.h"

#define PST_MOST_DECODERS 64

/*
 * Makes one sample. own: as given to pst_decoders_new. worker: 0 … PST_MOST_DECODERS; two calls at once have
 * different ones. elements: receives the sample. Its status and message are those of pst_decoders_get.
 */
typedef enum pst_status pst_decode_function(void *own, size_t worker, size_t index, void *elements,
                                            struct pst_error *error);

struct pst_decoders;

/*
 * Makes decoders, whose threads start with the first plan.
 * count: of threads, up to PST_MOST_DECODERS; 0: as many as there are processors. sample_bytes: of one
 * sample. Returns them; NULL, with an error, if memory is short.
 */
PST_CHECKED struct pst_decoders *pst_decoders_new(size_t count, size_t sample_bytes,
                                                  pst_decode_function *decode, void *own,
                                                  struct pst_error *error);

/* Says which samples come next, as a type's plan. If threads cannot be started, there are fewer or none.
 * Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_decoders_plan(struct pst_decoders *decoders, const size_t *samples,
                                              size_t count, struct pst_error *error);

/*
 * Gives a sample, made ahead if the plan has it next or soon; samples that are planned before it are then
 * left out. Otherwise it is made here, and the plan stays. Returns what decode returns.
 */
PST_CHECKED enum pst_status pst_decoders_get(struct pst_decoders *decoders, size_t index, void *elements,
                                             struct pst_error *error);

/* Stops the threads and frees all. decoders: NULL: nothing is done. */
void pst_decoders_free(struct pst_decoders *decoders);

#endif
