/* OpenBLAS's own memory. */
#include "lib/nn/blas.h"

#include <cblas.h>
#include <stdlib.h>

/* So wide that OpenBLAS does not take the way that needs no buffer. */
enum { WIDTH = 128 };

enum pst_status pst_blas_claim(struct pst_error *error)
{
    enum pst_status status = pst_check_blas_memory(1, error);
    float *zeros = status == PST_OK ? pst_allocate(2 * WIDTH * WIDTH, sizeof *zeros, error) : NULL;
    if (zeros == NULL)
        return PST_TRY_AGAIN;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, WIDTH, WIDTH, WIDTH, 1, zeros, WIDTH, zeros, WIDTH,
                0, zeros + WIDTH * WIDTH, WIDTH);
    free(zeros);
    return PST_OK;
}
