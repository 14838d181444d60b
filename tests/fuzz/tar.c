/* A tar file, plain or gzip, with right checksums: as a file, and as a set of pictures. */
#include "lib/data/pictures/tar.h"
#include "tests/fuzz/fuzz.h"

#define BLOCK 512

/* Makes the checksums of headers right. Otherwise they would refuse every change. */
static void mend(uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at + BLOCK <= size; at += BLOCK) {
        unsigned sum = 8 * ' ';
        if (memcmp(bytes + at + 257, "ustar", 5) != 0)
            continue;
        for (size_t i = 0; i < BLOCK; i++)
            sum += i >= 148 && i < 156 ? 0 : bytes[at + i];
        snprintf((char *)bytes + at + 148, 8, "%06o", sum & 0777777);
    }
}

static void read_members(const char *path)
{
    struct pst_tar tar;
    struct pst_error error;
    static char content[1 << 16];
    enum pst_status status = pst_tar_open(&tar, path, &error);
    while (status == PST_OK && (status = pst_tar_next(&tar, &error)) == PST_OK)
        if (tar.size <= sizeof content)
            status = pst_tar_read(&tar, content, &error);
    pst_tar_close(&tar);
}

/* Another target reads pictures; here they are found, sorted and named. */
static void open_set(const char *path)
{
    const struct pst_dataset_type *type;
    const char *argument;
    struct pst_error error;
    struct pst_dataset set;
    if (pst_dataset_find("images:x", &type, &argument, &error) != PST_OK)
        abort();
    struct pst_dataset_request request = { .count = 1, .arguments = &path, .max_memory = (size_t)16 << 20 };
    if (pst_dataset_open(&set, type, &request, &error) == PST_OK) {
        char place[200];
        set.type->place(&set, set.samples - 1, place, sizeof place);
        pst_dataset_close(&set);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = fuzz_text(data, size);
    mend((uint8_t *)bytes, size);
    const char *path = fuzz_file((const uint8_t *)bytes, size);
    (void)pst_tar_recognises((const uint8_t *)bytes, size);
    read_members(path);
    open_set(path);
    free(bytes);
    return 0;
}
