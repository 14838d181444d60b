/* Products of oneDNN that are prepared, kept, and computed, in slices of the batch if needed. */
#include "lib/nn/kernels/onednn_prepared.h"
#include "lib/nn/kernels/onednn_use.h"

#include "lib/nn/kernels.h"
#include "lib/nn/passes.h"

#include <stdlib.h>
#include <string.h>

/* oneDNN's threads are OpenMP's, whose header not every compiler has. */
void omp_set_num_threads(int count);

/* A prepared product. */
struct pst_onednn_prepared {
    const struct pst_layer *layer;
    int what; /* which of the layer's products */
    size_t n, threads;
    size_t slices; /* 1 or PST_ONEDNN_SLICES: the batch is divided into so many */
    struct pst_onednn_operation operation[PST_ONEDNN_SLICES]; /* [slices] */
    struct pst_onednn_prepared *next;
};

/* So many preparations of one product stay, for sizes of batches and numbers of threads. */
enum { KEPT = 6 };

/* ---- opening ----------------------------------------------------------------------------------------- */

static void free_prepared(struct pst_onednn_prepared *prepared)
{
    for (size_t s = 0; s < prepared->slices; s++)
        pst_onednn_free(&prepared->operation[s]);
    free(prepared);
}

void pst_onednn_close(struct pst_kernels *kernels)
{
    struct pst_onednn *own = kernels->own;
    for (size_t bucket = 0; own != NULL && bucket < PST_ONEDNN_BUCKETS; bucket++)
        while (own->prepared[bucket] != NULL) {
            struct pst_onednn_prepared *first = own->prepared[bucket];
            own->prepared[bucket] = first->next;
            free_prepared(first);
        }
    for (size_t i = 0; own != NULL && i < PST_ONEDNN_OPERANDS; i++)
        free(own->scratch[i].memory);
    for (size_t s = 0; own != NULL && s < PST_ONEDNN_SLICES; s++) {
        free(own->scratchpad[s].memory);
        if (own->stream[s] != NULL)
            dnnl_stream_destroy(own->stream[s]);
    }
    if (own != NULL) {
        free(own->results.memory);
        free(own->tiles.memory);
        pst_onednn_use_free(own->use);
    }
    if (own != NULL && own->engine != NULL)
        dnnl_engine_destroy(own->engine);
    free(own);
}

enum pst_status pst_onednn_open(struct pst_kernels *kernels, struct pst_error *error)
{
    struct pst_onednn *own = kernels->own = pst_allocate(1, sizeof *own, error);
    if (own == NULL)
        return PST_TRY_AGAIN;
    /* The environment can set a lower precision than f32, which no origin would show. */
    dnnl_status_t status = dnnl_set_default_fpmath_mode(dnnl_fpmath_mode_strict);
    if (status == dnnl_success)
        status = dnnl_engine_create(&own->engine, dnnl_cpu, 0);
    for (size_t s = 0; s < PST_ONEDNN_SLICES && status == dnnl_success; s++)
        status = dnnl_stream_create(&own->stream[s], own->engine, dnnl_stream_default_flags);
    if (status != dnnl_success)
        return pst_fail(error, PST_TRY_AGAIN, "oneDNN does not start (its status %d)", (int)status);
    return PST_OK;
}

/* ---- preparing --------------------------------------------------------------------------------------- */

static struct pst_onednn_prepared **bucket_of(struct pst_onednn *own, const struct pst_layer *layer, int what)
{
    return &own->prepared[((uintptr_t)layer / sizeof *layer * 16 + (size_t)what) % PST_ONEDNN_BUCKETS];
}

static bool is_of(const struct pst_onednn_prepared *prepared, const struct pst_layer *layer, int what)
{
    return prepared->layer == layer && prepared->what == what;
}

/* Frees the oldest preparations of a product, until KEPT - 1 are left. */
static void forget_old(struct pst_onednn_prepared **place, const struct pst_layer *layer, int what)
{
    size_t count = 0;
    while (*place != NULL) {
        struct pst_onednn_prepared *here = *place;
        count += is_of(here, layer, what);
        if (!is_of(here, layer, what) || count < KEPT) {
            place = &here->next;
            continue;
        }
        *place = here->next;
        free_prepared(here);
    }
}

bool pst_onednn_may_use(dnnl_cpu_isa_t instructions)
{
    /* Bits stand for instructions; a processor that has them has all of these. */
    return (dnnl_get_effective_cpu_isa() & instructions) == instructions;
}

bool pst_onednn_make_room(struct pst_onednn_room *room, size_t size)
{
    if (size <= room->size)
        return true;
    void *larger = pst_allocate(size, 1, NULL);
    if (larger == NULL)
        return false;
    free(room->memory);
    *room = (struct pst_onednn_room){ larger, size };
    return true;
}

static bool make_scratch(struct pst_onednn *own, const struct pst_onednn_prepared *prepared)
{
    const struct pst_onednn_operation *operation = &prepared->operation[0];
    bool made = true;
    for (size_t i = 0; i < PST_ONEDNN_OPERANDS; i++)
        if (operation->operands[i].memory == NULL)
            made = made &&
                   pst_onednn_make_room(&own->scratch[i], prepared->slices * operation->operands[i].size);
    for (size_t s = 0; s < prepared->slices; s++)
        made = made && pst_onednn_make_room(&own->scratchpad[s], operation->scratchpad_size);
    return made;
}

void pst_onednn_fail(struct pst_kernels *kernels, const char *what, dnnl_status_t status)
{
    if (kernels->status == PST_OK)
        kernels->status =
            pst_fail(&kernels->error, PST_TRY_AGAIN, "oneDNN cannot %s a product (its status %d)%s", what,
                     (int)status, status == dnnl_out_of_memory ? ": out of memory" : "");
}

/* oneDNN divides a product over threads when it is made, so another number of threads needs another one. */
void pst_onednn_use_threads(size_t count)
{
    omp_set_num_threads((int)count);
}

static dnnl_status_t make_operations(struct pst_kernels *kernels, const struct pst_onednn_request *request,
                                     struct pst_onednn_prepared *made)
{
    struct pst_onednn *own = kernels->own;
    dnnl_status_t status = dnnl_success;
    pst_onednn_use_threads(request->kind == PST_ONEDNN_CONVOLVE_WEIGHT ? 1 : kernels->threads);
    const struct pst_onednn_purpose purpose = { .kind = request->kind,
                                                .tensors = request->tensors,
                                                .window = request->window,
                                                .bf16 = kernels->arithmetic.precision == PST_BF16,
                                                .keep = request->keep,
                                                .lend = request->lend };
    for (; made->slices < request->slices && status == dnnl_success; made->slices++)
        status = pst_onednn_make(&made->operation[made->slices], own->engine, &purpose);
    pst_onednn_use_threads(kernels->threads);
    return status == dnnl_success && !make_scratch(own, made) ? dnnl_out_of_memory : status;
}

struct pst_onednn_prepared *pst_onednn_prepare(struct pst_kernels *kernels,
                                               const struct pst_onednn_request *request)
{
    struct pst_onednn *own = kernels->own;
    struct pst_onednn_prepared **place = bucket_of(own, request->layer, request->what);
    struct pst_onednn_prepared *made = calloc(1, sizeof *made);
    dnnl_status_t status = made == NULL ? dnnl_out_of_memory : make_operations(kernels, request, made);
    if (status != dnnl_success) {
        if (made != NULL)
            free_prepared(made);
        pst_onednn_fail(kernels, "prepare", status);
        return NULL;
    }
    forget_old(place, request->layer, request->what);
    made->layer = request->layer;
    made->what = request->what;
    made->n = request->n;
    made->threads = kernels->threads;
    made->next = *place;
    return *place = made;
}

struct pst_onednn_prepared *pst_onednn_find(struct pst_kernels *kernels, const struct pst_layer *layer,
                                            int what, size_t n)
{
    struct pst_onednn_prepared *here = *bucket_of(kernels->own, layer, what);
    while (here != NULL && !(is_of(here, layer, what) && here->n == n && here->threads == kernels->threads))
        here = here->next;
    return here;
}

/* Where the data of slice s are. sizes: numbers in each operand of one slice. */
static struct pst_onednn_places places_of(const struct pst_onednn *own,
                                          const struct pst_onednn_prepared *prepared, size_t s,
                                          float *const values[PST_ONEDNN_OPERANDS],
                                          const size_t sizes[PST_ONEDNN_OPERANDS])
{
    struct pst_onednn_places places = { .scratchpad = own->scratchpad[s].memory };
    for (size_t i = 0; i < PST_ONEDNN_OPERANDS; i++) {
        size_t size = prepared->operation[0].operands[i].size;
        places.values[i] = values[i] + s * sizes[i];
        places.scratch[i] = own->scratch[i].memory == NULL ? NULL : (char *)own->scratch[i].memory + s * size;
    }
    return places;
}

/* The weights are the second operand of both. Without a conversion there is nothing to lend. */
static void borrow_weights(struct pst_onednn_places *places, const struct pst_onednn_prepared *by,
                           const struct pst_onednn_prepared *prepared)
{
    const struct pst_onednn_operand *lent = &by->operation[0].operands[1];
    if (lent->memory == NULL || lent->size != prepared->operation[0].operands[1].size)
        return;
    places->scratch[1] = lent->memory;
    places->brought[1] = true;
}

void pst_onednn_compute_prepared(struct pst_kernels *kernels, struct pst_onednn_prepared *prepared,
                                 float *const values[PST_ONEDNN_OPERANDS],
                                 struct pst_onednn_converted converted)
{
    struct pst_onednn *own = kernels->own;
    struct pst_onednn_places places =
        places_of(own, prepared, 0, values, (const size_t[PST_ONEDNN_OPERANDS]){ 0 });
    kernels->waits = true;
    places.brought[0] = converted.first;
    if (converted.by != NULL)
        borrow_weights(&places, converted.by, prepared);
    dnnl_status_t status = pst_onednn_compute(&prepared->operation[0], own->stream[0], &places);
    if (status != dnnl_success)
        pst_onednn_fail(kernels, "compute", status);
}

/* What all slices have in common. results: of all but the first, [apart] each. */
struct sliced {
    const struct pst_onednn *own;
    struct pst_onednn_prepared *prepared;
    float *const *values;
    const size_t *sizes;
    float *results;
    size_t apart;
    dnnl_status_t *status;
};

static void compute_slice(const void *context, size_t s)
{
    const struct sliced *sliced = context;
    pst_onednn_use_threads(1);
    struct pst_onednn_places places =
        places_of(sliced->own, sliced->prepared, s, sliced->values, sliced->sizes);
    if (s > 0)
        places.values[PST_ONEDNN_OPERANDS - 1] = sliced->results + (s - 1) * sliced->apart;
    sliced->status[s] = pst_onednn_compute(&sliced->prepared->operation[s], sliced->own->stream[s], &places);
}

/* Computes all slices, and adds their results, [count] each. sizes: as above, of the inputs. */
void pst_onednn_compute_slices(struct pst_kernels *kernels, struct pst_onednn_prepared *prepared,
                               float *const values[PST_ONEDNN_OPERANDS],
                               const size_t sizes[PST_ONEDNN_OPERANDS], size_t count)
{
    struct pst_onednn *own = kernels->own;
    size_t apart = pst_aligned(count);
    dnnl_status_t status[PST_ONEDNN_SLICES] = { dnnl_success };
    if (!pst_onednn_make_room(&own->results, (prepared->slices - 1) * apart * sizeof(float))) {
        pst_onednn_fail(kernels, "compute", dnnl_out_of_memory);
        return;
    }
    float *results = own->results.memory;
    const struct sliced sliced = { own, prepared, values, sizes, results, apart, status };
    pst_parallel(kernels->team, prepared->slices, compute_slice, &sliced);
    pst_onednn_use_threads(kernels->threads);
    for (size_t s = 0; s < prepared->slices; s++)
        if (status[s] != dnnl_success)
            pst_onednn_fail(kernels, "compute", status[s]);
    for (size_t s = 1; s < prepared->slices; s++)
        pst_kernel_add(values[PST_ONEDNN_OPERANDS - 1], results + (s - 1) * apart, count);
}
