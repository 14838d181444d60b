/* OpenBLAS: products in single precision. It keeps its own buffer for each thread. */
#include "lib/nn/kernels/products.h"

#include "lib/nn/blas.h"
#include "lib/nn/layers/product.h"

static enum pst_status check(const struct pst_arithmetic *arithmetic, struct pst_error *error)
{
    if (arithmetic->precision == PST_F32)
        return PST_OK;
    return pst_fail(error, PST_USAGE, "--precision bf16: OpenBLAS multiplies in f32; add --kernels onednn");
}

static enum pst_status open_openblas(struct pst_kernels *kernels, struct pst_error *error)
{
    (void)kernels;
    return pst_blas_claim(error);
}

static void forward(struct pst_kernels *kernels, const struct pst_dense_product *product, const float *inputs,
                    float *outputs)
{
    (void)kernels;
    blasint n = (blasint)product->n, in = (blasint)product->in, out = (blasint)product->out;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, out, in, 1, inputs, in, product->weight, in, 0,
                outputs, out);
}

static void input_gradient(struct pst_kernels *kernels, const struct pst_dense_product *product,
                           const float *gradient, float *input_gradient)
{
    (void)kernels;
    blasint n = (blasint)product->n, in = (blasint)product->in, out = (blasint)product->out;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, in, out, 1, gradient, out, product->weight, in,
                0, input_gradient, in);
}

static void weight_gradient(struct pst_kernels *kernels, const struct pst_dense_product *product,
                            const float *gradient, const float *inputs, float *weight_gradient)
{
    (void)kernels;
    blasint n = (blasint)product->n, in = (blasint)product->in, out = (blasint)product->out;
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, out, in, n, 1, gradient, out, inputs, in, 0,
                weight_gradient, in);
}

const struct pst_kernel_type pst_kernels_openblas = {
    .name = "openblas",
    .check = check,
    .open = open_openblas,
    .forward = forward,
    .input_gradient = input_gradient,
    .weight_gradient = weight_gradient,
};
