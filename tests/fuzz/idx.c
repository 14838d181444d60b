/* An IDX file, plain or gzip. */
#include "lib/data/arrays/idx.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pst_error error;
    struct pst_array array;
    size_t memory = (size_t)16 << 20;
    (void)pst_idx_recognises(data, size);
    if (pst_idx_read(&array, fuzz_file(data, size), &memory, &error) == PST_OK) {
        uint64_t element; /* of any type */
        (void)pst_array_read(&array, 0, 1, &element, &error);
        pst_array_free(&array);
    }
    return 0;
}
