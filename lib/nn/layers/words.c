/* The settings in the words of layers. */
#include "lib/nn/layers/words.h"

#include <string.h>

static bool read_digits(const char **word, uint64_t most, size_t *number)
{
    char digits[8] = "";
    uint64_t value;
    size_t length = strspn(*word, "0123456789");
    if (length >= sizeof digits)
        return false;
    memcpy(digits, *word, length);
    if (!pst_parse_u64(digits, 0, most, &value))
        return false;
    *number = (size_t)value;
    *word += length;
    return true;
}

bool pst_word_count(const char **word, size_t *count)
{
    return read_digits(word, PST_MAX_WIDTH, count);
}

bool pst_word_pair(const char **word, size_t pair[2])
{
    if (!read_digits(word, 4095, &pair[0]))
        return false;
    pair[1] = pair[0];
    if (**word != 'x')
        return true;
    ++*word;
    return read_digits(word, 4095, &pair[1]);
}

static bool in_range(const struct pst_word_key *key, double value)
{
    return value >= key->least && value <= key->most;
}

static bool read_real(const char **word, const struct pst_word_key *key, double *value)
{
    char number[32] = "";
    size_t length = strcspn(*word, ",");
    if (length >= sizeof number)
        return false;
    memcpy(number, *word, length);
    *word += length;
    return pst_parse_double(number, key->least, key->most, value);
}

/* Reads the value of a key. */
static bool read_value(const char **word, const struct pst_word_key *key, void *settings)
{
    void *to = (char *)settings + key->at;
    if (key->kind == PST_KEY_FLAG) {
        *(bool *)to = true;
        return true;
    }
    if (*(*word)++ != '=')
        return false;
    if (key->kind == PST_KEY_REAL)
        return read_real(word, key, to);
    size_t pair[2] = { 0 };
    if (key->kind == PST_KEY_PAIR ? !pst_word_pair(word, pair) : !pst_word_count(word, &pair[0]))
        return false;
    memcpy(to, pair, (key->kind == PST_KEY_PAIR ? 2 : 1) * sizeof *pair);
    return in_range(key, (double)pair[0]) && (key->kind != PST_KEY_PAIR || in_range(key, (double)pair[1]));
}

bool pst_word_keys(const char *word, const struct pst_word_key *keys, void *settings)
{
    unsigned seen = 0;
    while (*word == ',') {
        size_t length = strcspn(++word, ",=");
        size_t i = 0;
        while (keys[i].name != NULL &&
               (strlen(keys[i].name) != length || strncmp(keys[i].name, word, length) != 0))
            i++;
        word += length;
        if (keys[i].name == NULL || (seen & 1U << i) != 0 || !read_value(&word, &keys[i], settings))
            return false;
        seen |= 1U << i;
    }
    return *word == '\0';
}

void pst_word_write_pair(FILE *text, const char *before, const size_t pair[2])
{
    fprintf(text, "%s%zu", before, pair[0]);
    if (pair[1] != pair[0])
        fprintf(text, "x%zu", pair[1]);
}

/* Without an exponent, because its "-" would end the word; with as many decimals as are needed. */
void pst_word_write_real(FILE *text, const char *key, double value)
{
    char number[64] = "0";
    double read = -1;
    for (int decimals = 0; decimals <= 40 && read != value; decimals++) {
        pst_print_plain(number, sizeof number, "%.*f", decimals, value);
        if (!pst_parse_double(number, 0, 1e6, &read))
            break;
    }
    fprintf(text, ",%s=%s", key, number);
}
