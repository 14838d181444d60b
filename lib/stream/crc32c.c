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

__attribute__((target("sse4.2"))) static uint32_t crc32c_instruction(uint32_t crc, const void *bytes,
                                                                     size_t size)
{
    const uint8_t *at = bytes;
    uint64_t wide = ~crc;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        wide = __builtin_ia32_crc32di(wide, word);
    }
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
