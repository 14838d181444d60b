/* CRC-32C: reflected polynomial 0x82F63B78, initial value and final complement as in RFC 3720, appendix B.4.
 */
#include "pipestill/stream.h"

#include <pthread.h>
#include <string.h>

static uint32_t table[256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void fill_table(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78U : 0);
        table[byte] = crc;
    }
}

uint32_t pst_crc32c_plain(uint32_t crc, const void *bytes, size_t size)
{
    pthread_once(&table_once, fill_table);
    crc = ~crc;
    for (const uint8_t *at = bytes, *end = at + size; at < end; at++)
        crc = crc >> 8 ^ table[(crc ^ *at) & 255];
    return ~crc;
}

#if defined(__x86_64__)

/*
 * The instruction takes three cycles, but each cycle can begin another one. So long blocks are cut into
 * three lanes that are computed at once; the second and third begin at 0. To add a lane behind it, a CRC is
 * moved past as many zeros. That is linear in its bits, so it takes one table lookup for each of its bytes.
 */
#define LANE 2048

static uint32_t past_lane[4][256];
static pthread_once_t past_lane_once = PTHREAD_ONCE_INIT;

__attribute__((target("sse4.2"))) static void fill_past_lane(void)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        uint64_t crc = 1U << bit;
        for (size_t i = 0; i < LANE; i += 8)
            crc = __builtin_ia32_crc32di(crc, 0);
        for (unsigned byte = 0; byte < 256; byte++) {
            if (byte >> bit % 8 & 1)
                past_lane[bit / 8][byte] ^= (uint32_t)crc;
        }
    }
}

static uint64_t move_past_lane(uint64_t crc)
{
    return past_lane[0][crc & 255] ^ past_lane[1][crc >> 8 & 255] ^ past_lane[2][crc >> 16 & 255] ^
           past_lane[3][crc >> 24];
}

static uint64_t word_at(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* The CRC, without complements, after three lanes of bytes. */
__attribute__((target("sse4.2"))) static uint64_t three_lanes(uint64_t crc, const uint8_t *bytes)
{
    uint64_t second = 0, third = 0;
    for (const uint8_t *at = bytes, *end = at + LANE; at < end; at += 8) {
        crc = __builtin_ia32_crc32di(crc, word_at(at));
        second = __builtin_ia32_crc32di(second, word_at(at + LANE));
        third = __builtin_ia32_crc32di(third, word_at(at + 2 * LANE));
    }
    return move_past_lane(move_past_lane(crc) ^ second) ^ third;
}

__attribute__((target("sse4.2"))) static uint32_t crc32c_instruction(uint32_t crc, const void *bytes,
                                                                     size_t size)
{
    const uint8_t *at = bytes;
    uint64_t wide = ~crc;
    if (size >= 3 * LANE)
        pthread_once(&past_lane_once, fill_past_lane);
    for (; size >= 3 * LANE; size -= 3 * LANE, at += 3 * LANE)
        wide = three_lanes(wide, at);
    for (; size >= 8; size -= 8, at += 8)
        wide = __builtin_ia32_crc32di(wide, word_at(at));
    uint32_t narrow = (uint32_t)wide;
    for (; size > 0; size--, at++)
        narrow = __builtin_ia32_crc32qi(narrow, *at);
    return ~narrow;
}

uint32_t pst_crc32c(uint32_t crc, const void *bytes, size_t size)
{
    return __builtin_cpu_supports("sse4.2") ? crc32c_instruction(crc, bytes, size)
                                            : pst_crc32c_plain(crc, bytes, size);
}

#else

uint32_t pst_crc32c(uint32_t crc, const void *bytes, size_t size)
{
    return pst_crc32c_plain(crc, bytes, size);
}

#endif
