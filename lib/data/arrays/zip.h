/* zip.h: ZIP archives (PKWARE's APPNOTE), also those of more than 4 GiB. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_ARRAYS_ZIP_H
#define PIPESTILL_LIB_DATA_ARRAYS_ZIP_H

#include "lib/data/arrays/array.h"

#define PST_ZIP_MOST_DIRECTORY (1U << 20) /* bytes */

/* A member, as the directory at the end of the archive has it. */
struct pst_zip_member {
    const char *name;
    uint16_t flags, method; /* method: 0 stored, 8 deflated; others are listed, but not read */
    uint32_t crc;           /* CRC-32 of the content */
    uint64_t packed, size;  /* bytes in the archive and of the content */
    uint64_t at, end;       /* where its own header begins, and the next member's, or the directory */
};

/* An archive that is open. {0} is closed. */
struct pst_zip {
    int fd;
    uint64_t size; /* bytes of the archive */
    size_t count;
    struct pst_zip_member *members; /* [count], by name; owned */
    char *names;                    /* what members point to; owned */
};

/*
 * Opens an archive and reads its directory.
 * Returns PST_OK; PST_NO_INPUT; PST_BAD_DATA (no archive, in several parts, cut short, a directory of more
 * than PST_ZIP_MOST_DIRECTORY bytes, members that overlap or have the same name); PST_IO_ERROR;
 * PST_TRY_AGAIN. The message names the file. On failure nothing is owned.
 */
PST_CHECKED enum pst_status pst_zip_open(struct pst_zip *zip, const char *path, struct pst_error *error);

/* The member with a name; NULL if there is none. */
const struct pst_zip_member *pst_zip_find(const struct pst_zip *zip, const char *name);

/*
 * Gives the content of a member, checked against its CRC-32: a part of the file if it is stored, unpacked in
 * memory if it is deflated. Memory grows with what is unpacked, so a false size takes no more than that.
 * array: receives the extent, and owns what holds it. memory: bytes that it may take; what it takes is
 * subtracted. Returns PST_OK; PST_BAD_DATA (encrypted, another method, damaged, more or less than announced,
 * more than memory); PST_IO_ERROR; PST_TRY_AGAIN. The caller adds the member's name, and frees the array
 * after a failure, too.
 */
PST_CHECKED enum pst_status pst_zip_read(const struct pst_zip *zip, const struct pst_zip_member *member,
                                         struct pst_array *array, size_t *memory, struct pst_error *error);

/* Frees what an archive holds and makes it {0}. */
void pst_zip_close(struct pst_zip *zip);

#endif
