/* A recording, opened by its index and by its batches, salvaged, and repaired. */
#include "tests/fuzz/fuzz.h"

static void look(const char *path, bool salvage)
{
    struct pst_error error;
    struct pst_recording *recording;
    struct pst_batch batch = { 0 };
    if (pst_recording_open(&recording, path, FUZZ_MOST_MESSAGE, salvage, &error) != PST_OK)
        return;
    size_t count = pst_recording_batches(recording);
    for (size_t i = 0; i < count && i < 50; i++)
        if (pst_recording_read(recording, count - 1 - i, &batch, &error) != PST_OK)
            break;
    pst_batch_free(&batch);
    pst_recording_close(recording);
}

static void look_at_all(const uint8_t *data, size_t size)
{
    struct pst_error error;
    struct pst_repair repair;
    const char *path = fuzz_file(data, size);
    look(path, false);
    look(path, true);
    if (pst_recording_repair(path, FUZZ_MOST_MESSAGE, &repair, &error) == PST_OK)
        look(path, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *mended = fuzz_text(data, size);
    look_at_all(data, size);
    fuzz_mend((uint8_t *)mended, size);
    look_at_all((const uint8_t *)mended, size);
    free(mended);
    return 0;
}
