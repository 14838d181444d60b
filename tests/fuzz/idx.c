/* An IDX file, plain or gzip. */
#include "lib/data/idx.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pst_error error;
    struct pst_idx idx;
    size_t memory = (size_t)16 << 20;
    (void)pst_idx_recognises(data, size);
    if (pst_idx_read(&idx, fuzz_file(data, size), &memory, &error) == PST_OK) {
        uint8_t element[8];
        pst_idx_copy(&idx, 0, 1, element);
        pst_idx_free(&idx);
    }
    return 0;
}
