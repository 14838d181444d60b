/* sequences.h: which sequences of a set are taken. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_SEQUENCES_H
#define PIPESTILL_LIB_DATA_SEQUENCES_H

#include "pipestill/view.h"

/*
 * Chooses whole sequences: first speakers, then utterances.
 * out: receives [samples]: whether a sample is left out, to be freed; NULL: the rules leave no sequence out.
 * Returns PST_OK; PST_USAGE if the rules need sequences that are not there, or leave none; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_choose_sequences(const struct pst_dataset *dataset,
                                                 const struct pst_selection_rules *rules, bool **out,
                                                 struct pst_error *error);

#endif
