/* An NPY file, the text of its header alone, or a zip archive with such files in it. */
#include "lib/data/arrays/npy.h"
#include "lib/data/arrays/zip.h"
#include "tests/fuzz/fuzz.h"

#define MOST_MEMORY ((size_t)16 << 20)

/* Reads some elements at the array's end. */
static void look_at(struct pst_array *array)
{
    uint64_t element; /* of any type */
    size_t count = array->shape[0] * pst_array_width(array);
    (void)pst_array_read(array, count - 1, 1, &element, NULL);
}

static void read_archive(const char *path)
{
    struct pst_error error;
    struct pst_zip zip;
    if (pst_zip_open(&zip, path, &error) != PST_OK)
        return;
    for (size_t i = 0; i < zip.count; i++) {
        struct pst_array array;
        size_t memory = MOST_MEMORY;
        enum pst_status status = pst_zip_read(&zip, &zip.members[i], &array, &memory, &error);
        if (status == PST_OK && pst_npy_open(&array, &memory, &error) == PST_OK)
            look_at(&array);
        pst_array_free(&array);
    }
    pst_zip_close(&zip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pst_error error;
    struct pst_array array = { 0 };
    bool fortran;
    size_t memory = MOST_MEMORY;
    (void)pst_npy_recognises(data, size);
    (void)pst_npy_parse(&array, &fortran, (const char *)data, size, 0, &error);
    const char *path = fuzz_file(data, size);
    if (pst_npy_read(&array, path, &memory, &error) == PST_OK) {
        look_at(&array);
        pst_array_free(&array);
    }
    read_archive(path);
    return 0;
}
