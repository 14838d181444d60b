/* fuzz.h: what the fuzzing targets share. Each is one file, and gives foreign bytes to one parser, by its
 * public header if it has one. A target must not leak, and accepts any status: only the sanitizers find
 * faults. */
#ifndef PIPESTILL_TESTS_FUZZ_H
#define PIPESTILL_TESTS_FUZZ_H

#include "pipestill.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUZZ_MOST_MESSAGE ((size_t)1 << 20) /* bytes: as --max-message */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes the bytes to a file of this process in memory, and returns its name. */
static inline const char *fuzz_file(const uint8_t *data, size_t size)
{
    static char path[64];
    snprintf(path, sizeof path, "/dev/shm/pipestill-fuzz-%ld", (long)getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || pst_write_all(fd, data, size, path, NULL) != PST_OK)
        abort();
    close(fd);
    return path;
}

/* The bytes as a text, to be freed. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (text == NULL)
        abort();
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

/* Bytes of a MessagePack bin's head at this place, and the size that it announces; 0 if there is none. */
static inline size_t fuzz_bin(const uint8_t *at, const uint8_t *end, size_t *size)
{
    size_t width = at < end && at[0] >= 0xC4 && at[0] <= 0xC6 ? (size_t)1 << (at[0] - 0xC4) : 0;
    *size = 0;
    if (width == 0 || (size_t)(end - at) <= width)
        return 0;
    for (size_t i = 1; i <= width; i++)
        *size = *size << 8 | at[i];
    return 1 + width;
}

/*
 * Makes the checksums of metadata in a stream right, in place: "meta" is followed by a bin, then by "crc" and
 * a number of 32 bits. Otherwise the reader's first check would refuse every change.
 */
static inline void fuzz_mend(uint8_t *bytes, size_t size)
{
    const uint8_t *end = bytes + size;
    for (uint8_t *at = bytes; at + 5 < end; at++) {
        size_t length, head = fuzz_bin(at + 5, end, &length);
        if (memcmp(at, "\xA4meta", 5) != 0 || head == 0 || length + 9 > (size_t)(end - at) - 5 - head)
            continue;
        uint8_t *meta = at + 5 + head, *crc = meta + length;
        if (memcmp(crc,
                   "\xA3"
                   "crc\xCE",
                   5) != 0)
            continue;
        uint32_t sum = pst_crc32c(0, meta, length);
        for (int i = 0; i < 4; i++)
            crc[5 + i] = (uint8_t)(sum >> (24 - 8 * i));
    }
}

#endif
