/* Texts of command lines and metadata: architectures, losses, numbers, lists of classes. The first byte
 * chooses. */
#include "tests/fuzz/fuzz.h"

static void parse_network(const char *text)
{
    struct pst_error error;
    struct pst_network network;
    if (pst_network_new(&network, text, &error) == PST_OK)
        pst_network_free(&network);
}

static void parse_loss(const char *text)
{
    struct pst_error error;
    struct pst_loss loss = { 0 };
    for (int i = 0; i < 3; i++)
        (void)!pst_loss_parse(&loss, text, &error);
}

static void parse_numbers(const char *text)
{
    double number, numbers[8];
    uint64_t whole;
    (void)!pst_parse_u64(text, 0, UINT64_MAX, &whole);
    (void)!pst_parse_double(text, -1e300, 1e300, &number);
    (void)!pst_parse_doubles(text, -1e300, 1e300, numbers, 8);
}

static void make_plain(char *text)
{
    pst_make_plain(text);
    if (!pst_is_utf8(text))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = fuzz_text(data + 1, size - 1);
    switch (data[0]) {
    case 'a':
        parse_network(text);
        break;
    case 'l':
        parse_loss(text);
        break;
    case 'n':
        parse_numbers(text);
        break;
    default:
        make_plain(text);
    }
    free(text);
    return 0;
}
