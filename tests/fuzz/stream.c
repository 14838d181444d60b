/* A stream as a reader gets it, and its compact tensors restored. */
#include "tests/fuzz/fuzz.h"

/* Reads all batches; restorer: NULL if nothing is to be restored. */
static void read_batches(struct pst_reader *reader, const struct pst_restorer *restorer)
{
    struct pst_batch batch = { 0 }, restored = { 0 };
    struct pst_buffer scratch = { 0 };
    struct pst_error error;
    while (pst_reader_next(reader, &batch, &error) == PST_OK)
        if (restorer != NULL && pst_restorer_batch(restorer, &batch, &restored, &scratch, &error) != PST_OK)
            break;
    pst_batch_free(&restored);
    pst_batch_free(&batch);
    pst_buffer_free(&scratch);
}

static void read_stream(const uint8_t *data, size_t size)
{
    struct pst_error error;
    struct pst_input *input;
    struct pst_reader *reader;
    struct pst_header header, whole;
    struct pst_restorer *restorer = NULL;
    if (pst_input_from_memory(&input, data, size, &error) != PST_OK ||
        pst_reader_new(&reader, input, FUZZ_MOST_MESSAGE, &error) != PST_OK)
        return;
    if (pst_reader_header(reader, &header, &error) == PST_OK) {
        if (pst_compact_is(&header) &&
            pst_restorer_new(&restorer, &header, FUZZ_MOST_MESSAGE, &whole, &error) != PST_OK)
            restorer = NULL;
        read_batches(reader, restorer);
        if (restorer != NULL)
            pst_header_free(&whole);
        pst_restorer_free(restorer);
        pst_header_free(&header);
    }
    pst_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *mended = fuzz_text(data, size);
    read_stream(data, size);
    fuzz_mend((uint8_t *)mended, size);
    read_stream((const uint8_t *)mended, size);
    free(mended);
    return 0;
}
