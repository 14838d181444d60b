/* Warnings at the end of a run without errors: reasons why figures look better, or worse, than they are. */
#include "stages/decoder/decoder.h"

void say_left_out(struct pst_run *run)
{
    const struct decoder *decoder = run->self;
    const struct left_out *left_out = &decoder->left_out;
    size_t count = left_out->silent + left_out->brief;
    if (count > 0)
        pst_say(
            run,
            "%zu of %zu utterances are left out, %s the first: without a transcript %zu, with fewer frames "
            "than states %zu",
            count, decoder->outcome_count, decoder->corpus.utterances[left_out->example].name,
            left_out->silent, left_out->brief);
}

void say_doubts(struct pst_run *run)
{
    const struct decoder *decoder = run->self;
    size_t known = 0, silent = 0, not_found = 0, count = decoder->outcome_count;
    for (size_t i = 0; i < count; i++) {
        const struct outcome *outcome = &decoder->outcomes[i];
        known += decoder->chosen[outcome->utterance];
        silent += decoder->corpus.utterances[outcome->utterance].words == NULL;
        not_found += !outcome->found;
    }
    if (decoder->tune != NULL)
        tune_say_edges(run);
    if (known > 0)
        pst_say(run,
                "the language model was estimated from the transcripts of %zu of these %zu utterances, so it "
                "knows what they say; --transcripts LIST names others",
                known, count);
    if (silent > 0)
        pst_say(run, "%zu of %zu utterances have no transcript: no errors of them are counted", silent,
                count);
    if (not_found > 0)
        pst_say(run, "in %zu of %zu utterances no path of words reaches the end, so they have no words",
                not_found, count);
    if (decoder->model.unknown > 0)
        pst_say(run, "%s does not have %zu of the dictionary's %zu words: they get the probability of <unk>",
                decoder->model_path, decoder->model.unknown, decoder->lexicon.count);
}
