/* Language models in ARPA files, for a dictionary of three words. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t phones[] = { 0 };
    static struct pst_pronunciation said[] = { { "a", 1, phones }, { "ab", 1, phones }, { "b", 1, phones } };
    const struct pst_corpus corpus = {
        .folder = "made", .phones = 1, .silence = 1, .pronunciations = 3, .dictionary = said
    };
    struct pst_error error;
    struct pst_lexicon lexicon;
    struct pst_language_model model;
    if (pst_lexicon_open(&lexicon, &corpus, &error) != PST_OK)
        return 0;
    if (pst_language_model_read(&model, &lexicon, fuzz_file(data, size), &error) == PST_OK)
        pst_language_model_free(&model);
    pst_lexicon_close(&lexicon);
    return 0;
}
