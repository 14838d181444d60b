/* blas.h: what OpenBLAS needs before it is used. */
#ifndef PIPESTILL_NN_BLAS_H
#define PIPESTILL_NN_BLAS_H

#include "pipestill/base.h"

/*
 * Makes OpenBLAS reserve this thread's buffer now. It keeps the buffer, so no later matrix product has to
 * reserve one. Returns PST_OK, or PST_TRY_AGAIN if memory is short.
 */
PST_CHECKED enum pst_status pst_blas_claim(struct pst_error *error);

#endif
