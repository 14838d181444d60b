/* blas.h: what OpenBLAS needs before it is used. */
#ifndef PIPESTILL_NN_BLAS_H
#define PIPESTILL_NN_BLAS_H

#include "pipestill/base.h"

/*
 * Has OpenBLAS reserve this thread's buffer now, which it keeps, so that no later matrix product has to.
 * Returns PST_OK, or PST_TRY_AGAIN if there is no room for it.
 */
PST_CHECKED enum pst_status pst_blas_claim(struct pst_error *error);

#endif
