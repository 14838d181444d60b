/* --align: the states of an utterance along its transcript. */
#include "stages/decoder/decoder.h"

static bool leave_out(struct decoder *decoder, const struct outcome *outcome, size_t *kind)
{
    if (decoder->left_out.silent + decoder->left_out.brief == 0)
        decoder->left_out.example = outcome->utterance;
    ++*kind;
    return false;
}

/* Counts the frames that have the same state as in --priors. */
static void compare(struct decoder *decoder, const struct outcome *outcome, const uint16_t *states)
{
    if (decoder->aligned.frames == NULL || decoder->aligned.frames[outcome->utterance] == 0)
        return;
    const uint16_t *before = decoder->aligned.states[outcome->utterance];
    for (size_t t = 0; t < outcome->frames; t++)
        decoder->same_frames += states[t] == before[t];
    decoder->compared_frames += outcome->frames;
}

enum pst_status align(struct decoder *decoder, struct outcome *outcome, struct pst_error *error)
{
    double score = 0;
    if (decoder->corpus.utterances[outcome->utterance].words == NULL) {
        outcome->found = leave_out(decoder, outcome, &decoder->left_out.silent);
        return PST_OK;
    }
    if (pst_buffer_reserve(&decoder->states, outcome->frames * sizeof(uint16_t), 0, error) != PST_OK)
        return PST_TRY_AGAIN;
    uint16_t *states = decoder->states.data;
    enum pst_status status =
        pst_lexicon_transcript(&decoder->lexicon, outcome->utterance, &decoder->reference, error);
    if (status == PST_OK && decoder->flat)
        outcome->found = pst_flat_start(&decoder->lexicon, &decoder->reference, outcome->frames, states);
    else if (status == PST_OK)
        status = pst_align(&decoder->aligner, &decoder->lexicon, &decoder->reference, decoder->of.log_p,
                           decoder->log_prior, decoder->settings.prior_exponent, outcome->frames, states,
                           &score, &outcome->found, error);
    if (status == PST_OK && !outcome->found)
        leave_out(decoder, outcome, &decoder->left_out.brief);
    if (status != PST_OK || !outcome->found)
        return status;
    pst_alignment_write(decoder->alignment.out, &decoder->corpus, outcome->utterance, states, outcome->frames,
                        decoder->shift);
    compare(decoder, outcome, states);
    decoder->log_likelihood += score;
    decoder->aligned_frames += outcome->frames;
    return PST_OK;
}

enum pst_status align_report(const struct decoder *decoder, struct pst_report *report,
                             struct pst_error *error)
{
    const struct left_out *left_out = &decoder->left_out;
    size_t count = left_out->silent + left_out->brief;
    if (count == decoder->outcome_count)
        return pst_fail(
            error, PST_BAD_DATA,
            "no utterance can be aligned: without a transcript %zu, with fewer frames than states %zu",
            left_out->silent, left_out->brief);
    struct pst_figures *whole = &report->whole;
    pst_figures_add(whole, "utterances", "utterances", PST_FIGURE_COUNT, (double)decoder->outcome_count);
    pst_figures_add(whole, "aligned", "aligned", PST_FIGURE_COUNT, (double)(decoder->outcome_count - count));
    pst_figures_add(whole, "left_out", "left out", PST_FIGURE_COUNT, (double)count);
    pst_figures_add(whole, "frames", "aligned frames", PST_FIGURE_COUNT, (double)decoder->aligned_frames);
    if (!decoder->flat)
        pst_figures_add(whole, "mean_log_likelihood", "log-likelihood of a frame", PST_FIGURE_NATS,
                        decoder->log_likelihood / (double)decoder->aligned_frames);
    if (decoder->compared_frames > 0)
        pst_figures_add(whole, "unchanged", "states as in --priors", PST_FIGURE_SHARE,
                        (double)decoder->same_frames / (double)decoder->compared_frames);
    return PST_OK;
}
