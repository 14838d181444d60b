/*
 * oneDNN: products and convolutions in single precision, or of bf16 operands with sums in f32.
 *
 * A product is divided over threads so that one thread sums each number. The gradient of a convolution's
 * weights is an exception: every thread would sum some of the samples, and the bits would depend on the
 * number of threads. So it is computed in slices of the batch, each by one thread, and the slices are added
 * in their order.
 */
#include "lib/nn/kernels/onednn_prepared.h"
#include "lib/nn/kernels/onednn_tensors.h"
#include "lib/nn/kernels/onednn_tiles.h"
#include "lib/nn/kernels/onednn_use.h"

static bool has_bf16(void)
{
    return pst_onednn_may_use(dnnl_cpu_isa_avx512_core_bf16);
}

/* On Intel's processors a dot product of pairs in bf16, which does the work of two vectors of f32, takes as
 * long as four of them (bench/peak). Only with AMX is bf16 faster there. */
static bool bf16_is_faster(void)
{
#ifdef __x86_64__
    bool pairs_are_slow = __builtin_cpu_is("intel");
#else
    bool pairs_are_slow = true;
#endif
    return has_bf16() && (pst_onednn_may_use(dnnl_cpu_isa_avx512_core_amx) || !pairs_are_slow);
}

static enum pst_status check(const struct pst_arithmetic *arithmetic, struct pst_error *error)
{
    if (arithmetic->precision == PST_F32 || has_bf16())
        return PST_OK;
    return pst_fail(error, PST_UNAVAILABLE,
                    "--precision bf16: this processor does not have AVX512_BF16, so it would be slower; "
                    "--precision auto takes f32 then");
}

static void begin(const struct pst_kernels *kernels)
{
    pst_onednn_use_threads(kernels->threads);
}

/* ---- products ---------------------------------------------------------------------------------------- */

/* LAST is added to these for convolutions whose channels are last. */
enum { FORWARD, INPUT, WEIGHT, CONVOLVE, CONVOLVE_INPUT, CONVOLVE_WEIGHT, LAST };

/* result[rows, columns] = left[rows, depth] · right[depth, columns] */
struct matrices {
    size_t rows, depth, columns;
    bool left_transposed, right_transposed;
};

static void multiply(struct pst_kernels *kernels, const struct pst_dense_product *product, int what,
                     const struct matrices *of, float *const values[PST_ONEDNN_OPERANDS])
{
    struct pst_onednn_prepared *prepared = pst_onednn_find(kernels, product->layer, what, product->n);
    if (prepared == NULL) {
        bool keep = kernels->arithmetic.constant && what != WEIGHT;
        const struct pst_onednn_tensor tensors[] = {
            pst_onednn_matrix(DNNL_ARG_SRC, of->rows, of->depth, of->left_transposed, false),
            pst_onednn_matrix(DNNL_ARG_WEIGHTS, of->depth, of->columns, of->right_transposed, keep),
            pst_onednn_matrix(DNNL_ARG_DST, of->rows, of->columns, false, false),
        };
        prepared = pst_onednn_prepare(kernels, &(struct pst_onednn_request){ .layer = product->layer,
                                                                             .n = product->n,
                                                                             .slices = 1,
                                                                             .kind = PST_ONEDNN_PRODUCT,
                                                                             .what = what,
                                                                             .keep = keep,
                                                                             .lend = !keep && what == FORWARD,
                                                                             .tensors = tensors });
    }
    /* The weights do not change between the two, and have the same layout. */
    bool borrows = !kernels->arithmetic.constant && what == INPUT;
    struct pst_onednn_converted converted = {
        .by = borrows ? pst_onednn_find(kernels, product->layer, FORWARD, product->n) : NULL
    };
    if (prepared != NULL)
        pst_onednn_compute_prepared(kernels, prepared, values, converted);
}

/* oneDNN's functions take a pointer that is not const, also for data that they only read. */
static float *only_read(const float *values)
{
    return (float *)(uintptr_t)values;
}

static void forward(struct pst_kernels *kernels, const struct pst_dense_product *product, const float *inputs,
                    float *outputs)
{
    if (pst_tiles_forward(kernels, product, inputs, outputs))
        return;
    float *const values[] = { only_read(inputs), only_read(product->weight), outputs };
    const struct matrices of = { product->n, product->in, product->out, false, true };
    multiply(kernels, product, FORWARD, &of, values);
}

static void input_gradient(struct pst_kernels *kernels, const struct pst_dense_product *product,
                           const float *gradient, float *input_gradient)
{
    if (pst_tiles_input_gradient(kernels, product, gradient, input_gradient))
        return;
    float *const values[] = { only_read(gradient), only_read(product->weight), input_gradient };
    const struct matrices of = { product->n, product->out, product->in, false, false };
    multiply(kernels, product, INPUT, &of, values);
}

static void weight_gradient(struct pst_kernels *kernels, const struct pst_dense_product *product,
                            const float *gradient, const float *inputs, float *weight_gradient)
{
    if (pst_tiles_weight_gradient(kernels, product, gradient, inputs, weight_gradient))
        return;
    float *const values[] = { only_read(gradient), only_read(inputs), weight_gradient };
    const struct matrices of = { product->out, product->n, product->in, true, false };
    multiply(kernels, product, WEIGHT, &of, values);
}

/* ---- convolutions ------------------------------------------------------------------------------------ */

static struct pst_onednn_tensor maps_of(const struct pst_convolution *convolution, int argument, size_t maps,
                                        const size_t size[2])
{
    return pst_onednn_maps(argument, convolution->n, maps, size, convolution->channels_last);
}

static struct pst_onednn_prepared *prepare_convolution(struct pst_kernels *kernels,
                                                       const struct pst_convolution *convolution,
                                                       size_t slices, enum pst_onednn_kind kind, int what,
                                                       const struct pst_onednn_tensor *tensors)
{
    what = convolution->channels_last ? what + LAST : what;
    struct pst_onednn_prepared *prepared = pst_onednn_find(kernels, convolution->layer, what, convolution->n);
    if (prepared != NULL)
        return prepared;
    const struct pst_onednn_window moved = pst_onednn_window_of(convolution->window);
    return pst_onednn_prepare(kernels, &(struct pst_onednn_request){ .layer = convolution->layer,
                                                                     .n = convolution->n,
                                                                     .slices = slices,
                                                                     .kind = kind,
                                                                     .what = what,
                                                                     .keep = kernels->arithmetic.constant,
                                                                     .tensors = tensors,
                                                                     .window = &moved });
}

static void convolve(struct pst_kernels *kernels, const struct pst_convolution *convolution,
                     const float *inputs, float *outputs)
{
    const struct pst_window *window = convolution->window;
    const struct pst_onednn_tensor tensors[] = {
        maps_of(convolution, DNNL_ARG_SRC, convolution->channels, window->in),
        pst_onednn_weights(DNNL_ARG_WEIGHTS, convolution),
        maps_of(convolution, DNNL_ARG_DST, convolution->maps, window->out),
    };
    float *const values[] = { only_read(inputs), only_read(convolution->weight), outputs };
    struct pst_onednn_prepared *prepared =
        prepare_convolution(kernels, convolution, 1, PST_ONEDNN_CONVOLVE, CONVOLVE, tensors);
    if (prepared != NULL)
        pst_onednn_compute_prepared(kernels, prepared, values, (struct pst_onednn_converted){ 0 });
}

static struct pst_onednn_prepared *prepare_input(struct pst_kernels *kernels,
                                                 const struct pst_convolution *convolution)
{
    const struct pst_window *window = convolution->window;
    const struct pst_onednn_tensor tensors[] = {
        maps_of(convolution, DNNL_ARG_DIFF_DST, convolution->maps, window->out),
        pst_onednn_weights(DNNL_ARG_WEIGHTS, convolution),
        maps_of(convolution, DNNL_ARG_DIFF_SRC, convolution->channels, window->in),
    };
    return prepare_convolution(kernels, convolution, 1, PST_ONEDNN_CONVOLVE_INPUT, CONVOLVE_INPUT, tensors);
}

static struct pst_onednn_prepared *prepare_weight(struct pst_kernels *kernels,
                                                  const struct pst_convolution *convolution, size_t slices)
{
    const struct pst_window *window = convolution->window;
    struct pst_convolution slice = *convolution;
    slice.n /= slices;
    const struct pst_onednn_tensor tensors[] = {
        maps_of(&slice, DNNL_ARG_DIFF_DST, slice.maps, window->out),
        maps_of(&slice, DNNL_ARG_SRC, slice.channels, window->in),
        pst_onednn_weights(DNNL_ARG_DIFF_WEIGHTS, &slice),
    };
    return prepare_convolution(kernels, convolution, slices, PST_ONEDNN_CONVOLVE_WEIGHT, CONVOLVE_WEIGHT,
                               tensors);
}

/* Both products read the gradient; with the channels last, in the same layout, so it is converted once. */
static void convolve_back(struct pst_kernels *kernels, const struct pst_convolution *convolution,
                          const float *gradient, const float *inputs, float *input_gradient,
                          float *weight_gradient)
{
    const struct pst_window *window = convolution->window;
    size_t slices = convolution->n % PST_ONEDNN_SLICES == 0 ? PST_ONEDNN_SLICES : 1,
           samples = convolution->n / slices;
    size_t sizes[PST_ONEDNN_OPERANDS] = { samples * convolution->maps * window->out[0] * window->out[1],
                                          samples * convolution->channels * window->in[0] * window->in[1] };
    size_t weights = convolution->maps * (convolution->channels / convolution->groups) * window->kernel[0] *
                     window->kernel[1];
    struct pst_onednn_prepared *weight = prepare_weight(kernels, convolution, slices),
                               *input = input_gradient == NULL ? NULL : prepare_input(kernels, convolution);
    float *const weight_values[] = { only_read(gradient), only_read(inputs), weight_gradient };
    float *const input_values[] = { only_read(gradient), only_read(convolution->weight), input_gradient };
    if (weight != NULL)
        pst_onednn_compute_slices(kernels, weight, weight_values, sizes, weights);
    if (input != NULL)
        pst_onednn_compute_prepared(
            kernels, input, input_values,
            (struct pst_onednn_converted){ .first = weight != NULL && convolution->channels_last });
}

const struct pst_kernel_type pst_kernels_onednn = {
    .name = "onednn",
    .check = check,
    .bf16_is_faster = bf16_is_faster,
    .open = pst_onednn_open,
    .close = pst_onednn_close,
    .begin = begin,
    .forward = forward,
    .input_gradient = input_gradient,
    .weight_gradient = weight_gradient,
    .convolve = convolve,
    .convolve_back = convolve_back,
    .plan = pst_onednn_plan,
    .run = pst_onednn_run,
};
