/* What all data sets have in common: their end. */
#include "pipestill/data.h"

#include <stdlib.h>

void pst_dataset_free(struct pst_dataset *dataset)
{
    if (dataset->free_state != NULL)
        dataset->free_state(dataset->state);
    free((void *)dataset->labels);
    *dataset = (struct pst_dataset){ 0 };
}
