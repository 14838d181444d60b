/* alignment_graph.h: the paths of states along known words. */
#ifndef PIPESTILL_LIB_SPEECH_ALIGNMENT_GRAPH_H
#define PIPESTILL_LIB_SPEECH_ALIGNMENT_GRAPH_H

#include "pipestill/speech.h"

#define FROM_START UINT32_MAX /* in place of a node */

/* A state in the words. It can follow itself and the nodes of its arcs, which all stand before it. */
struct node {
    uint32_t first; /* of its arcs */
    uint16_t arcs, state;
};

struct graph {
    size_t nodes, arcs;
    struct node *node;
    uint32_t *arc;  /* nodes, or FROM_START */
    uint32_t *ends; /* nodes that may be the last */
    size_t end_count;
};

/* Makes the graph of some words in the aligner's memory. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status graph_build(struct graph *graph, struct pst_aligner *aligner,
                                        const struct pst_lexicon *lexicon, const struct pst_word_list *words,
                                        struct pst_error *error);

#endif
