/* A checkpoint of the network 4-3-2 that momentum trains, as tests/fuzz/seeds makes it. */
#include "tests/fuzz/fuzz.h"

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pst_error error;
    struct pst_training training = { 0 };
    json_t *state = NULL;
    if (pst_network_new(&training.network, "4-3-2", &error) != PST_OK ||
        pst_training_begin(&training, &error) != PST_OK)
        abort();
    float *best = pst_allocate(training.network.parameter_count, sizeof *best, &error);
    if (best != NULL)
        (void)!pst_checkpoint_read(fuzz_file(data, size), &training, best, &state, &error);
    json_decref(state); /* some failures also give one */
    free(best);
    pst_training_free(&training);
    return 0;
}
