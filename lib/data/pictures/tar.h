/* tar.h: the members of a tar file, one after another, plain or compressed by gzip. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_PICTURES_TAR_H
#define PIPESTILL_LIB_DATA_PICTURES_TAR_H

#include "pipestill/data.h"

#define PST_TAR_MOST_NAME 4096

enum pst_tar_kind {
    PST_TAR_FILE,
    PST_TAR_LINK, /* hard or symbolic: its bytes are elsewhere */
    PST_TAR_SPARSE /* a file whose holes are left out */,
    PST_TAR_OTHER /* folders, devices, and what is not known */
};

/* A tar file that is read. {0} is closed. */
struct pst_tar {
    const char *path; /* borrowed */
    void *file;       /* zlib's; NULL: closed */
    bool packed;      /* by gzip: it can only be read from its beginning to its end */
    uint64_t at;      /* bytes read, unpacked */
    uint64_t next;    /* where the next header stands */
    /* the member that was reached: */
    enum pst_tar_kind kind;
    uint64_t size, begin; /* its bytes, and where they begin, unpacked */
    char name[PST_TAR_MOST_NAME];
};

/* Whether a file that begins with these bytes, unpacked, is a tar file. */
bool pst_tar_recognises(const unsigned char *start, size_t size);

/* Opens a tar file. Returns PST_OK; PST_NO_INPUT; PST_BAD_DATA if it is no regular file; PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_tar_open(struct pst_tar *tar, const char *path, struct pst_error *error);

/*
 * Goes to the next member: ustar, with the long names of GNU tar and of POSIX pax. Bytes of the one before
 * that were not read are left out.
 * Returns PST_OK; PST_END behind the last, after a gzip file was read to its end; PST_BAD_DATA, with the
 * byte, if the file is damaged or cut off; PST_STOPPED after a signal; PST_IO_ERROR; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_tar_next(struct pst_tar *tar, struct pst_error *error);

/* Reads the bytes of the member. bytes: receives [tar->size]. Returns as pst_tar_next. */
PST_CHECKED enum pst_status pst_tar_read(struct pst_tar *tar, void *bytes, struct pst_error *error);

/* Closes it and makes it {0}. */
void pst_tar_close(struct pst_tar *tar);

#endif
