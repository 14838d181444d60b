/* matches.h: terms of a loss that compare a layer of the network with a hint, for the files of this room. */
#ifndef PIPESTILL_LIB_NN_MATCHES_H
#define PIPESTILL_LIB_NN_MATCHES_H

#include "pipestill/training.h"

/* Makes room for n samples. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_matches_make_room(struct pst_training *training, size_t n,
                                                  struct pst_error *error);

/* Bytes that all matches need in a training with batches of n samples; SIZE_MAX if they are too many. */
size_t pst_matches_memory(const struct pst_training *training, size_t n);

/* After a training pass: projects the layers, and sets in targets where their outputs and gradients are. */
void pst_matches_forward(struct pst_training *training, size_t n, struct pst_loss_targets *targets);

/* After the loss: computes the gradients of the layers, which the taps then have. The projections learn now,
 * or, if gradients are clipped, keep theirs until pst_matches_step. */
void pst_matches_backward(struct pst_training *training, size_t n);

/* The sum of the squares of the gradients that are kept. */
double pst_matches_squares(const struct pst_training *training);

/* Makes the step with the kept gradients, all multiplied by scale. */
void pst_matches_step(struct pst_training *training, float scale);

void pst_matches_free(struct pst_training *training);

#endif
