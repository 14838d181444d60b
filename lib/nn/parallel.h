/* parallel.h: rounds that may be divided over threads, because none reads what another one wrote. Sums are
 * made in parts that do not depend on the number of threads. */
#ifndef PIPESTILL_NN_PARALLEL_H
#define PIPESTILL_NN_PARALLEL_H

#include <stddef.h>

/* Calls round for 0 … count - 1; in this order with one thread. A build without oneDNN has only one. */
void pst_parallel(size_t threads, size_t count, void (*round)(const void *context, size_t i),
                  const void *context);

#endif
