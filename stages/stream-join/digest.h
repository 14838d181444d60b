/*
 * digest.h: what binds a recorded target to the input that it was computed from. A recording that leaves its
 * inputs out keeps the low 24 bits of this digest as the tensor digest/x, u8 [3], little-endian.
 */
#ifndef STREAM_JOIN_DIGEST_H
#define STREAM_JOIN_DIGEST_H

#include "pipestill.h"

/*
 * CRC-32C over a sample's bytes of x, then its y as i32 (little-endian) where the recording has labels, then
 * its id as u64 (little-endian).
 * x, bytes: the sample's input. y: its label, or NULL where labels are not covered. id: its id.
 */
static inline uint32_t sample_digest(const void *x, size_t bytes, const int32_t *y, uint64_t id)
{
    uint32_t crc = pst_crc32c(0, x, bytes);
    if (y != NULL)
        crc = pst_crc32c(crc, y, sizeof *y);
    return pst_crc32c(crc, &id, sizeof id);
}

#endif
