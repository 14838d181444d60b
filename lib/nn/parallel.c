/* Rounds over the threads of OpenMP, which oneDNN also uses. */
#include "lib/nn/parallel.h"

/* With one thread OpenMP is not called, because it ends the program if memory is short. */
void pst_parallel(size_t threads, size_t count, void (*round)(const void *context, size_t i),
                  const void *context)
{
#ifdef _OPENMP
    if (threads > 1 && count > 1) {
#pragma omp parallel for schedule(static) num_threads((int)threads)
        for (size_t i = 0; i < count; i++)
            round(context, i);
        return;
    }
#else
    (void)threads;
#endif
    for (size_t i = 0; i < count; i++)
        round(context, i);
}
