/* The content of a member of a ZIP archive: where it is, or unpacked. */
#include "lib/data/arrays/zip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { LOCAL = 30, STORED = 0, DEFLATED = 8, ENCRYPTED = 1, INPUT = 1 << 16 };

#define FIRST_RESERVE ((size_t)1 << 20)

static size_t short_at(const uint8_t *bytes)
{
    return (size_t)bytes[0] | (size_t)bytes[1] << 8;
}

/* Finds the packed bytes behind the member's own header, which must say what the directory says. */
static enum pst_status find_bytes(const struct pst_extent *file, const struct pst_zip_member *member,
                                  uint64_t *at, struct pst_error *error)
{
    uint8_t local[LOCAL];
    char name[256];
    size_t length = strlen(member->name);
    if (length > sizeof name)
        return pst_fail(error, PST_BAD_DATA, "its name has %zu bytes; at most %zu are read", length,
                        sizeof name);
    enum pst_status status = pst_extent_read(file, member->at, local, sizeof local, error);
    if (status == PST_OK)
        status = pst_extent_read(file, member->at + LOCAL, name, length, error);
    if (status != PST_OK)
        return status;
    *at = member->at + LOCAL + length + short_at(local + 28);
    if (memcmp(local, "PK\3\4", 4) != 0 || short_at(local + 8) != member->method ||
        short_at(local + 26) != length || memcmp(name, member->name, length) != 0 || *at > member->end ||
        member->end - *at < member->packed)
        return pst_fail(error, PST_BAD_DATA, "damaged: its header at byte %llu contradicts the directory",
                        (unsigned long long)member->at);
    return PST_OK;
}

static enum pst_status check_crc(uint32_t crc, const struct pst_zip_member *member, struct pst_error *error)
{
    return crc == member->crc
               ? PST_OK
               : pst_fail(error, PST_BAD_DATA, "damaged: its CRC-32 is %08x, and the directory says %08x",
                          crc, member->crc);
}

/* ---- stored -------------------------------------------------------------------------------------------- */

static enum pst_status check_stored(const struct pst_extent *content, const struct pst_zip_member *member,
                                    struct pst_error *error)
{
    uint8_t bytes[INPUT];
    uLong crc = crc32(0, NULL, 0);
    for (uint64_t at = 0, some; at < content->size; at += some) {
        some = content->size - at < sizeof bytes ? content->size - at : sizeof bytes;
        enum pst_status status = pst_extent_read(content, at, bytes, (size_t)some, error);
        if (status != PST_OK)
            return status;
        crc = crc32(crc, bytes, (uInt)some);
    }
    return check_crc((uint32_t)crc, member, error);
}

static enum pst_status take_stored(const struct pst_extent *packed, const struct pst_zip_member *member,
                                   struct pst_array *array, struct pst_error *error)
{
    if (member->packed != member->size)
        return pst_fail(error, PST_BAD_DATA, "damaged: it is stored, but its two sizes differ");
    enum pst_status status = check_stored(packed, member, error);
    if (status != PST_OK)
        return status;
    array->elements = *packed;
    array->elements.fd = fcntl(packed->fd, F_DUPFD_CLOEXEC, 0);
    if (array->elements.fd < 0)
        return pst_fail(error, pst_shortage_or(PST_IO_ERROR), "%s", strerror(errno));
    array->owns_fd = true;
    return PST_OK;
}

/* ---- deflated ------------------------------------------------------------------------------------------ */

/* The state of unpacking a member. */
struct unpacking {
    z_stream zlib;
    const struct pst_extent *packed;
    uint64_t taken; /* of the packed bytes */
    uint8_t *content;
    size_t capacity, filled, size; /* size: what is announced */
    uint8_t input[INPUT];
};

static enum pst_status feed(struct unpacking *own, struct pst_error *error)
{
    uint64_t left = own->packed->size - own->taken;
    size_t some = left < INPUT ? (size_t)left : INPUT;
    if (own->zlib.avail_in > 0)
        return PST_OK;
    enum pst_status status = pst_extent_read(own->packed, own->taken, own->input, some, error);
    own->taken += some;
    own->zlib.next_in = own->input;
    own->zlib.avail_in = (uInt)some;
    return status;
}

/* Makes room for what comes next: up to one byte more than announced, so that a false size is noticed. */
static enum pst_status make_room(struct unpacking *own, struct pst_error *error)
{
    if (own->filled < own->capacity)
        return PST_OK;
    size_t wanted = own->capacity == 0 ? FIRST_RESERVE : 2 * own->capacity;
    wanted = wanted < own->size + 1 ? wanted : own->size + 1;
    uint8_t *grown = realloc(own->content, wanted);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for %zu bytes", wanted);
    own->content = grown;
    own->capacity = wanted;
    return PST_OK;
}

/* Unpacks some bytes. ended: receives whether these were the last. */
static enum pst_status step(struct unpacking *own, bool *ended, struct pst_error *error)
{
    enum pst_status status = feed(own, error);
    if (status == PST_OK)
        status = make_room(own, error);
    if (status != PST_OK)
        return status;
    size_t room = own->capacity - own->filled;
    room = room < FIRST_RESERVE ? room : FIRST_RESERVE;
    own->zlib.next_out = own->content + own->filled;
    own->zlib.avail_out = (uInt)room;
    int code = inflate(&own->zlib, Z_NO_FLUSH);
    own->filled += room - own->zlib.avail_out;
    *ended = code == Z_STREAM_END;
    if (code == Z_MEM_ERROR)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    if (own->filled > own->size)
        return pst_fail(error, PST_BAD_DATA, "damaged: more comes out than the %zu bytes that are announced",
                        own->size);
    if (code != Z_OK && code != Z_STREAM_END)
        return pst_fail(error, PST_BAD_DATA, "damaged deflate after byte %zu of its content: %s", own->filled,
                        own->zlib.msg != NULL ? own->zlib.msg : "it ends early");
    return PST_OK;
}

static enum pst_status unpack(struct unpacking *own, const struct pst_zip_member *member,
                              struct pst_error *error)
{
    if (inflateInit2(&own->zlib, -MAX_WBITS) != Z_OK)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    enum pst_status status = PST_OK;
    for (bool ended = false; status == PST_OK && !ended;)
        status = step(own, &ended, error);
    bool whole = own->filled == own->size && own->taken == own->packed->size && own->zlib.avail_in == 0;
    inflateEnd(&own->zlib);
    if (status == PST_OK && !whole)
        return pst_fail(error, PST_BAD_DATA,
                        "damaged: %zu bytes come out, but %zu are announced, or more follows", own->filled,
                        own->size);
    return status == PST_OK ? check_crc((uint32_t)crc32_z(0, own->content, own->size), member, error)
                            : status;
}

static enum pst_status take_deflated(const struct pst_extent *packed, const struct pst_zip_member *member,
                                     struct pst_array *array, size_t *memory, struct pst_error *error)
{
    if (member->size > *memory || member->size > SIZE_MAX / 2)
        return pst_fail(error, PST_BAD_DATA,
                        "unpacked it takes %llu bytes, more than --max-memory leaves (%zu)",
                        (unsigned long long)member->size, *memory);
    struct unpacking *own = pst_allocate(1, sizeof *own, error);
    if (own == NULL)
        return PST_TRY_AGAIN;
    own->packed = packed;
    own->size = (size_t)member->size;
    enum pst_status status = unpack(own, member, error);
    array->block = own->content;
    array->elements = (struct pst_extent){ .bytes = own->content, .size = own->size };
    *memory -= status == PST_OK ? own->size : 0;
    free(own);
    return status;
}

enum pst_status pst_zip_read(const struct pst_zip *zip, const struct pst_zip_member *member,
                             struct pst_array *array, size_t *memory, struct pst_error *error)
{
    *array = (struct pst_array){ 0 };
    struct pst_extent packed = { .fd = zip->fd, .size = zip->size };
    uint64_t at = 0;
    if ((member->flags & ENCRYPTED) != 0)
        return pst_fail(error, PST_BAD_DATA, "it is encrypted");
    if (member->method != STORED && member->method != DEFLATED)
        return pst_fail(error, PST_BAD_DATA,
                        "it is compressed by method %u; stored (0) and deflated (8) members are read",
                        member->method);
    enum pst_status status = find_bytes(&packed, member, &at, error);
    if (status != PST_OK)
        return status;
    packed.at = at;
    packed.size = member->packed;
    return member->method == STORED ? take_stored(&packed, member, array, error)
                                    : take_deflated(&packed, member, array, memory, error);
}
