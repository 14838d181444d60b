/* A model, of this project or of another tool, and any safetensors file. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pst_error error;
    struct pst_network network;
    struct pst_safetensors file;
    char digest[PST_DIGEST_TEXT];
    const char *path = fuzz_file(data, size);
    if (pst_model_read(path, NULL, &network, digest, &error) == PST_OK)
        pst_network_free(&network);
    if (pst_model_read(path, "relu", &network, NULL, &error) == PST_OK)
        pst_network_free(&network);
    if (pst_safetensors_read(path, &file, &error) == PST_OK)
        pst_safetensors_free(&file);
    return 0;
}
