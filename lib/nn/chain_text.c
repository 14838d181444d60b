/* The text of chains: read with the place of every word, and written. docs/networks.md has the grammar. */
#include "pipestill/layers.h"

#include <stdlib.h>
#include <string.h>

/* The most words of a text, each as often as "3*" repeats it. Activations that a layer takes over are not
 * layers, so with a limit of layers alone, 512*(512*(512*(none))) would take almost for ever. */
#define MOST_WORDS (4 * PST_MAX_LAYERS)

/* The text that is read. */
struct reading {
    const char *text;
    struct pst_place *place;
    struct pst_error *error;
    size_t layers, words; /* so far, whichever chain they are in */
};

/* A part of the text, from `at` up to `end`. */
struct span {
    size_t at, end;
};

#define WORD "%.*s"
#define WORD_OF(reading, span) \
    (int)((span).end - (span).at < 60 ? (span).end - (span).at : 60), (reading)->text + (span).at

static void set_place(const struct reading *reading, struct span span)
{
    *reading->place = (struct pst_place){ span.at, span.end - span.at };
}

/* Where the part at the span's beginning ends: before the next mark outside of parentheses. */
static size_t part_end(const struct reading *reading, struct span span, char mark)
{
    size_t depth = 0, at = span.at;
    for (; at < span.end && (depth > 0 || reading->text[at] != mark); at++) {
        depth += reading->text[at] == '(';
        depth -= reading->text[at] == ')' && depth > 0;
    }
    return at;
}

/* Checks that each "(" has a ")"; if not, the message shows the place of the one without. */
static enum pst_status check_parentheses(const struct reading *reading, struct span span)
{
    size_t opened[PST_CHAIN_DEPTH] = { 0 }, depth = 0, at = span.at;
    for (; at < span.end; at++) {
        if (reading->text[at] == '(' && depth == PST_CHAIN_DEPTH)
            break;
        if (reading->text[at] == '(')
            opened[depth++] = at;
        if (reading->text[at] == ')' && depth-- == 0)
            break;
    }
    if (at == span.end && depth == 0)
        return PST_OK;
    bool deep = at < span.end && reading->text[at] == '(';
    size_t wrong = at < span.end ? at : opened[depth - 1];
    set_place(reading, (struct span){ wrong, wrong + 1 });
    return deep ? pst_fail(reading->error, PST_USAGE, "more than %d parentheses stand in one another",
                           PST_CHAIN_DEPTH)
                : pst_fail(reading->error, PST_USAGE, "a '%c' has no '%c'", reading->text[wrong],
                           reading->text[wrong] == '(' ? ')' : '(');
}

/* ---- words that are not layers ----------------------------------------------------------------------- */

static size_t letters(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyz");
}

/* Whether one of the words of a grammar, with ", " between, begins with exactly these letters. */
static bool begins_so(const char *grammar, const char *word, size_t length)
{
    for (; grammar != NULL; grammar = strstr(grammar, ", ")) {
        grammar += strspn(grammar, ", ");
        if (letters(grammar) == length && strncmp(grammar, word, length) == 0)
            return true;
    }
    return false;
}

/* The type whose words begin with the letters of this word; NULL if none do. */
static const struct pst_layer_type *type_meant(const char *word)
{
    size_t length = letters(word);
    for (size_t i = 0; length > 0 && pst_layer_types[i] != NULL; i++)
        if (begins_so(pst_layer_types[i]->grammar, word, length))
            return pst_layer_types[i];
    return NULL;
}

/* A word of every type. */
static void list_words(char *list, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; pst_layer_types[i] != NULL && used < size; i++) {
        const char *grammar = pst_layer_types[i]->grammar, *end = strstr(grammar, ", ");
        int length = (int)(end == NULL ? strlen(grammar) : (size_t)(end - grammar));
        used += (size_t)snprintf(list + used, size - used, "%s%.*s", i == 0 ? "" : ", ", length, grammar);
    }
}

static enum pst_status not_a_layer(const struct reading *reading, struct span span)
{
    const struct pst_layer_type *meant = type_meant(reading->text + span.at);
    char list[256] = "";
    set_place(reading, span);
    if (meant != NULL)
        return pst_fail(reading->error, PST_USAGE, "'" WORD "' is not a layer %s, which is like: %s",
                        WORD_OF(reading, span), meant->name, meant->grammar);
    list_words(list, sizeof list);
    return pst_fail(reading->error, PST_USAGE, "'" WORD "' is not a layer; layers are like: %s",
                    WORD_OF(reading, span), list);
}

/* ---- layers ------------------------------------------------------------------------------------------ */

static enum pst_status read_words(struct reading *reading, struct pst_chain *chain, struct span span);

/* Finds the type whose word this is. layer: receives it with its settings; type NULL: there is none. */
static enum pst_status find_type(struct pst_layer *layer, const char *word, struct pst_error *error)
{
    for (size_t i = 0; pst_layer_types[i] != NULL; i++) {
        const struct pst_layer_type *type = pst_layer_types[i];
        void *settings = type->settings_size > 0 ? pst_allocate(1, type->settings_size, error) : NULL;
        *layer = (struct pst_layer){ .type = type, .settings = settings };
        if (settings == NULL && type->settings_size > 0)
            return PST_TRY_AGAIN;
        if (type->parse(word, settings))
            return PST_OK;
        free(settings);
    }
    *layer = (struct pst_layer){ 0 };
    return PST_OK;
}

/* Reads the chains of a layer, with "|" between. span: the text between the parentheses. */
static enum pst_status read_inner(struct reading *reading, const struct pst_layer *layer, struct span span)
{
    enum pst_status status = PST_OK;
    struct span part = span;
    for (size_t which = 0; status == PST_OK; which++) {
        part.end = part_end(reading, part, '|');
        struct pst_chain *inner = layer->type->inner(layer, which);
        if (inner == NULL) {
            set_place(reading, (struct span){ part.at, span.end });
            return pst_fail(reading->error, PST_USAGE, "%s holds %zu chains, and not more", layer->type->name,
                            which);
        }
        status = read_words(reading, inner, part);
        if (part.end == span.end)
            break;
        part = (struct span){ part.end + 1, span.end };
    }
    return status;
}

/* Reads one word into a layer. Its chain frees what it owns, also on failure. */
static enum pst_status read_layer(struct reading *reading, struct pst_layer *layer, struct span span)
{
    struct span head = { span.at, part_end(reading, span, '(') };
    bool holds = head.end < span.end;
    char *word = strndup(reading->text + head.at, head.end - head.at);
    if (word == NULL)
        return pst_fail(reading->error, PST_TRY_AGAIN, "out of memory");
    enum pst_status status = find_type(layer, word, reading->error);
    free(word);
    if (status != PST_OK)
        return status;
    layer->place = (struct pst_place){ span.at, span.end - span.at };
    bool fits = layer->type != NULL && holds == (layer->type->inner != NULL) &&
                (!holds || reading->text[span.end - 1] == ')');
    if (!fits)
        return not_a_layer(reading, span);
    return holds ? read_inner(reading, layer, (struct span){ head.end + 1, span.end - 1 }) : PST_OK;
}

/* Whether a layer takes over the activation that follows it. */
static bool absorb(struct pst_layer *layer, const struct pst_activation *activation, double slope)
{
    const struct pst_layer_type *type = layer->type;
    return type != NULL && type->absorb != NULL && type->absorb(layer, activation, slope);
}

/* Whether the word is an activation that becomes a part of the layer before it. */
static bool absorbed(const struct reading *reading, struct pst_chain *chain, struct span span)
{
    char word[40] = "";
    double slope;
    if (chain->count == 0 || span.end - span.at >= sizeof word)
        return false;
    memcpy(word, reading->text + span.at, span.end - span.at);
    const struct pst_activation *activation = pst_activation_parse(word, &slope);
    return activation != NULL && absorb(&chain->layers[chain->count - 1], activation, slope);
}

static enum pst_status add_layer(struct reading *reading, struct pst_chain *chain, struct span span)
{
    if (reading->words++ == MOST_WORDS) {
        set_place(reading, span);
        return pst_fail(reading->error, PST_USAGE, "more than %d words, repeated ones included", MOST_WORDS);
    }
    if (absorbed(reading, chain, span))
        return PST_OK;
    if (reading->layers++ == PST_MAX_LAYERS) {
        set_place(reading, span);
        return pst_fail(reading->error, PST_USAGE, "more than %d layers", PST_MAX_LAYERS);
    }
    struct pst_layer *layers =
        pst_grown(chain->layers, &chain->room, chain->count, sizeof *layers, reading->error);
    if (layers == NULL)
        return PST_TRY_AGAIN;
    chain->layers = layers;
    struct pst_layer *layer = &layers[chain->count];
    *layer = (struct pst_layer){ 0 };
    enum pst_status status = read_layer(reading, layer, span);
    chain->count += layer->type != NULL;
    return status;
}

/* ---- words ------------------------------------------------------------------------------------------- */

/* Reads "3*", how often the rest repeats; times is 1 if there is no "*". span: receives the rest. Returns
 * false if the number is out of range. */
static bool read_times(const struct reading *reading, struct span *span, uint64_t *times)
{
    char digits[8] = "";
    size_t length = strspn(reading->text + span->at, "0123456789");
    *times = 1;
    if (length == 0 || span->at + length >= span->end || reading->text[span->at + length] != '*')
        return true;
    if (length >= sizeof digits)
        return false;
    memcpy(digits, reading->text + span->at, length);
    span->at += length + 1;
    return pst_parse_u64(digits, 1, PST_MAX_LAYERS, times);
}

static enum pst_status read_word(struct reading *reading, struct pst_chain *chain, struct span span)
{
    uint64_t times;
    struct span word = span;
    if (!read_times(reading, &word, &times)) {
        set_place(reading, span);
        return pst_fail(reading->error, PST_USAGE, "'" WORD "': a number from 1 to %d is before '*'",
                        WORD_OF(reading, span), PST_MAX_LAYERS);
    }
    bool group = word.at > span.at && word.at < word.end && reading->text[word.at] == '(' &&
                 reading->text[word.end - 1] == ')';
    enum pst_status status = PST_OK;
    for (; times > 0 && status == PST_OK; times--)
        status = group ? read_words(reading, chain, (struct span){ word.at + 1, word.end - 1 })
                       : add_layer(reading, chain, word);
    return status;
}

static enum pst_status read_words(struct reading *reading, struct pst_chain *chain, struct span span)
{
    enum pst_status status = PST_OK;
    for (bool more = true; more && status == PST_OK;) {
        struct span word = { span.at, part_end(reading, span, '-') };
        status = read_word(reading, chain, word);
        more = word.end < span.end;
        span.at = word.end + 1;
    }
    return status;
}

enum pst_status pst_chain_parse(struct pst_chain *chain, const char *text, size_t at, struct pst_place *place,
                                struct pst_error *error)
{
    struct pst_place ignored;
    struct reading reading = { .text = text, .place = place != NULL ? place : &ignored, .error = error };
    struct span all = { at, strlen(text) };
    *chain = (struct pst_chain){ 0 };
    enum pst_status status = check_parentheses(&reading, all);
    if (status == PST_OK)
        status = read_words(&reading, chain, all);
    if (status != PST_OK)
        pst_chain_free(chain);
    return status;
}

void pst_chain_describe(const struct pst_chain *chain, FILE *text)
{
    for (size_t i = 0; i < chain->count; i++) {
        if (i > 0)
            fputc('-', text);
        chain->layers[i].type->describe(&chain->layers[i], text);
    }
}
