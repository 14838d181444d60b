/*
 * Reads tar files (POSIX.1-2008, pax; and GNU tar's long names): headers of 512 bytes, each before the bytes
 * of its member, which are filled up to whole blocks; at the end a block of zeros. zlib reads plain files and
 * gzip alike.
 */
#include "lib/data/pictures/tar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define BLOCK 512
#define MOST_RECORDS ((size_t)1 << 20) /* bytes of pax records before a member */
#define MOST_SIZE ((uint64_t)1 << 62)
#define LARGEST_READ ((size_t)1 << 20) /* gzread counts in unsigned int */

/* Places in a header. */
#define NAME 0
#define SIZE 124
#define CHECKSUM 148
#define TYPE 156
#define MAGIC 257
#define PREFIX 345

/* ---- reading ----------------------------------------------------------------------------------------- */

enum pst_status pst_tar_open(struct pst_tar *tar, const char *path, struct pst_error *error)
{
    int fd;
    *tar = (struct pst_tar){ .path = path };
    enum pst_status status = pst_file_open(path, &fd, error);
    if (status != PST_OK)
        return status;
    tar->file = gzdopen(fd, "rb");
    if (tar->file == NULL)
        close(fd);
    if (tar->file == NULL || gzbuffer(tar->file, 1 << 18) != 0)
        return pst_fail(error, PST_TRY_AGAIN, "%s: out of memory", path);
    tar->packed = !gzdirect(tar->file);
    return PST_OK;
}

void pst_tar_close(struct pst_tar *tar)
{
    if (tar->file != NULL)
        gzclose(tar->file);
    *tar = (struct pst_tar){ 0 };
}

static enum pst_status bad(const struct pst_tar *tar, const char *what, struct pst_error *error)
{
    return pst_fail(error, PST_BAD_DATA, "%s: damaged tar file, at byte %llu%s: %s", tar->path,
                    (unsigned long long)tar->at, tar->packed ? " of what is packed in it" : "", what);
}

/* Says why zlib could not go on. */
static enum pst_status read_failure(const struct pst_tar *tar, struct pst_error *error)
{
    int code;
    const char *text = gzerror(tar->file, &code);
    if (code == Z_ERRNO)
        return pst_fail(error, PST_IO_ERROR, "%s: cannot be read: %s", tar->path, strerror(errno));
    if (code == Z_MEM_ERROR)
        return pst_fail(error, PST_TRY_AGAIN, "%s: out of memory", tar->path);
    return bad(tar, code == Z_BUF_ERROR || code == Z_OK ? "it ends early" : text, error);
}

static enum pst_status read_bytes(struct pst_tar *tar, void *bytes, size_t size, struct pst_error *error)
{
    unsigned char *to = bytes;
    while (size > 0) {
        int got = gzread(tar->file, to, (unsigned)(size < LARGEST_READ ? size : LARGEST_READ));
        if (got <= 0)
            return read_failure(tar, error);
        to += got;
        size -= (size_t)got;
        tar->at += (uint64_t)got;
    }
    return PST_OK;
}

/* Goes forward to a place. A plain file is not read on the way, so only a later read may find its end. */
static enum pst_status go_to(struct pst_tar *tar, uint64_t place, struct pst_error *error)
{
    unsigned char waste[BLOCK * 16];
    enum pst_status status = PST_OK;
    if (!tar->packed && place > tar->at) {
        if (gzseek(tar->file, (z_off_t)place, SEEK_SET) < 0)
            return read_failure(tar, error);
        tar->at = place;
    }
    while (tar->at < place && status == PST_OK) {
        uint64_t left = place - tar->at;
        if (pst_stop_signal() != 0)
            return pst_fail(error, PST_STOPPED, "stopped by a signal");
        status = read_bytes(tar, waste, left < sizeof waste ? (size_t)left : sizeof waste, error);
    }
    return status;
}

/* Reads to a gzip file's end, where its checksum is. */
static enum pst_status read_to_end(struct pst_tar *tar, struct pst_error *error)
{
    unsigned char waste[BLOCK * 16];
    int got, code;
    while (tar->packed && (got = gzread(tar->file, waste, sizeof waste)) != 0) {
        if (got < 0)
            return read_failure(tar, error);
        if (pst_stop_signal() != 0)
            return pst_fail(error, PST_STOPPED, "stopped by a signal");
    }
    gzerror(tar->file, &code);
    return code == Z_OK || code == Z_STREAM_END ? PST_END : read_failure(tar, error);
}

/* ---- headers ----------------------------------------------------------------------------------------- */

/*
 * Reads a number: octal digits, or, if the first bit is set, the rest of the field as a number with its
 * highest byte first (GNU tar). Returns false if it is neither, or negative, or more than a file can have.
 */
static bool take_number(const unsigned char *field, size_t size, uint64_t *number)
{
    size_t at = 0;
    *number = 0;
    if (field[0] & 0x80) {
        *number = field[0] & 0x7f;
        for (at = 1; at<size && * number<MOST_SIZE>> 8; at++)
            *number = *number << 8 | field[at];
        return at == size && *number < MOST_SIZE;
    }
    while (at < size && field[at] == ' ')
        at++;
    for (; at < size && field[at] >= '0' && field[at] <= '7'; at++)
        *number = *number << 3 | (field[at] - '0'); /* 12 digits at most */
    return at == size || field[at] == ' ' || field[at] == '\0';
}

/* Whether the sum of the header's bytes, with blanks for the sum itself, is what it says; old programs sum
 * signed bytes. */
static bool has_checksum(const unsigned char *header)
{
    uint64_t said;
    int64_t sum = 0, negative = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        int byte = i >= CHECKSUM && i < CHECKSUM + 8 ? ' ' : header[i];
        sum += byte;
        negative += byte > 127 ? 256 : 0;
    }
    return take_number(header + CHECKSUM, 8, &said) &&
           ((int64_t)said == sum || (int64_t)said == sum - negative);
}

bool pst_tar_recognises(const unsigned char *start, size_t size)
{
    return size >= BLOCK && start[0] != '\0' && has_checksum(start);
}

static bool is_zero(const unsigned char *header)
{
    for (size_t i = 0; i < BLOCK; i++)
        if (header[i] != 0)
            return false;
    return true;
}

/* What records before a member say of it. */
struct said {
    bool named, sized, sparse;
    uint64_t size;
};

/* The name that the header itself has: PREFIX/NAME, each of which may fill its field. */
static void take_name(struct pst_tar *tar, const unsigned char *header)
{
    bool posix = memcmp(header + MAGIC, "ustar\0", 6) == 0;
    const char *prefix = (const char *)header + PREFIX, *name = (const char *)header + NAME;
    bool two = posix && *prefix != '\0';
    snprintf(tar->name, sizeof tar->name, "%.155s%s%.100s", two ? prefix : "", two ? "/" : "", name);
}

static enum pst_tar_kind kind_of(const struct pst_tar *tar, unsigned char type, const struct said *said)
{
    size_t length = strlen(tar->name);
    if (type == 'S' || said->sparse)
        return PST_TAR_SPARSE;
    if (type == '1' || type == '2')
        return PST_TAR_LINK;
    bool file = type == '0' || type == '\0' || type == '7';
    return file && (length == 0 || tar->name[length - 1] != '/') ? PST_TAR_FILE : PST_TAR_OTHER;
}

/* ---- what stands before a member ------------------------------------------------------------------------
 */

/* Takes over a long name, which must be a text. */
static enum pst_status set_name(struct pst_tar *tar, const char *name, size_t length, struct pst_error *error)
{
    if (length == 0 || length >= sizeof tar->name || memchr(name, '\0', length) != NULL)
        return bad(tar, "a name is empty, too long, or has a NUL in it", error);
    memcpy(tar->name, name, length);
    tar->name[length] = '\0';
    return PST_OK;
}

/* GNU tar: the bytes of a member called ././@LongLink are the name of the next. */
static enum pst_status take_long_name(struct pst_tar *tar, struct said *said, struct pst_error *error)
{
    char name[PST_TAR_MOST_NAME + 1];
    if (tar->size > PST_TAR_MOST_NAME)
        return bad(tar, "a name is too long", error);
    enum pst_status status = pst_tar_read(tar, name, error);
    if (status != PST_OK)
        return status;
    name[tar->size] = '\0';
    said->named = true;
    return set_name(tar, name, strlen(name), error);
}

/* One record of pax: "path=a/b". */
static enum pst_status take_record(struct pst_tar *tar, char *record, size_t length, struct said *said,
                                   struct pst_error *error)
{
    char *value = memchr(record, '=', length);
    if (value == NULL)
        return bad(tar, "a pax record without '='", error);
    *value++ = '\0';
    size_t size = length - (size_t)(value - record);
    if (strncmp(record, "GNU.sparse", 10) == 0)
        said->sparse = true;
    if (strcmp(record, "path") == 0) {
        said->named = true;
        return set_name(tar, value, size, error);
    }
    if (strcmp(record, "size") != 0)
        return PST_OK;
    value[size] = '\0'; /* where its newline was */
    said->sized = true;
    return pst_parse_u64(value, 0, MOST_SIZE, &said->size) ? PST_OK
                                                           : bad(tar, "a pax size is no number", error);
}

/* Records of pax: "LENGTH KEY=VALUE\n", where LENGTH counts the whole record. */
static enum pst_status take_records(struct pst_tar *tar, char *records, struct said *said,
                                    struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t at = 0; at < tar->size && status == PST_OK;) {
        size_t length = 0, digits = 0;
        while (at + digits < tar->size && digits < 8 && records[at + digits] >= '0' &&
               records[at + digits] <= '9')
            length = 10 * length + (size_t)(records[at + digits++] - '0');
        if (digits == 0 || length < digits + 2 || length > tar->size - at || records[at + digits] != ' ' ||
            records[at + length - 1] != '\n')
            return bad(tar, "a pax record has a false length", error);
        status = take_record(tar, records + at + digits + 1, length - digits - 2, said, error);
        at += length;
    }
    return status;
}

static enum pst_status take_pax(struct pst_tar *tar, struct said *said, struct pst_error *error)
{
    if (tar->size > MOST_RECORDS)
        return bad(tar, "its pax records are too long", error);
    char *records = pst_allocate(1, tar->size + 1, error);
    enum pst_status status = records == NULL ? PST_TRY_AGAIN : pst_tar_read(tar, records, error);
    if (status == PST_OK)
        status = take_records(tar, records, said, error);
    free(records);
    return status;
}

/* ---- members ----------------------------------------------------------------------------------------- */

/* Reads the next header. Returns PST_END for the block of zeros. */
static enum pst_status read_header(struct pst_tar *tar, unsigned char header[BLOCK], struct pst_error *error)
{
    enum pst_status status = go_to(tar, tar->next, error);
    if (status == PST_OK)
        status = read_bytes(tar, header, BLOCK, error);
    if (status != PST_OK)
        return status;
    if (is_zero(header))
        return read_to_end(tar, error);
    if (!has_checksum(header))
        return bad(tar, "a header's checksum is wrong", error);
    if (!take_number(header + SIZE, 12, &tar->size))
        return bad(tar, "a member's size is no number that a file can have", error);
    tar->begin = tar->at;
    tar->next = tar->begin + (tar->size + BLOCK - 1) / BLOCK * BLOCK;
    return PST_OK;
}

/* Takes what the header and all before it say of a member. */
static enum pst_status take_member(struct pst_tar *tar, const unsigned char *header, const struct said *said,
                                   struct pst_error *error)
{
    if (!said->named)
        take_name(tar, header);
    if (said->sized) {
        tar->size = said->size;
        tar->next = tar->begin + (tar->size + BLOCK - 1) / BLOCK * BLOCK;
    }
    tar->kind = kind_of(tar, header[TYPE], said);
    if (tar->kind == PST_TAR_LINK) /* some have a size, but none has bytes */
        tar->next = tar->begin;
    return pst_stop_signal() == 0 ? PST_OK : pst_fail(error, PST_STOPPED, "stopped by a signal");
}

enum pst_status pst_tar_next(struct pst_tar *tar, struct pst_error *error)
{
    unsigned char header[BLOCK];
    struct said said = { 0 };
    while (true) {
        enum pst_status status = read_header(tar, header, error);
        if (status != PST_OK)
            return status;
        if (header[TYPE] == 'L')
            status = take_long_name(tar, &said, error);
        else if (header[TYPE] == 'x')
            status = take_pax(tar, &said, error);
        else if (header[TYPE] != 'K' && header[TYPE] != 'g') /* neither a link's name nor about all members */
            return take_member(tar, header, &said, error);
        if (status != PST_OK)
            return status;
    }
}

enum pst_status pst_tar_read(struct pst_tar *tar, void *bytes, struct pst_error *error)
{
    return read_bytes(tar, bytes, (size_t)tar->size, error);
}
