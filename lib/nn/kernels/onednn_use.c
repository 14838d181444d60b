/* Networks in use: the first layers of a chain as a row of oneDNN's operations. */
#include "lib/nn/kernels/onednn_use.h"
#include "lib/nn/channels.h"
#include "lib/nn/kernels.h"
#include "lib/nn/kernels/onednn_prepared.h"
#include "lib/nn/kernels/onednn_tensors.h"
#include "lib/nn/kernels/onednn_tiles.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* An operation, or the largest elements under windows; with what was folded into it. */
struct step {
    struct pst_use use;
    struct pst_shape in, out;
    size_t layer; /* the last one that it stands for */
    bool inner;   /* what it gives is in the product's precision; otherwise f32 */
    struct pst_onednn_operation operation;
    float *weight, *bias; /* owned; NULL: those of the layer. The weight is freed when it was brought in. */
};

/* The steps of a chain for batches of one size and a number of threads. */
struct plan {
    const struct pst_chain *chain;
    size_t n, threads;
    size_t layers;        /* that the steps stand for; 0: there is no plan */
    float most;           /* inputs up to this keep every number between the steps finite */
    dnnl_status_t status; /* why there is no plan, if that was not to be expected */
    size_t count;
    struct step *steps;            /* [count]; owned */
    struct pst_tiles_chain *tiles; /* all steps at once; owned; NULL: oneDNN does them */
};

/* So many plans stay, for sizes of batches and numbers of threads. */
enum { PLANS = 4 };

struct pst_onednn_use {
    struct plan plans[PLANS], *current;
    size_t next; /* the one that is forgotten first */
    struct pst_onednn_room maps[2], scratch;
};

static void free_plan(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        pst_onednn_free(&plan->steps[i].operation);
        free(plan->steps[i].weight);
        free(plan->steps[i].bias);
    }
    free(plan->steps);
    pst_tiles_chain_free(plan->tiles);
    *plan = (struct plan){ 0 };
}

void pst_onednn_use_free(struct pst_onednn_use *use)
{
    if (use == NULL)
        return;
    for (size_t i = 0; i < PLANS; i++)
        free_plan(&use->plans[i]);
    free(use->maps[0].memory);
    free(use->maps[1].memory);
    free(use->scratch.memory);
    free(use);
}

/* ---- what the layers come to -------------------------------------------------------------------------- */

static bool multiplies(const struct step *step)
{
    return step->use.kind == PST_USE_PRODUCT || step->use.kind == PST_USE_CONVOLUTION;
}

static size_t weights_of_a_unit(const struct step *step)
{
    const struct pst_window *window = step->use.window;
    size_t channels = step->in.size[0];
    return step->use.kind == PST_USE_PRODUCT
               ? channels
               : channels / step->use.groups * window->kernel[0] * window->kernel[1];
}

/* (w · x + b - middle) · factor + offset = (w · factor) · x + (b - middle) · factor + offset. Returns false
 * if a number becomes too large. */
static bool fold(struct step *step, const struct pst_use *change)
{
    size_t units = step->out.size[0], row = weights_of_a_unit(step);
    bool finite = true;
    for (size_t u = 0; u < units; u++) {
        for (size_t i = 0; i < row; i++) {
            step->weight[u * row + i] = step->use.weight[u * row + i] * change->factor[u];
            finite = finite && isfinite(step->weight[u * row + i]);
        }
        float bias = step->use.bias == NULL ? 0 : step->use.bias[u];
        step->bias[u] = (bias - change->middle[u]) * change->factor[u] + change->offset[u];
        finite = finite && isfinite(step->bias[u]);
    }
    if (finite)
        step->use.relu = change->relu;
    return finite;
}

/* Folds, or leaves the step as it was. */
static bool fold_whole(struct plan *plan, struct step *step, const struct pst_use *change)
{
    size_t units = step->out.size[0];
    step->weight = pst_allocate(units * weights_of_a_unit(step), sizeof *step->weight, NULL);
    step->bias = pst_allocate(units, sizeof *step->bias, NULL);
    bool room = step->weight != NULL && step->bias != NULL;
    if (!room)
        plan->status = dnnl_out_of_memory;
    if (room && fold(step, change))
        return true;
    free(step->weight);
    free(step->bias);
    step->weight = step->bias = NULL;
    return false;
}

/* Takes a layer into the plan: as a step of its own, or into the one before. Returns false if the plan ends
 * before it. */
static bool take_layer(struct plan *plan, const struct pst_layer *layer, const struct pst_use *use)
{
    struct step *before = plan->count == 0 ? NULL : &plan->steps[plan->count - 1];
    bool folds = before != NULL && multiplies(before) && !before->use.relu && before->weight == NULL;
    if (use->kind == PST_USE_CHANGE) /* a layer in place between the two may have joined channels */
        return folds && layer->in.size[0] == before->out.size[0] && fold_whole(plan, before, use);
    /* With ReLU before it no element is below 0, which pst_largest needs. */
    if (use->kind == PST_USE_LARGEST && !(before != NULL && (before->use.relu || !multiplies(before))))
        return false;
    if (use->kind == PST_USE_LARGEST && layer->in.rank != 3)
        return false;
    plan->steps[plan->count++] = (struct step){ .use = *use, .in = layer->in, .out = layer->out };
    return true;
}

/* Takes layers until one comes to nothing that is known here; none without memory. Nothing is to be done for
 * those in place. */
static void take_layers(struct plan *plan, const struct pst_pass *pass, float *factor)
{
    if (factor == NULL || plan->steps == NULL) {
        plan->status = dnnl_out_of_memory;
        return;
    }
    for (size_t i = 0; i < plan->chain->count; i++) {
        const struct pst_layer *layer = &plan->chain->layers[i];
        struct pst_use use = { .factor = factor };
        if (layer->in_place)
            continue;
        if (layer->type->use == NULL || !layer->type->use(layer, pass, &use) ||
            !take_layer(plan, layer, &use))
            break;
        plan->steps[plan->count - 1].layer = i;
        plan->steps[plan->count - 1].out = layer->out;
    }
}

/* What the last product gives, and what is taken of that, is f32; all before it is in the product's
 * precision.
 */
static void settle_precision(struct plan *plan)
{
    bool inner = false;
    for (size_t i = plan->count; i-- > 0;) {
        plan->steps[i].inner = inner;
        inner = inner || multiplies(&plan->steps[i]);
    }
}

/* The most that a unit adds up to for inputs of 1: the sum of its weights, and its bias, without signs. */
static void measure_step(const struct step *step, double *slope, double *offset)
{
    size_t units = step->out.size[0], row = weights_of_a_unit(step);
    const float *weight = step->weight != NULL ? step->weight : step->use.weight,
                *bias = step->bias != NULL ? step->bias : step->use.bias;
    *slope = *offset = 0;
    for (size_t u = 0; u < units; u++) {
        double sum = 0;
        for (size_t i = 0; i < row; i++)
            sum += fabs((double)weight[u * row + i]);
        *slope = sum > *slope || sum != sum ? sum : *slope;
        if (bias != NULL && !(fabs((double)bias[u]) <= *offset))
            *offset = fabs((double)bias[u]);
    }
}

/*
 * Inputs up to which no sum can be too large for a float: oneDNN's ReLU turns what is not a number into 0, so
 * what is wrong would not show. 0 if a weight is not finite.
 */
static float most_for(const struct plan *plan)
{
    const double largest = (double)FLT_MAX / 2; /* rounding to bf16 adds less than that */
    double most = largest, slope = 1, offset = 0;
    for (size_t i = 0; i < plan->count; i++) {
        double step_slope, step_offset;
        if (!multiplies(&plan->steps[i]))
            continue;
        measure_step(&plan->steps[i], &step_slope, &step_offset);
        slope *= step_slope;
        offset = offset * step_slope + step_offset;
        double here = slope == 0 ? largest : (largest - offset) / slope;
        most = here < most || here != here ? here : most;
    }
    return most > 0 ? (float)most : 0;
}

/* ---- operations --------------------------------------------------------------------------------------- */

static struct pst_convolution convolution_of(const struct plan *plan, const struct step *step)
{
    return (struct pst_convolution){ .n = plan->n,
                                     .channels = step->in.size[0],
                                     .maps = step->out.size[0],
                                     .groups = step->use.groups,
                                     .window = step->use.window,
                                     .channels_last = true };
}

/* The first step gets the network's inputs, f32, channels first. */
static void describe(const struct plan *plan, const struct step *step, bool first,
                     struct pst_onednn_tensor tensors[PST_ONEDNN_OPERANDS])
{
    size_t n = plan->n, in = step->in.size[0], out = step->out.size[0];
    if (step->use.kind == PST_USE_PRODUCT) {
        tensors[0] = pst_onednn_matrix(DNNL_ARG_SRC, n, in, false, false);
        tensors[1] = pst_onednn_matrix(DNNL_ARG_WEIGHTS, in, out, true, true);
        tensors[2] = pst_onednn_matrix(DNNL_ARG_DST, n, out, false, false);
    } else {
        const struct pst_convolution convolution = convolution_of(plan, step);
        tensors[0] = pst_onednn_maps(DNNL_ARG_SRC, n, in, step->use.window->in, !first);
        tensors[1] = pst_onednn_weights(DNNL_ARG_WEIGHTS, &convolution);
        tensors[2] = pst_onednn_maps(DNNL_ARG_DST, n, out, step->use.window->out, true);
    }
    tensors[0].inner = !first;
    tensors[0].moved = first && step->use.kind == PST_USE_CONVOLUTION;
    tensors[2].inner = step->inner;
}

static dnnl_status_t make_operation(struct pst_kernels *kernels, const struct plan *plan, struct step *step,
                                    bool first)
{
    struct pst_onednn *own = kernels->own;
    struct pst_onednn_tensor tensors[PST_ONEDNN_OPERANDS];
    struct pst_onednn_window window = { .stride = { 0 } };
    bool moves = step->use.kind == PST_USE_CONVOLUTION;
    if (moves)
        window = pst_onednn_window_of(step->use.window);
    describe(plan, step, first, tensors);
    const struct pst_onednn_purpose purpose = {
        .kind = moves ? PST_ONEDNN_CONVOLVE : PST_ONEDNN_PRODUCT,
        .tensors = tensors,
        .window = moves ? &window : NULL,
        .finish = { .bias = step->bias != NULL ? step->bias : step->use.bias, .relu = step->use.relu },
        .bf16 = kernels->arithmetic.precision == PST_BF16,
        .keep = true,
    };
    dnnl_status_t status = pst_onednn_make(&step->operation, own->engine, &purpose);
    if (status != dnnl_success || step->operation.operands[2].reorder == NULL)
        return status;
    pst_onednn_free(&step->operation); /* a result of another layout has no memory here */
    return dnnl_unimplemented;
}

/* Memory for what goes into the operation, and for what is between this step and the next. */
static bool make_rooms(struct pst_kernels *kernels, const struct plan *plan, size_t i)
{
    struct pst_onednn *own = kernels->own;
    const struct step *step = &plan->steps[i];
    size_t size = plan->n * pst_shape_elements(&step->out) * sizeof(float);
    bool made = i + 1 == plan->count || pst_onednn_make_room(&own->use->maps[i % 2], size);
    if (!multiplies(step))
        return made;
    return made && pst_onednn_make_room(&own->use->scratch, step->operation.operands[0].size) &&
           pst_onednn_make_room(&own->scratchpad[0], step->operation.scratchpad_size);
}

/* Whether the layers behind the plan take what it gives, maps whose channels are last. */
static bool may_follow(const struct plan *plan, const struct pst_pass *pass)
{
    return plan->count > 0 && (pass->channels_last || !pst_shape_moves(&plan->steps[plan->count - 1].out));
}

/* Dense layers alone are multiplied by tiles if this processor has them. Returns false if it is not so. */
static bool make_tiles(const struct pst_kernels *kernels, struct plan *plan)
{
    bool all = pst_tiles_multiply_for(kernels);
    for (size_t i = 0; i < plan->count; i++)
        all = all && plan->steps[i].use.kind == PST_USE_PRODUCT;
    struct pst_tiles_layer *layers = all ? pst_allocate(plan->count, sizeof *layers, NULL) : NULL;
    for (size_t i = 0; layers != NULL && i < plan->count; i++) {
        const struct step *step = &plan->steps[i];
        layers[i] =
            (struct pst_tiles_layer){ .in = step->in.size[0],
                                      .out = step->out.size[0],
                                      .weight = step->weight != NULL ? step->weight : step->use.weight,
                                      .bias = step->bias != NULL ? step->bias : step->use.bias,
                                      .relu = step->use.relu };
    }
    if (layers != NULL)
        plan->tiles = pst_tiles_chain_new(kernels->arithmetic.precision == PST_BF16, layers, plan->count);
    if (all && plan->tiles == NULL)
        plan->status = dnnl_out_of_memory;
    free(layers);
    return all;
}

static void make_steps(struct pst_kernels *kernels, struct plan *plan)
{
    for (size_t i = 0; i < plan->count && plan->status == dnnl_success; i++) {
        struct step *step = &plan->steps[i];
        if (multiplies(step))
            plan->status = make_operation(kernels, plan, step, i == 0);
        if (plan->status == dnnl_success && !make_rooms(kernels, plan, i))
            plan->status = dnnl_out_of_memory;
    }
}

/* Makes a plan. What oneDNN does not have leaves one of no layers, which are then gone through one by one. */
static void make_plan(struct pst_kernels *kernels, struct plan *plan, const struct pst_chain *chain,
                      const struct pst_pass *pass)
{
    size_t widest = 1;
    for (size_t i = 0; i < chain->count; i++)
        widest = chain->layers[i].out.size[0] > widest ? chain->layers[i].out.size[0] : widest;
    float *factor = pst_allocate(widest, sizeof *factor, NULL);
    struct step *steps = pst_allocate(chain->count, sizeof *steps, NULL);
    *plan = (struct plan){ .chain = chain, .steps = steps, .n = pass->n, .threads = kernels->threads };
    take_layers(plan, pass, factor);
    free(factor);
    settle_precision(plan);
    bool follows = may_follow(plan, pass);
    if (follows && !make_tiles(kernels, plan))
        make_steps(kernels, plan);
    if (follows && plan->status == dnnl_success) {
        plan->layers = plan->steps[plan->count - 1].layer + 1;
        plan->most = most_for(plan);
        return;
    }
    dnnl_status_t status = plan->status == dnnl_unimplemented ? dnnl_success : plan->status;
    free_plan(plan);
    *plan = (struct plan){ .chain = chain, .n = pass->n, .threads = kernels->threads, .status = status };
}

static struct plan *find_plan(struct pst_kernels *kernels, const struct pst_chain *chain,
                              const struct pst_pass *pass)
{
    struct pst_onednn *own = kernels->own;
    for (size_t i = 0; i < PLANS; i++) {
        struct plan *plan = &own->use->plans[i];
        if (plan->chain == chain && plan->n == pass->n && plan->threads == kernels->threads)
            return plan;
    }
    struct plan *plan = &own->use->plans[own->use->next++ % PLANS];
    free_plan(plan);
    make_plan(kernels, plan, chain, pass);
    return plan;
}

size_t pst_onednn_plan(struct pst_kernels *kernels, const struct pst_chain *chain,
                       const struct pst_pass *pass, const float *inputs)
{
    struct pst_onednn *own = kernels->own;
    if (own->use == NULL && (own->use = pst_allocate(1, sizeof *own->use, NULL)) == NULL) {
        pst_onednn_fail(kernels, "prepare", dnnl_out_of_memory);
        return 0;
    }
    struct plan *plan = own->use->current = find_plan(kernels, chain, pass);
    if (plan->status != dnnl_success)
        pst_onednn_fail(kernels, "prepare", plan->status);
    bool within =
        plan->layers > 0 && pst_kernel_within(inputs, plan->n * pst_shape_elements(&chain->in), plan->most);
    return within ? plan->layers : 0;
}

/* ---- running ------------------------------------------------------------------------------------------ */

static dnnl_status_t run_step(struct pst_kernels *kernels, struct step *step, void *from, void *to)
{
    struct pst_onednn *own = kernels->own;
    float *weight = step->weight != NULL ? step->weight : (float *)(uintptr_t)step->use.weight;
    const struct pst_onednn_places places = { .values = { from, weight, to },
                                              .scratch = { own->use->scratch.memory },
                                              .scratchpad = own->scratchpad[0].memory };
    dnnl_status_t status = pst_onednn_compute(&step->operation, own->stream[0], &places);
    if (step->operation.operands[1].ready) {
        free(step->weight);
        step->weight = NULL;
    }
    return status;
}

void pst_onednn_run(struct pst_kernels *kernels, const float *inputs, float *outputs)
{
    struct pst_onednn *own = kernels->own;
    struct plan *plan = own->use->current;
    bool narrow = kernels->arithmetic.precision == PST_BF16;
    dnnl_status_t status = dnnl_success;
    if (plan->tiles != NULL) {
        pst_tiles_chain_run(kernels, plan->tiles, plan->n, inputs, outputs);
        return;
    }
    kernels->waits = true;
    void *from = (float *)(uintptr_t)inputs; /* the library's descriptions do not say that it only reads */
    for (size_t i = 0; i < plan->count && status == dnnl_success; i++) {
        struct step *step = &plan->steps[i];
        void *to = i + 1 == plan->count ? outputs : own->use->maps[i % 2].memory;
        const struct pst_largest largest = {
            step->use.window, step->out.size[0], plan->n, kernels->team, from, to
        };
        if (multiplies(step))
            status = run_step(kernels, step, from, to);
        else if (narrow && step->inner)
            pst_largest_16(&largest);
        else
            pst_largest_32(&largest);
        from = to;
    }
    if (status != dnnl_success)
        pst_onednn_fail(kernels, "compute", status);
}
