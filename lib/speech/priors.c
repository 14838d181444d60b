/* How frequent each state is, counted in alignments. */
#include "pipestill/speech.h"

#include <math.h>
#include <stdlib.h>

/* Of a state that no frame is in: log 0, which is subtracted, would put it above all others. */
#define LEAST_COUNT 0.5

enum pst_status pst_alignments_priors(const struct pst_alignments *alignments,
                                      const struct pst_corpus *corpus, float *log_prior,
                                      struct pst_error *error)
{
    size_t states = pst_corpus_states(corpus), frames = 0;
    double total = 0;
    double *counts = pst_allocate(states, sizeof *counts, error);
    if (counts == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < alignments->count; i++)
        for (size_t t = 0; t < alignments->frames[i]; t++, frames++)
            counts[alignments->states[i][t]]++;
    for (size_t j = 0; j < states; j++)
        total += counts[j] = counts[j] > 0 ? counts[j] : LEAST_COUNT;
    for (size_t j = 0; j < states; j++)
        log_prior[j] = (float)log(counts[j] / total);
    free(counts);
    return frames > 0 ? PST_OK : pst_fail(error, PST_BAD_DATA, "no frame is aligned");
}
