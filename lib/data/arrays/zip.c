/* The directory of a ZIP archive, which stands at its end. */
#include "lib/data/arrays/zip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { END = 22, LOCATOR = 20, END_64 = 56, ENTRY = 46, LOCAL = 30, MOST_COMMENT = 65535 };

/* Numbers stand with their lowest byte first. */
static uint64_t number_at(const uint8_t *bytes, size_t size)
{
    uint64_t number = 0;
    for (size_t i = size; i-- > 0;)
        number = number << 8 | bytes[i];
    return number;
}

static bool begins(const uint8_t *bytes, const char *mark)
{
    return memcmp(bytes, mark, 4) == 0;
}

static enum pst_status damaged(struct pst_error *error, const char *what)
{
    return pst_fail(error, PST_BAD_DATA, "damaged zip archive: %s", what);
}

/* Where the directory is, and what it has. */
struct directory {
    uint64_t at, size, entries;
    uint64_t end; /* what follows it begins there */
};

/* ---- the end ------------------------------------------------------------------------------------------- */

/* Finds the record at the end of the archive. A comment may follow it. end: receives its bytes. */
static enum pst_status find_end(const struct pst_extent *file, uint64_t *at, uint8_t end[static END],
                                struct pst_error *error)
{
    size_t size = file->size < END + MOST_COMMENT ? (size_t)file->size : END + MOST_COMMENT;
    uint8_t *tail = pst_allocate(1, size + 1, error);
    enum pst_status status =
        tail == NULL ? PST_TRY_AGAIN : pst_extent_read(file, file->size - size, tail, size, error);
    bool found = false;
    for (size_t i = size < END ? 0 : size - END + 1; status == PST_OK && !found && i-- > 0;) {
        found = begins(tail + i, "PK\5\6") && number_at(tail + i + 20, 2) == size - i - END;
        *at = file->size - size + i;
        if (found)
            memcpy(end, tail + i, END);
    }
    free(tail);
    if (status == PST_OK && !found)
        return damaged(error, "its end is missing, so it is cut short or no zip archive");
    return status;
}

/*
 * Reads the record of archives that have more bytes or members than the usual record can hold. A locator of
 * it stands in front of the usual one, which may have the same numbers. found: receives whether there is one.
 */
static enum pst_status read_end_64(struct directory *directory, const struct pst_extent *file, bool *found,
                                   struct pst_error *error)
{
    uint8_t locator[LOCATOR], record[END_64];
    *found = directory->end >= LOCATOR + END_64;
    uint64_t at = directory->end - LOCATOR;
    enum pst_status status = *found ? pst_extent_read(file, at, locator, sizeof locator, error) : PST_OK;
    *found = *found && status == PST_OK && begins(locator, "PK\6\7");
    if (!*found)
        return status;
    uint64_t begin = number_at(locator + 8, 8);
    if (number_at(locator + 4, 4) != 0 || begin > at - END_64)
        return damaged(error, "its zip64 record is not found");
    status = pst_extent_read(file, begin, record, sizeof record, error);
    if (status != PST_OK)
        return status;
    if (!begins(record, "PK\6\6") || number_at(record + 4, 8) != at - begin - 12 ||
        number_at(record + 16, 8) != 0 || number_at(record + 24, 8) != number_at(record + 32, 8))
        return damaged(error, "its zip64 record contradicts the rest, or it is in several parts");
    *directory = (struct directory){ .at = number_at(record + 48, 8),
                                     .size = number_at(record + 40, 8),
                                     .entries = number_at(record + 32, 8),
                                     .end = begin };
    return PST_OK;
}

static enum pst_status find_directory(struct directory *directory, const struct pst_extent *file,
                                      struct pst_error *error)
{
    uint8_t end[END];
    bool large;
    enum pst_status status = find_end(file, &directory->end, end, error);
    if (status != PST_OK)
        return status;
    directory->entries = number_at(end + 10, 2);
    directory->size = number_at(end + 12, 4);
    directory->at = number_at(end + 16, 4);
    status = read_end_64(directory, file, &large, error);
    if (status == PST_OK && !large &&
        (number_at(end + 4, 4) != 0 || number_at(end + 8, 2) != directory->entries))
        status = damaged(error, "it is in several parts");
    if (status != PST_OK)
        return status;
    if (directory->at > directory->end || directory->size != directory->end - directory->at)
        return damaged(error, "its directory is not where its end says");
    if (directory->size > PST_ZIP_MOST_DIRECTORY)
        return pst_fail(error, PST_BAD_DATA,
                        "a zip archive with a directory of %llu bytes; at most %u are read",
                        (unsigned long long)directory->size, PST_ZIP_MOST_DIRECTORY);
    if (directory->entries > directory->size / ENTRY)
        return damaged(error, "it announces more members than its directory has");
    return PST_OK;
}

/* ---- members ------------------------------------------------------------------------------------------- */

/* Takes from an extra field the 64-bit numbers that replace those too large for 32 bits. */
static bool take_extra(struct pst_zip_member *member, const uint8_t *extra, size_t size)
{
    uint64_t *const full[] = { &member->size, &member->packed, &member->at };
    while (size >= 4) {
        size_t length = (size_t)number_at(extra + 2, 2), at = 0;
        if (length > size - 4)
            return false;
        for (size_t i = 0; i < 3 && number_at(extra, 2) == 1; i++) {
            if (*full[i] != UINT32_MAX)
                continue;
            if (length - at < 8)
                return false;
            *full[i] = number_at(extra + 4 + at, 8);
            at += 8;
        }
        extra += 4 + length;
        size -= 4 + length;
    }
    return true;
}

/* Reads an entry. size: bytes that are left. used: receives how many it has. name: where its name goes. */
static enum pst_status take_entry(struct pst_zip_member *member, const uint8_t *entry, size_t size,
                                  size_t *used, char *name, struct pst_error *error)
{
    if (size < ENTRY || !begins(entry, "PK\1\2"))
        return damaged(error, "an entry of its directory is missing");
    size_t length = (size_t)number_at(entry + 28, 2), extra = (size_t)number_at(entry + 30, 2);
    *used = ENTRY + length + extra + (size_t)number_at(entry + 32, 2);
    if (*used > size)
        return damaged(error, "an entry of its directory is cut short");
    *member = (struct pst_zip_member){ .name = name,
                                       .flags = (uint16_t)number_at(entry + 8, 2),
                                       .method = (uint16_t)number_at(entry + 10, 2),
                                       .crc = (uint32_t)number_at(entry + 16, 4),
                                       .packed = number_at(entry + 20, 4),
                                       .size = number_at(entry + 24, 4),
                                       .at = number_at(entry + 42, 4) };
    memcpy(name, entry + ENTRY, length);
    name[length] = '\0';
    if (strlen(name) != length)
        return damaged(error, "a NUL byte in the name of a member");
    return take_extra(member, entry + ENTRY + length, extra)
               ? PST_OK
               : damaged(error, "the extra fields of a member are cut short");
}

static enum pst_status take_members(struct pst_zip *zip, const struct directory *directory,
                                    const uint8_t *bytes, struct pst_error *error)
{
    size_t left = (size_t)directory->size, used = 0;
    char *name = zip->names;
    for (; zip->count < directory->entries; zip->count++) {
        struct pst_zip_member *member = &zip->members[zip->count];
        enum pst_status status = take_entry(member, bytes, left, &used, name, error);
        if (status != PST_OK)
            return status;
        name += strlen(name) + 1;
        bytes += used;
        left -= used;
    }
    return left == 0 ? PST_OK : damaged(error, "its directory has more than the members that it announces");
}

static int compare_places(const void *one, const void *other)
{
    const struct pst_zip_member *a = one, *b = other;
    return a->at < b->at ? -1 : a->at > b->at;
}

static int compare_names(const void *one, const void *other)
{
    const struct pst_zip_member *a = one, *b = other;
    return strcmp(a->name, b->name);
}

/* Finds where each member ends, and refuses members that overlap, as in zip bombs, or share a name. */
static enum pst_status order_members(struct pst_zip *zip, uint64_t directory, struct pst_error *error)
{
    struct pst_zip_member *members = zip->members;
    if (zip->count > 0)
        qsort(members, zip->count, sizeof *members, compare_places);
    for (size_t i = 0; i < zip->count; i++) {
        struct pst_zip_member *member = &members[i];
        member->end = i + 1 < zip->count ? members[i + 1].at : directory;
        uint64_t head = LOCAL + strlen(member->name);
        if (member->at > directory || member->end - member->at < head ||
            member->end - member->at - head < member->packed)
            return pst_fail(error, PST_BAD_DATA,
                            "damaged zip archive: '%s' overlaps what follows it, or lies outside",
                            member->name);
    }
    if (zip->count > 0)
        qsort(members, zip->count, sizeof *members, compare_names);
    for (size_t i = 1; i < zip->count; i++)
        if (strcmp(members[i - 1].name, members[i].name) == 0)
            return pst_fail(error, PST_BAD_DATA, "damaged zip archive: '%s' is there twice", members[i].name);
    return PST_OK;
}

static enum pst_status read_directory(struct pst_zip *zip, struct pst_error *error)
{
    struct pst_extent file = { .fd = zip->fd, .size = zip->size };
    struct directory directory = { 0 };
    enum pst_status status = find_directory(&directory, &file, error);
    if (status != PST_OK)
        return status;
    uint8_t *bytes = pst_allocate(1, (size_t)directory.size + 1, error);
    zip->names = bytes == NULL ? NULL : pst_allocate(1, (size_t)directory.size + 1, error);
    zip->members =
        zip->names == NULL ? NULL : pst_allocate((size_t)directory.entries + 1, sizeof *zip->members, error);
    if (zip->members == NULL)
        status = PST_TRY_AGAIN;
    if (status == PST_OK)
        status = pst_extent_read(&file, directory.at, bytes, (size_t)directory.size, error);
    if (status == PST_OK)
        status = take_members(zip, &directory, bytes, error);
    free(bytes);
    return status == PST_OK ? order_members(zip, directory.at, error) : status;
}

enum pst_status pst_zip_open(struct pst_zip *zip, const char *path, struct pst_error *error)
{
    *zip = (struct pst_zip){ 0 };
    struct stat stat;
    enum pst_status status = pst_file_open(path, &zip->fd, error);
    if (status != PST_OK)
        return status;
    status = fstat(zip->fd, &stat) == 0 ? PST_OK : pst_fail(error, PST_IO_ERROR, "%s", strerror(errno));
    zip->size = status == PST_OK ? (uint64_t)stat.st_size : 0;
    if (status == PST_OK)
        status = read_directory(zip, error);
    if (status == PST_OK)
        return PST_OK;
    close(zip->fd);
    zip->fd = -1;
    pst_zip_close(zip);
    if (error != NULL)
        (void)pst_fail_at(error, "%s", path);
    return status;
}

const struct pst_zip_member *pst_zip_find(const struct pst_zip *zip, const char *name)
{
    struct pst_zip_member wanted = { .name = name };
    return zip->count == 0 ? NULL
                           : bsearch(&wanted, zip->members, zip->count, sizeof *zip->members, compare_names);
}

void pst_zip_close(struct pst_zip *zip)
{
    if (zip->members != NULL && zip->fd >= 0)
        close(zip->fd);
    free(zip->members);
    free(zip->names);
    *zip = (struct pst_zip){ 0 };
}
