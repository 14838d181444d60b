/*
 * onednn_prepared.h: products of oneDNN. Each product of each layer is prepared at the first batch of a
 * size, for the number of threads at that time, and kept.
 */
#ifndef PIPESTILL_NN_ONEDNN_PREPARED_H
#define PIPESTILL_NN_ONEDNN_PREPARED_H

#include "lib/nn/kernels/onednn_operation.h"

/* A batch may be divided into so many slices. With more of them, if layers have many weights, a single
 * thread loses more time than several threads gain. */
enum { PST_ONEDNN_SLICES = 2 };

struct pst_onednn_prepared;
struct pst_onednn_use;

/* Memory that grows. */
struct pst_onednn_room {
    void *memory; /* owned */
    size_t size;  /* bytes */
};

enum { PST_ONEDNN_BUCKETS = 256 };

/* What open kernels own. */
struct pst_onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream[PST_ONEDNN_SLICES];
    struct pst_onednn_prepared *prepared[PST_ONEDNN_BUCKETS];
    struct pst_onednn_room scratch[PST_ONEDNN_OPERANDS]; /* of all slices together */
    struct pst_onednn_room scratchpad[PST_ONEDNN_SLICES];
    struct pst_onednn_room results; /* of all slices but the first, if they are to be added */
    struct pst_onednn_room tiles;   /* of all threads, for products by tiles */
    struct pst_onednn_use *use;     /* NULL until a chain is used */
};

/* Whether oneDNN may use instructions here, and so the tiles may: the processor has them, and no variable of
 * the environment forbids them. */
bool pst_onednn_may_use(dnnl_cpu_isa_t instructions);

/* Has room for so many bytes; what was in it is lost if it grows. Returns false if memory is short. */
PST_CHECKED bool pst_onednn_make_room(struct pst_onednn_room *room, size_t size);

/* Notes in kernels->status, unless it says something already, that oneDNN cannot prepare or compute. */
void pst_onednn_fail(struct pst_kernels *kernels, const char *what, dnnl_status_t status);

/* Which product is to be prepared. */
struct pst_onednn_request {
    const struct pst_layer *layer;
    size_t n, slices; /* slices: the tensors are those of one */
    enum pst_onednn_kind kind;
    int what;
    bool keep; /* its weights, which never change */
    bool lend; /* its weights, once converted, to another product of the layer */
    const struct pst_onednn_tensor *tensors;
    const struct pst_onednn_window *window;
};

/* As open and close of pst_kernel_type. */
PST_CHECKED enum pst_status pst_onednn_open(struct pst_kernels *kernels, struct pst_error *error);
void pst_onednn_close(struct pst_kernels *kernels);

/* Sets over how many threads products are divided, 1 or more. */
void pst_onednn_use_threads(size_t count);

/* Finds a layer's product, for n samples and the threads of this pass; NULL if it is not prepared. what:
 * which of the layer's products. */
struct pst_onednn_prepared *pst_onednn_find(struct pst_kernels *kernels, const struct pst_layer *layer,
                                            int what, size_t n);

/* Prepares it. If that fails, returns NULL, with the error in kernels->status. */
struct pst_onednn_prepared *pst_onednn_prepare(struct pst_kernels *kernels,
                                               const struct pst_onednn_request *request);

/* What need not be converted again. {0}: everything is to be converted. */
struct pst_onednn_converted {
    bool first;                           /* the product before left the first operand in the scratch */
    const struct pst_onednn_prepared *by; /* a product that lends its weights, of the same layout; or NULL */
};

/* Computes it. values: the operands, the result last. */
void pst_onednn_compute_prepared(struct pst_kernels *kernels, struct pst_onednn_prepared *prepared,
                                 float *const values[PST_ONEDNN_OPERANDS],
                                 struct pst_onednn_converted converted);

/* Computes all slices, each by one thread, and adds their results, [count] each, in their order. sizes:
 * numbers in each input of one slice. */
void pst_onednn_compute_slices(struct pst_kernels *kernels, struct pst_onednn_prepared *prepared,
                               float *const values[PST_ONEDNN_OPERANDS],
                               const size_t sizes[PST_ONEDNN_OPERANDS], size_t count);

#endif
