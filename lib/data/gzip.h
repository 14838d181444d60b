/* gzip.h: the error of the readers of files that may be gzip, if zlib cannot go on. */
#ifndef PIPESTILL_LIB_DATA_GZIP_H
#define PIPESTILL_LIB_DATA_GZIP_H

#include "pipestill/base.h"

#include <zlib.h>

/*
 * Says why a file could not be read on. at: bytes of its content that were read before.
 * Returns PST_IO_ERROR; PST_TRY_AGAIN; PST_BAD_DATA.
 */
enum pst_status pst_gzip_failure(gzFile file, const char *path, size_t at, struct pst_error *error);

#endif
