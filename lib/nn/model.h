/* model.h: what writing and reading of models agree on. */
#ifndef PIPESTILL_LIB_NN_MODEL_H
#define PIPESTILL_LIB_NN_MODEL_H

/* The metadata's "format". Everything else that begins like the family is a file of this project, but no
 * model. */
#define PST_MODEL_FORMAT "pipestill-model-1"
#define PST_FORMAT_FAMILY "pipestill-"

#endif
