/* Forced alignment: the best path of states along known words (Viterbi). */
#include "lib/speech/alignment_graph.h"

#include <math.h>
#include <string.h>

/* The scores of an utterance's frames. */
struct frames {
    const float *log_p, *log_prior;
    double prior_exponent;
    size_t states;
};

static double score_of(const struct frames *frames, size_t frame, size_t state)
{
    double score = (double)frames->log_p[frame * frames->states + state];
    return frames->log_prior == NULL ? score
                                     : score - frames->prior_exponent * (double)frames->log_prior[state];
}

/* The first frame is in a state that may be the first. */
static void begin(const struct graph *graph, const struct frames *frames, double *scores)
{
    for (size_t n = 0; n < graph->nodes; n++) {
        const struct node *node = &graph->node[n];
        scores[n] = -(double)INFINITY;
        for (size_t j = 0; j < node->arcs; j++)
            if (graph->arc[node->first + j] == FROM_START)
                scores[n] = score_of(frames, 0, node->state);
    }
}

/* Moves all paths by one frame, the last node first, since arcs come from nodes that stand before. trace:
 * receives for each node 0 if the best path stayed, otherwise 1 + the arc that it came by. */
static void advance(const struct graph *graph, const struct frames *frames, size_t frame, double *scores,
                    uint16_t *trace)
{
    for (size_t n = graph->nodes; n-- > 0;) {
        const struct node *node = &graph->node[n];
        trace[n] = 0;
        for (size_t j = 0; j < node->arcs; j++) {
            uint32_t from = graph->arc[node->first + j];
            if (from != FROM_START && scores[from] > scores[n]) {
                scores[n] = scores[from];
                trace[n] = (uint16_t)(j + 1);
            }
        }
        scores[n] += score_of(frames, frame, node->state);
    }
}

/* The best of the nodes that may be the last. Returns false if no path has come there. */
static bool find_end(const struct graph *graph, const double *scores, uint32_t *end)
{
    double best = -(double)INFINITY;
    for (size_t i = 0; i < graph->end_count; i++) {
        uint32_t node = graph->ends[i];
        if (node != FROM_START && scores[node] > best) {
            best = scores[node];
            *end = node;
        }
    }
    return best > -(double)INFINITY;
}

static void trace_back(const struct graph *graph, const uint16_t *traces, uint32_t at, size_t frames,
                       uint16_t *states)
{
    for (size_t t = frames; t-- > 0;) {
        const struct node *node = &graph->node[at];
        uint16_t trace = t > 0 ? traces[t * graph->nodes + at] : 0;
        states[t] = node->state;
        if (trace > 0)
            at = graph->arc[node->first + trace - 1];
    }
}

enum pst_status pst_align(struct pst_aligner *aligner, const struct pst_lexicon *lexicon,
                          const struct pst_word_list *words, const float *log_p, const float *log_prior,
                          double prior_exponent, size_t frames, uint16_t *states, double *score, bool *found,
                          struct pst_error *error)
{
    struct graph graph;
    struct frames all = { log_p, log_prior, prior_exponent, pst_corpus_states(lexicon->corpus) };
    size_t traces;
    *found = false;
    enum pst_status status = graph_build(&graph, aligner, lexicon, words, error);
    if (status != PST_OK || graph.nodes == 0)
        return status;
    if (!pst_multiply(frames, graph.nodes, &traces) || !pst_multiply(traces, sizeof(uint16_t), &traces))
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the paths of one utterance");
    if (pst_buffer_reserve(&aligner->traces, traces, 0, error) != PST_OK ||
        pst_buffer_reserve(&aligner->scores, graph.nodes * sizeof(double), 0, error) != PST_OK)
        return PST_TRY_AGAIN;
    double *scores = aligner->scores.data;
    uint16_t *trace = aligner->traces.data;
    uint32_t end = 0;
    begin(&graph, &all, scores);
    for (size_t t = 1; t < frames; t++)
        advance(&graph, &all, t, scores, trace + t * graph.nodes);
    *found = find_end(&graph, scores, &end);
    if (*found) {
        *score = scores[end];
        trace_back(&graph, trace, end, frames, states);
    }
    return PST_OK;
}

void pst_aligner_free(struct pst_aligner *aligner)
{
    pst_buffer_free(&aligner->nodes);
    pst_buffer_free(&aligner->arcs);
    pst_buffer_free(&aligner->scores);
    pst_buffer_free(&aligner->traces);
}
