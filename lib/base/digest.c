/* SHA-256 of bytes and files; the arithmetic is nettle's. */
#include "pipestill/base.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void finish(struct sha256_ctx *context, char digest[PST_DIGEST_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[SHA256_DIGEST_SIZE];
    sha256_digest(context, sizeof bytes, bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        digest[2 * i] = digits[bytes[i] >> 4];
        digest[2 * i + 1] = digits[bytes[i] & 15];
    }
    digest[2 * sizeof bytes] = '\0';
}

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(struct pst_digest_state), "a state holds nettle's");

void pst_digest_start(struct pst_digest_state *state)
{
    sha256_init((struct sha256_ctx *)state->bytes);
}

void pst_digest_add(struct pst_digest_state *state, const void *bytes, size_t size)
{
    sha256_update((struct sha256_ctx *)state->bytes, size, bytes);
}

void pst_digest_finish(struct pst_digest_state *state, char digest[PST_DIGEST_TEXT])
{
    finish((struct sha256_ctx *)state->bytes, digest);
}

void pst_digest(const void *bytes, size_t size, char digest[PST_DIGEST_TEXT])
{
    struct sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, size, bytes);
    finish(&context, digest);
}

enum pst_status pst_digest_file(const char *path, char digest[PST_DIGEST_TEXT], struct pst_error *error)
{
    int fd;
    enum pst_status status = pst_file_open(path, &fd, error);
    if (status != PST_OK)
        return status;
    FILE *file = fdopen(fd, "rb");
    if (file == NULL) {
        close(fd);
        return pst_fail(error, PST_TRY_AGAIN, "%s: out of memory", path);
    }
    struct sha256_ctx context;
    sha256_init(&context);
    uint8_t bytes[1 << 16];
    size_t got;
    while ((got = fread(bytes, 1, sizeof bytes, file)) > 0)
        sha256_update(&context, got, bytes);
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed)
        return pst_fail(error, PST_IO_ERROR, "%s: cannot be read to its end", path);
    finish(&context, digest);
    return PST_OK;
}
