/* How a product of oneDNN is described, made and computed, in versions 2 and 3 of the library. */
#include "lib/nn/kernels/onednn_operation.h"

#include <stdlib.h>
#include <string.h>

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t description;
#else
typedef const dnnl_memory_desc_t *description;
#endif

/* ---- tensors ----------------------------------------------------------------------------------------- */

/* Descriptions of an operation's tensors while it is made: as the caller has them, as the product takes
 * them, and as the forward pass of a convolution would take them, which oneDNN needs for the backward
 * passes. */
struct descriptions {
    dnnl_memory_desc_t outside[PST_ONEDNN_OPERANDS], wanted[PST_ONEDNN_OPERANDS], hint[PST_ONEDNN_OPERANDS];
    dnnl_memory_desc_t bias; /* looked at only if there is one */
};

static dnnl_status_t describe(dnnl_memory_desc_t *made, const struct pst_onednn_tensor *tensor,
                              dnnl_data_type_t type, bool any)
{
#if DNNL_VERSION_MAJOR >= 3
    return any ? dnnl_memory_desc_create_with_tag(made, tensor->rank, tensor->sizes, type,
                                                  dnnl_format_tag_any)
               : dnnl_memory_desc_create_with_strides(made, tensor->rank, tensor->sizes, type,
                                                      tensor->strides);
#else
    return any ? dnnl_memory_desc_init_by_tag(made, tensor->rank, tensor->sizes, type, dnnl_format_tag_any)
               : dnnl_memory_desc_init_by_strides(made, tensor->rank, tensor->sizes, type, tensor->strides);
#endif
}

/* A product adds a row to each of its own, a convolution a number to each map. */
static dnnl_status_t describe_bias(dnnl_memory_desc_t *made, const struct pst_onednn_purpose *purpose)
{
    const struct pst_onednn_tensor *result = &purpose->tensors[PST_ONEDNN_OPERANDS - 1];
    bool product = purpose->kind == PST_ONEDNN_PRODUCT;
    struct pst_onednn_tensor bias = { .rank = product ? 2 : 1, .sizes = { 1, 1 }, .strides = { 1, 1 } };
    bias.sizes[bias.rank - 1] = bias.strides[0] = result->sizes[1];
    if (!product)
        bias.strides[0] = 1;
    return describe(made, &bias, dnnl_f32, false);
}

/* As the product is to have a tensor. */
static dnnl_status_t describe_wanted(dnnl_memory_desc_t *made, const struct pst_onednn_tensor *tensor,
                                     dnnl_data_type_t type)
{
    struct pst_onednn_tensor moved = *tensor;
    if (!tensor->moved)
        return describe(made, tensor, type, !tensor->fixed);
    moved.strides[1] = 1;
    moved.strides[3] = moved.sizes[1];
    moved.strides[2] = moved.sizes[1] * moved.sizes[3];
    return describe(made, &moved, type, false);
}

static dnnl_status_t describe_all(struct descriptions *all, const struct pst_onednn_purpose *purpose)
{
    dnnl_data_type_t type = purpose->bf16 ? dnnl_bf16 : dnnl_f32;
    dnnl_status_t status = dnnl_success;
    for (size_t i = 0; i < PST_ONEDNN_OPERANDS && status == dnnl_success; i++) {
        const struct pst_onednn_tensor *tensor = &purpose->tensors[i];
        bool result = i + 1 == PST_ONEDNN_OPERANDS;
        dnnl_data_type_t outside = tensor->inner ? type : dnnl_f32;
        status = describe(&all->outside[i], tensor, outside, false);
        if (status == dnnl_success)
            status = describe_wanted(&all->wanted[i], tensor, result ? outside : type);
        if (status == dnnl_success)
            status = describe_wanted(&all->hint[i], tensor, type);
    }
    return status == dnnl_success && purpose->finish.bias != NULL ? describe_bias(&all->bias, purpose)
                                                                  : status;
}

#if DNNL_VERSION_MAJOR >= 3
static void forget_all(struct descriptions *all)
{
    for (size_t i = 0; i < PST_ONEDNN_OPERANDS; i++) {
        dnnl_memory_desc_destroy(all->outside[i]);
        dnnl_memory_desc_destroy(all->wanted[i]);
        dnnl_memory_desc_destroy(all->hint[i]);
    }
    dnnl_memory_desc_destroy(all->bias);
}
#define AS_IS(description) (description)
#define APPEND_RELU(after) dnnl_post_ops_append_eltwise(after, dnnl_eltwise_relu, 0, 0)
#else
static void forget_all(struct descriptions *all)
{
    (void)all;
}
#define AS_IS(description) (&(description))
#define APPEND_RELU(after) dnnl_post_ops_append_eltwise(after, 1, dnnl_eltwise_relu, 0, 0)
#endif

static size_t size_of(description tensor)
{
    return dnnl_memory_desc_get_size(tensor);
}

static bool alike(description a, description b)
{
    return dnnl_memory_desc_equal(a, b) != 0;
}

/* ---- products ---------------------------------------------------------------------------------------- */

#if DNNL_VERSION_MAJOR >= 3
static dnnl_status_t describe_product(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                      const struct pst_onednn_purpose *purpose,
                                      const struct descriptions *all, dnnl_primitive_attr_t attributes)
{
    const dnnl_memory_desc_t *t = all->wanted;
    const struct pst_onednn_window *window = purpose->window;
    enum pst_onednn_kind kind = purpose->kind;
    dnnl_memory_desc_t bias = purpose->finish.bias != NULL ? all->bias : NULL;
    dnnl_primitive_desc_t hint = NULL;
    dnnl_status_t status = dnnl_success;
    if (kind == PST_ONEDNN_PRODUCT)
        return dnnl_matmul_primitive_desc_create(made, engine, t[0], t[1], bias, t[2], attributes);
    if (kind == PST_ONEDNN_CONVOLVE)
        return dnnl_convolution_forward_primitive_desc_create(
            made, engine, dnnl_forward_training, dnnl_convolution_direct, t[0], t[1], bias, t[2],
            window->stride, window->dilation, window->pad, window->pad, attributes);
    if (kind == PST_ONEDNN_CONVOLVE_INPUT) {
        status = dnnl_convolution_forward_primitive_desc_create(
            &hint, engine, dnnl_forward_training, dnnl_convolution_direct, all->hint[2], all->hint[1], NULL,
            all->hint[0], window->stride, window->dilation, window->pad, window->pad, NULL);
        if (status == dnnl_success)
            status = dnnl_convolution_backward_data_primitive_desc_create(
                made, engine, dnnl_convolution_direct, t[2], t[1], t[0], window->stride, window->dilation,
                window->pad, window->pad, hint, attributes);
    } else {
        status = dnnl_convolution_forward_primitive_desc_create(
            &hint, engine, dnnl_forward_training, dnnl_convolution_direct, all->hint[1], all->hint[2], NULL,
            all->hint[0], window->stride, window->dilation, window->pad, window->pad, NULL);
        if (status == dnnl_success)
            status = dnnl_convolution_backward_weights_primitive_desc_create(
                made, engine, dnnl_convolution_direct, t[1], t[2], NULL, t[0], window->stride,
                window->dilation, window->pad, window->pad, hint, attributes);
    }
    if (hint != NULL)
        dnnl_primitive_desc_destroy(hint);
    return status;
}
#else
/* The forward pass of a convolution, which oneDNN also needs to describe the backward passes. */
static dnnl_status_t describe_forward(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                      const dnnl_memory_desc_t *source, const dnnl_memory_desc_t *weights,
                                      const dnnl_memory_desc_t *bias, const dnnl_memory_desc_t *destination,
                                      const struct pst_onednn_window *window,
                                      dnnl_primitive_attr_t attributes)
{
    dnnl_convolution_desc_t forward;
    dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
        &forward, dnnl_forward_training, dnnl_convolution_direct, source, weights, bias, destination,
        window->stride, window->dilation, window->pad, window->pad);
    return status == dnnl_success ? dnnl_primitive_desc_create(made, &forward, attributes, engine, NULL)
                                  : status;
}

static dnnl_status_t describe_product(dnnl_primitive_desc_t *made, dnnl_engine_t engine,
                                      const struct pst_onednn_purpose *purpose,
                                      const struct descriptions *all, dnnl_primitive_attr_t attributes)
{
    const dnnl_memory_desc_t *t = all->wanted, *bias = purpose->finish.bias != NULL ? &all->bias : NULL;
    const struct pst_onednn_window *window = purpose->window;
    enum pst_onednn_kind kind = purpose->kind;
    if (kind == PST_ONEDNN_PRODUCT) {
        dnnl_matmul_desc_t product;
        dnnl_status_t status = dnnl_matmul_desc_init(&product, &t[0], &t[1], bias, &t[2]);
        return status == dnnl_success ? dnnl_primitive_desc_create(made, &product, attributes, engine, NULL)
                                      : status;
    }
    if (kind == PST_ONEDNN_CONVOLVE)
        return describe_forward(made, engine, &t[0], &t[1], bias, &t[2], window, attributes);
    bool to_input = kind == PST_ONEDNN_CONVOLVE_INPUT;
    dnnl_primitive_desc_t hint;
    dnnl_convolution_desc_t back;
    /* t is gradient, weights, input gradient; or gradient, inputs, weight gradient. */
    dnnl_status_t status = describe_forward(&hint, engine, &all->hint[to_input ? 2 : 1],
                                            &all->hint[to_input ? 1 : 2], NULL, &all->hint[0], window, NULL);
    if (status != dnnl_success)
        return status;
    status =
        to_input
            ? dnnl_dilated_convolution_backward_data_desc_init(&back, dnnl_convolution_direct, &t[2], &t[1],
                                                               &t[0], window->stride, window->dilation,
                                                               window->pad, window->pad)
            : dnnl_dilated_convolution_backward_weights_desc_init(&back, dnnl_convolution_direct, &t[1],
                                                                  &t[2], NULL, &t[0], window->stride,
                                                                  window->dilation, window->pad, window->pad);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(made, &back, attributes, engine, hint);
    dnnl_primitive_desc_destroy(hint);
    return status;
}
#endif

/* ---- operands ---------------------------------------------------------------------------------------- */

static dnnl_status_t make_reorder(struct pst_onednn_operand *operand, dnnl_engine_t engine,
                                  description outside, description inside)
{
    dnnl_primitive_desc_t made;
    description from = operand->result ? inside : outside, to = operand->result ? outside : inside;
    dnnl_status_t status = dnnl_reorder_primitive_desc_create(&made, from, engine, to, engine, NULL);
    if (status != dnnl_success)
        return status;
    status = dnnl_primitive_create(&operand->reorder, made);
    dnnl_primitive_desc_destroy(made);
    return status;
}

/* stays: the inside has memory of its own. */
static dnnl_status_t make_operand(struct pst_onednn_operand *operand, dnnl_engine_t engine,
                                  description outside, description inside, bool stays)
{
    dnnl_status_t status = dnnl_memory_create(&operand->outside, outside, engine, DNNL_MEMORY_NONE);
    if (status != dnnl_success || alike(outside, inside))
        return status;
    operand->size = size_of(inside);
    status = dnnl_memory_create(&operand->inside, inside, engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = make_reorder(operand, engine, outside, inside);
    if (status == dnnl_success && stays) {
        operand->memory = pst_allocate(operand->size, 1, NULL);
        status = operand->memory == NULL ? dnnl_out_of_memory : dnnl_success;
    }
    return status;
}

static dnnl_status_t make_operands(struct pst_onednn_operation *operation, dnnl_engine_t engine,
                                   const dnnl_primitive_desc_t made, const struct descriptions *all,
                                   const struct pst_onednn_purpose *purpose)
{
    dnnl_status_t status = dnnl_success;
    for (size_t i = 0; i < PST_ONEDNN_OPERANDS && status == dnnl_success; i++) {
        struct pst_onednn_operand *operand = &operation->operands[i];
        operand->argument = purpose->tensors[i].argument;
        bool weights = operand->argument == DNNL_ARG_WEIGHTS;
        operand->result = i + 1 == PST_ONEDNN_OPERANDS;
        operand->kept = purpose->keep && weights;
        description inside = dnnl_primitive_desc_query_md(made, dnnl_query_exec_arg_md, operand->argument);
        status = inside == NULL ? dnnl_runtime_error
                                : make_operand(operand, engine, AS_IS(all->outside[i]), inside,
                                               operand->kept || (purpose->lend && weights));
    }
    return status;
}

/* Each call gives the scratchpad's memory, so that several threads may compute at the same time. */
static dnnl_status_t make_attributes(dnnl_primitive_attr_t *attributes, bool relu)
{
    dnnl_post_ops_t after = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(attributes);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attributes, dnnl_scratchpad_mode_user);
    if (status != dnnl_success || !relu)
        return status;
    status = dnnl_post_ops_create(&after);
    if (status == dnnl_success)
        status = APPEND_RELU(after);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(*attributes, after);
    if (after != NULL)
        dnnl_post_ops_destroy(after);
    return status;
}

static dnnl_status_t make_primitive(struct pst_onednn_operation *operation, dnnl_primitive_desc_t *made,
                                    dnnl_engine_t engine, const struct pst_onednn_purpose *purpose,
                                    const struct descriptions *all)
{
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_status_t status = make_attributes(&attributes, purpose->finish.relu);
    if (status == dnnl_success)
        status = describe_product(made, engine, purpose, all, attributes);
    if (attributes != NULL)
        dnnl_primitive_attr_destroy(attributes);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&operation->primitive, *made);
    if (status != dnnl_success)
        return status;
    description scratchpad = dnnl_primitive_desc_query_md(*made, dnnl_query_scratchpad_md, 0);
    if (scratchpad == NULL)
        return dnnl_runtime_error;
    operation->scratchpad_size = size_of(scratchpad);
    return dnnl_memory_create(&operation->scratchpad, scratchpad, engine, DNNL_MEMORY_NONE);
}

/* The library's descriptions do not say that it only reads the bias. */
static dnnl_status_t make_bias(struct pst_onednn_operation *operation, dnnl_engine_t engine,
                               const struct pst_onednn_purpose *purpose, const struct descriptions *all)
{
    const float *bias = purpose->finish.bias;
    return bias == NULL
               ? dnnl_success
               : dnnl_memory_create(&operation->bias, AS_IS(all->bias), engine, (float *)(uintptr_t)bias);
}

dnnl_status_t pst_onednn_make(struct pst_onednn_operation *operation, dnnl_engine_t engine,
                              const struct pst_onednn_purpose *purpose)
{
    *operation = (struct pst_onednn_operation){ 0 };
    struct descriptions all = { 0 };
    dnnl_primitive_desc_t made = NULL;
    dnnl_status_t status = describe_all(&all, purpose);
    if (status == dnnl_success)
        status = make_primitive(operation, &made, engine, purpose, &all);
    if (status == dnnl_success)
        status = make_operands(operation, engine, made, &all, purpose);
    if (status == dnnl_success)
        status = make_bias(operation, engine, purpose, &all);
    if (made != NULL)
        dnnl_primitive_desc_destroy(made);
    forget_all(&all);
    if (status != dnnl_success)
        pst_onednn_free(operation);
    return status;
}

void pst_onednn_free(struct pst_onednn_operation *operation)
{
    for (size_t i = 0; i < PST_ONEDNN_OPERANDS; i++) {
        struct pst_onednn_operand *operand = &operation->operands[i];
        if (operand->outside != NULL)
            dnnl_memory_destroy(operand->outside);
        if (operand->inside != NULL)
            dnnl_memory_destroy(operand->inside);
        if (operand->reorder != NULL)
            dnnl_primitive_destroy(operand->reorder);
        free(operand->memory);
    }
    if (operation->bias != NULL)
        dnnl_memory_destroy(operation->bias);
    if (operation->scratchpad != NULL)
        dnnl_memory_destroy(operation->scratchpad);
    if (operation->primitive != NULL)
        dnnl_primitive_destroy(operation->primitive);
    *operation = (struct pst_onednn_operation){ 0 };
}

/* ---- computing --------------------------------------------------------------------------------------- */

static dnnl_status_t carry(const struct pst_onednn_operand *operand, dnnl_stream_t stream)
{
    dnnl_memory_t from = operand->result ? operand->inside : operand->outside,
                  to = operand->result ? operand->outside : operand->inside;
    const dnnl_exec_arg_t arguments[] = { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to } };
    return dnnl_primitive_execute(operand->reorder, stream, 2, arguments);
}

/* Sets where an operand is, and converts it if it is an input. */
static dnnl_status_t bring(struct pst_onednn_operand *operand, dnnl_stream_t stream, float *values,
                           void *scratch, bool brought)
{
    dnnl_status_t status = dnnl_memory_set_data_handle(operand->outside, values);
    if (status != dnnl_success || operand->reorder == NULL)
        return status;
    status =
        dnnl_memory_set_data_handle(operand->inside, operand->memory != NULL ? operand->memory : scratch);
    if (status != dnnl_success || operand->result || operand->ready || brought)
        return status;
    status = carry(operand, stream);
    operand->ready = operand->kept && status == dnnl_success;
    return status;
}

dnnl_status_t pst_onednn_compute(struct pst_onednn_operation *operation, dnnl_stream_t stream,
                                 const struct pst_onednn_places *places)
{
    dnnl_exec_arg_t arguments[PST_ONEDNN_OPERANDS + 2] = {
        [PST_ONEDNN_OPERANDS] = { DNNL_ARG_SCRATCHPAD, operation->scratchpad },
        [PST_ONEDNN_OPERANDS + 1] = { DNNL_ARG_BIAS, operation->bias },
    };
    int count = PST_ONEDNN_OPERANDS + (operation->bias != NULL ? 2 : 1);
    dnnl_status_t status = dnnl_memory_set_data_handle(operation->scratchpad, places->scratchpad);
    for (size_t i = 0; i < PST_ONEDNN_OPERANDS && status == dnnl_success; i++) {
        struct pst_onednn_operand *operand = &operation->operands[i];
        arguments[i] = (dnnl_exec_arg_t){ operand->argument,
                                          operand->reorder == NULL ? operand->outside : operand->inside };
        status = bring(operand, stream, places->values[i], places->scratch[i], places->brought[i]);
    }
    if (status == dnnl_success)
        status = dnnl_primitive_execute(operation->primitive, stream, count, arguments);
    const struct pst_onednn_operand *result = &operation->operands[PST_ONEDNN_OPERANDS - 1];
    return status == dnnl_success && result->reorder != NULL ? carry(result, stream) : status;
}
