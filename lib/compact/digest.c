/* What binds a compact sample to its input. */
#include "pipestill/compact.h"

uint32_t pst_compact_checksum(const void *x, size_t bytes, const int32_t *y, uint64_t id)
{
    uint32_t crc = pst_crc32c(0, x, bytes);
    if (y != NULL)
        crc = pst_crc32c(crc, y, sizeof *y);
    return pst_crc32c(crc, &id, sizeof id);
}

void pst_compact_digest(const void *x, size_t bytes, const int32_t *y, uint64_t id,
                        uint8_t digest[PST_COMPACT_DIGEST_SIZE])
{
    uint32_t crc = pst_compact_checksum(x, bytes, y, id);
    for (size_t i = 0; i < PST_COMPACT_DIGEST_SIZE; i++)
        digest[i] = (uint8_t)(crc >> 8 * i);
}
