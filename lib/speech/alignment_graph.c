/* The paths of states along known words: each in all its forms, with silence between them or without. */
#include "lib/speech/alignment_graph.h"

static const struct pst_word *word_of(const struct pst_lexicon *lexicon, const struct pst_word_list *words,
                                      size_t i)
{
    return &lexicon->words[words->words[i]];
}

/* Sizes that are large enough: arcs of every form of a word to every form of the one before, and silence. */
static void measure(struct graph *graph, const struct pst_lexicon *lexicon, const struct pst_word_list *words,
                    size_t *most_ends)
{
    size_t before = 1;
    graph->nodes = graph->arcs = (words->count + 1) * PST_PHONE_STATES;
    *most_ends = 1;
    for (size_t i = 0; i < words->count; i++) {
        const struct pst_word *word = word_of(lexicon, words, i);
        for (size_t j = 0; j < word->count; j++) {
            size_t states = lexicon->corpus->dictionary[word->first + j].count * PST_PHONE_STATES;
            graph->nodes += states;
            graph->arcs += states + before;
        }
        before = word->count + 1;
        graph->arcs += before;
        *most_ends = before > *most_ends ? before : *most_ends;
    }
}

/* Adds the states of some phones behind those nodes. Returns the last of them. */
static uint32_t add_phones(struct graph *graph, const uint16_t *phones, size_t count, const uint32_t *behind,
                           size_t behind_count)
{
    for (size_t i = 0; i < count * PST_PHONE_STATES; i++) {
        uint32_t previous = (uint32_t)graph->nodes - 1;
        size_t arcs = i == 0 ? behind_count : 1;
        graph->node[graph->nodes++] = (struct node){
            (uint32_t)graph->arcs, (uint16_t)arcs,
            (uint16_t)(phones[i / PST_PHONE_STATES] * PST_PHONE_STATES + i % PST_PHONE_STATES)
        };
        for (size_t j = 0; j < arcs; j++)
            graph->arc[graph->arcs++] = i == 0 ? behind[j] : previous;
    }
    return (uint32_t)graph->nodes - 1;
}

/* Adds silence behind the ends, which then is one of them. */
static void add_silence(struct graph *graph, const struct pst_corpus *corpus)
{
    const uint16_t silence = (uint16_t)corpus->silence;
    if (corpus->silence < corpus->phones) {
        uint32_t last = add_phones(graph, &silence, 1, graph->ends, graph->end_count);
        graph->ends[graph->end_count++] = last;
    }
}

enum pst_status graph_build(struct graph *graph, struct pst_aligner *aligner,
                            const struct pst_lexicon *lexicon, const struct pst_word_list *words,
                            struct pst_error *error)
{
    size_t most_ends;
    measure(graph, lexicon, words, &most_ends);
    size_t arcs = graph->arcs + 2 * (most_ends + 1);
    if (graph->nodes > UINT32_MAX - 1 || arcs > UINT32_MAX || most_ends >= UINT16_MAX)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the paths of one utterance");
    if (pst_buffer_reserve(&aligner->nodes, graph->nodes * sizeof *graph->node, 0, error) != PST_OK ||
        pst_buffer_reserve(&aligner->arcs, arcs * sizeof *graph->arc, 0, error) != PST_OK)
        return PST_TRY_AGAIN;
    graph->node = aligner->nodes.data;
    graph->arc = aligner->arcs.data;
    graph->ends = graph->arc + graph->arcs;
    uint32_t *next_ends = graph->ends + most_ends + 1;
    graph->nodes = graph->arcs = 0;
    graph->ends[0] = FROM_START;
    graph->end_count = 1;
    add_silence(graph, lexicon->corpus);
    for (size_t i = 0; i < words->count; i++) {
        const struct pst_word *word = word_of(lexicon, words, i);
        for (size_t j = 0; j < word->count; j++) {
            const struct pst_pronunciation *said = &lexicon->corpus->dictionary[word->first + j];
            next_ends[j] = add_phones(graph, said->phones, said->count, graph->ends, graph->end_count);
        }
        for (size_t j = 0; j < word->count; j++)
            graph->ends[j] = next_ends[j];
        graph->end_count = word->count;
        add_silence(graph, lexicon->corpus);
    }
    return PST_OK;
}
