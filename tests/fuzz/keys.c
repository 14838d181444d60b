/* Files of keys, lists of keys that may connect, and keys as text. */
#include "lib/transport/keys.h"
#include "lib/transport/socket.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void *context;
    struct pst_error error;
    struct pst_key_pair pair;
    char key[PST_KEY_TEXT], *text = fuzz_text(data, size);
    const char *path = fuzz_file(data, size);
    if (context == NULL)
        context = zmq_ctx_new();
    (void)!pst_key_pair_read(path, &pair, &error);
    (void)!pst_public_key_read(path, key, &error);
    (void)!pst_public_key_read(text, key, &error);
    if (pst_allow_start(context, path, &error) == PST_OK)
        pst_secure_stop(context);
    free(text);
    return 0;
}
