/* product.h: matrix products for layers. The name is a weak one, so that a program that only looks at
 * networks does not load BLAS; whoever passes through one has a workspace, which does. */
#ifndef PIPESTILL_NN_PRODUCT_H
#define PIPESTILL_NN_PRODUCT_H

#include <cblas.h>

#pragma weak cblas_sgemm

#endif
