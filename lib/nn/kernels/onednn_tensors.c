/* Matrices, maps and weights as oneDNN describes them. */
#include "lib/nn/kernels/onednn_tensors.h"

struct pst_onednn_tensor pst_onednn_matrix(int argument, size_t rows, size_t columns, bool transposed,
                                           bool kept)
{
    return (struct pst_onednn_tensor){ argument,
                                       2,
                                       { (dnnl_dim_t)rows, (dnnl_dim_t)columns },
                                       { transposed ? 1 : (dnnl_dim_t)columns,
                                         transposed ? (dnnl_dim_t)rows : 1 },
                                       .fixed = !kept };
}

/* A tensor whose last dimension stands together in memory. */
static struct pst_onednn_tensor stacked(int argument, int rank, const dnnl_dim_t *sizes)
{
    struct pst_onednn_tensor tensor = { .argument = argument, .rank = rank };
    dnnl_dim_t stride = 1;
    for (int i = rank - 1; i >= 0; i--) {
        tensor.sizes[i] = sizes[i];
        tensor.strides[i] = stride;
        stride *= sizes[i];
    }
    return tensor;
}

struct pst_onednn_tensor pst_onednn_maps(int argument, size_t n, size_t maps, const size_t size[2],
                                         bool channels_last)
{
    const dnnl_dim_t sizes[] = { (dnnl_dim_t)n, (dnnl_dim_t)maps, (dnnl_dim_t)size[0], (dnnl_dim_t)size[1] };
    struct pst_onednn_tensor tensor = stacked(argument, 4, sizes);
    if (!channels_last)
        return tensor;
    tensor.strides[1] = 1;
    tensor.strides[3] = sizes[1];
    tensor.strides[2] = sizes[1] * sizes[3];
    tensor.fixed = true;
    return tensor;
}

struct pst_onednn_tensor pst_onednn_weights(int argument, const struct pst_convolution *convolution)
{
    size_t groups = convolution->groups;
    const size_t *kernel = convolution->window->kernel;
    const dnnl_dim_t sizes[] = { (dnnl_dim_t)groups, (dnnl_dim_t)(convolution->maps / groups),
                                 (dnnl_dim_t)(convolution->channels / groups), (dnnl_dim_t)kernel[0],
                                 (dnnl_dim_t)kernel[1] };
    return groups == 1 ? stacked(argument, 4, sizes + 1) : stacked(argument, 5, sizes);
}

struct pst_onednn_window pst_onednn_window_of(const struct pst_window *window)
{
    return (struct pst_onednn_window){
        .stride = { (dnnl_dim_t)window->stride[0], (dnnl_dim_t)window->stride[1] },
        .dilation = { (dnnl_dim_t)window->dilation[0] - 1, (dnnl_dim_t)window->dilation[1] - 1 },
        .pad = { (dnnl_dim_t)window->pad[0], (dnnl_dim_t)window->pad[1] },
    };
}
