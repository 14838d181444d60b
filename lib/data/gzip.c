/* Files that may be gzip: the error if one cannot be read on. */
#include "lib/data/gzip.h"

#include <errno.h>
#include <string.h>

enum pst_status pst_gzip_failure(gzFile file, const char *path, size_t at, struct pst_error *error)
{
    int code;
    const char *text = gzerror(file, &code);
    if (code == Z_ERRNO)
        return pst_fail(error, PST_IO_ERROR, "%s: cannot be read at byte %zu: %s", path, at, strerror(errno));
    if (code == Z_MEM_ERROR)
        return pst_fail(error, PST_TRY_AGAIN, "%s: out of memory", path);
    return pst_fail(error, PST_BAD_DATA, "%s: damaged gzip after byte %zu of its content: %s", path, at,
                    code == Z_BUF_ERROR ? "the file ends early" : text);
}
