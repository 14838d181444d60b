/* product.h: matrix products for layers. The symbol is weak, so a program that only inspects networks does
 * not load BLAS; a program that makes a pass has a workspace, which loads it. */
#ifndef PIPESTILL_NN_PRODUCT_H
#define PIPESTILL_NN_PRODUCT_H

#include <cblas.h>

#pragma weak cblas_sgemm

#endif
