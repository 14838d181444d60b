/* Tensors' bytes as Zstandard frames. */
#include "lib/stream/zstd.h"

#include <stdlib.h>
#include <zstd.h>

struct pst_zstd_packer {
    ZSTD_CCtx *context;
    struct pst_buffer frames;
    size_t used; /* bytes of `frames` */
};

struct pst_zstd_unpacker {
    ZSTD_DCtx *context;
    struct pst_buffer frame;
};

/* ---- packing ------------------------------------------------------------------------------------------- */

enum pst_status pst_zstd_packer_new(struct pst_zstd_packer **packer, int level, struct pst_error *error)
{
    *packer = calloc(1, sizeof **packer);
    if (*packer != NULL)
        (*packer)->context = ZSTD_createCCtx();
    if (*packer != NULL && (*packer)->context != NULL &&
        !ZSTD_isError(ZSTD_CCtx_setParameter((*packer)->context, ZSTD_c_compressionLevel, level)))
        return PST_OK;
    pst_zstd_packer_free(*packer);
    *packer = NULL;
    return pst_fail(error, PST_TRY_AGAIN, "out of memory for zstd");
}

enum pst_status pst_zstd_begin(struct pst_zstd_packer *packer, size_t count, size_t bytes,
                               struct pst_error *error)
{
    packer->used = 0;
    /* Several blocks need more than the bound of their sum: each one adds its own fixed part. */
    return pst_buffer_reserve(&packer->frames, pst_zstd_most(bytes) + count * pst_zstd_most(0), 0, error);
}

enum pst_status pst_zstd_pack(struct pst_zstd_packer *packer, const void *block, size_t size, void **frame,
                              size_t *frame_size, struct pst_error *error)
{
    *frame = (char *)packer->frames.data + packer->used;
    *frame_size =
        ZSTD_compress2(packer->context, *frame, packer->frames.capacity - packer->used, block, size);
    if (ZSTD_isError(*frame_size))
        return pst_fail(error, PST_TRY_AGAIN, "zstd: %s", ZSTD_getErrorName(*frame_size));
    packer->used += *frame_size;
    return PST_OK;
}

void pst_zstd_packer_free(struct pst_zstd_packer *packer)
{
    if (packer == NULL)
        return;
    ZSTD_freeCCtx(packer->context);
    pst_buffer_free(&packer->frames);
    free(packer);
}

/* ---- unpacking ----------------------------------------------------------------------------------------- */

enum pst_status pst_zstd_unpacker_new(struct pst_zstd_unpacker **unpacker, struct pst_error *error)
{
    *unpacker = calloc(1, sizeof **unpacker);
    if (*unpacker != NULL && ((*unpacker)->context = ZSTD_createDCtx()) != NULL)
        return PST_OK;
    pst_zstd_unpacker_free(*unpacker);
    *unpacker = NULL;
    return pst_fail(error, PST_TRY_AGAIN, "out of memory for zstd");
}

size_t pst_zstd_most(size_t size)
{
    return ZSTD_compressBound(size);
}

size_t pst_zstd_least(size_t size)
{
    return size / ((size_t)128 << 10) * 4;
}

enum pst_status pst_zstd_room(struct pst_zstd_unpacker *unpacker, size_t frame_size, void **memory,
                              struct pst_error *error)
{
    enum pst_status status = pst_buffer_reserve(&unpacker->frame, frame_size, 0, error);
    *memory = unpacker->frame.data;
    return status;
}

enum pst_status pst_zstd_unpack(struct pst_zstd_unpacker *unpacker, size_t frame_size, void *block,
                                size_t size, struct pst_error *error)
{
    const void *frame = unpacker->frame.data;
    /* The library would also unpack several frames, one after another, and skip frames that are marked as
     * skippable. */
    if (ZSTD_findFrameCompressedSize(frame, frame_size) != frame_size ||
        ZSTD_getFrameContentSize(frame, frame_size) != size ||
        ZSTD_decompressDCtx(unpacker->context, block, size, frame, frame_size) != size)
        return pst_fail(error, PST_BAD_DATA, "not one zstd frame of %zu bytes", size);
    return PST_OK;
}

void pst_zstd_unpacker_free(struct pst_zstd_unpacker *unpacker)
{
    if (unpacker == NULL)
        return;
    ZSTD_freeDCtx(unpacker->context);
    pst_buffer_free(&unpacker->frame);
    free(unpacker);
}
