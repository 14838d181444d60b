/* decoder: a sink that finds words from the scores of phones' states, or aligns known words. */
#include "stages/decoder/decoder.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

static const struct pst_option options[] = {
    { 0, "of", PST_STRING, offsetof(struct decoder, of_name),
      "tensor with the scores of states: logits, logits/NAME, soft, soft/NAME, or labels: y",
      .metavar = "TENSOR" },
    { 0, "against", PST_STRING, offsetof(struct decoder, against_name),
      "second tensor of scores: report the difference of both word error rates", .metavar = "TENSOR",
      .excludes = "tune|align" },
    { 0, "corpus", PST_STRING, offsetof(struct decoder, folder),
      "folder of the corpus that the utterances are from; otherwise AN4_DIR", .metavar = "DIR" },
    { 0, "priors", PST_STRING, offsetof(struct decoder, priors_path),
      "alignment; its counts of states give the prior probabilities of states", .metavar = "FILE",
      .files = PST_FILE_READ },
    { 0, "prior-exponent", PST_DOUBLE, offsetof(struct decoder, settings.prior_exponent),
      "A in the score log p(state | x) - A * log p(state)", .needs = "priors", .most = 10 },
    { 0, "language-model", PST_STRING, offsetof(struct decoder, model_path),
      "ARPA file with 1-grams, or 1-grams and 2-grams", .metavar = "FILE", .files = PST_FILE_READ,
      .excludes = "ngram|transcripts|align" },
    { 0, "ngram", PST_CHOICE, offsetof(struct decoder, ngram),
      "language model to estimate from transcripts; zerogram: all words equally likely",
      .choices = (const char *const[]){ "bigram", "unigram", "zerogram", NULL }, .excludes = "align" },
    { 0, "transcripts", PST_STRING, offsetof(struct decoder, transcripts),
      "utterances whose transcripts --ngram is estimated from; otherwise the training list",
      .metavar = "LIST", .files = PST_FILE_READ, .excludes = "align" },
    { 0, "language-model-scale", PST_DOUBLE, offsetof(struct decoder, settings.scale),
      "weight of the language model's log p", .most = 1000, .excludes = "align" },
    { 0, "word-penalty", PST_DOUBLE, offsetof(struct decoder, settings.penalty),
      "subtracted from the score for each word", .least = -1000, .most = 1000, .excludes = "align" },
    { 0, "beam", PST_DOUBLE, offsetof(struct decoder, settings.beam),
      "drop paths that are worse than the best by more than this; 0: drop none", .excludes = "align" },
    { 0, "tune", PST_STRING, offsetof(struct decoder, tune),
      "try prior exponents, scales and penalties, and write the best to this file", .metavar = "FILE",
      .files = PST_FILE_REPLACED,
      .excludes = "prior-exponent|language-model-scale|word-penalty|settings|align" },
    { 0, "settings", PST_STRING, offsetof(struct decoder, settings_path),
      "use the settings that --tune wrote", .metavar = "FILE", .files = PST_FILE_READ,
      .excludes = "prior-exponent|language-model-scale|word-penalty|align" },
    { 0, "against-settings", PST_STRING, offsetof(struct decoder, against_settings_path),
      "the same for the scores of --against", .metavar = "FILE", .files = PST_FILE_READ, .needs = "against" },
    { 0, "hypotheses", PST_STRING, offsetof(struct decoder, hypotheses_path),
      "write the words of each utterance to this file", .metavar = "FILE", .files = PST_FILE_REPLACED,
      .excludes = "align" },
    { 0, "ctm", PST_STRING, offsetof(struct decoder, ctm_path),
      "write the words with their times to this file", .metavar = "FILE", .files = PST_FILE_REPLACED,
      .excludes = "align" },
    { 0, "align", PST_STRING, offsetof(struct decoder, align_path),
      "find states along the transcripts, not words, and write them to this file", .metavar = "FILE",
      .files = PST_FILE_REPLACED },
    { 0, "flat", PST_FLAG, offsetof(struct decoder, flat),
      "give equal shares of the frames to all states, without any scores", .needs = "align",
      .excludes = "of|priors" },
    { 0, "shift", PST_POSITIVE_DOUBLE, offsetof(struct decoder, shift), "seconds from frame to frame",
      .least = 1e-4, .most = 10 },
    { 0, "resamples", PST_SIZE, offsetof(struct decoder, resamples), "draws of the bootstrap, for intervals",
      .metavar = "N", .least = 1, .most = 1000000, .excludes = "align" },
    { 0, "seed", PST_U64, offsetof(struct decoder, seed), "seed of the bootstrap", .metavar = "N",
      .excludes = "align" },
    { 0, "json", PST_FLAG, offsetof(struct decoder, as_json), "write one JSON object, not a table" },
    { 0 },
};

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    (void)count, (void)operands;
    struct decoder *decoder = run->self;
    if (decoder->settings.beam == 0)
        decoder->settings.beam = (double)INFINITY;
    return sources_open(run, error);
}

static enum pst_status look(struct pst_run *run, const struct pst_header *header, struct pst_header *out,
                            struct pst_error *error)
{
    (void)out;
    struct decoder *decoder = run->self;
    size_t states = pst_corpus_states(&decoder->corpus);
    decoder->of.index = decoder->against.index = PST_NONE;
    enum pst_status status = pst_header_require(header, "id", PST_DTYPE_U64, 0, NULL, &decoder->id, error);
    if (status == PST_OK && !decoder->flat)
        status = scores_open(&decoder->of, decoder->of_name, "--of", states, header, error);
    if (status == PST_OK && decoder->against_name != NULL)
        status = scores_open(&decoder->against, decoder->against_name, "--against", states, header, error);
    const struct pst_tensor_spec *of = &decoder->of.spec;
    if (status == PST_OK && decoder->of.kind == SCORES_SOFT && of->temperature != 0 && of->temperature != 1)
        pst_say(run, "%s is softened at T = %g: scores are of softened probabilities", of->name,
                of->temperature);
    return status;
}

static enum pst_status take(struct pst_run *run, const struct pst_batch *batch, struct pst_batch *out,
                            struct pst_error *error)
{
    (void)out;
    struct decoder *decoder = run->self;
    enum pst_status status = PST_OK;
    if (decoder->of.index != PST_NONE)
        status = scores_check(&decoder->of, batch, error);
    if (status == PST_OK && decoder->against.index != PST_NONE)
        status = scores_check(&decoder->against, batch, error);
    return status == PST_OK ? frames_take(run, batch, error) : status;
}

/* Searches all utterances, which are in memory, once more with the best settings. */
static enum pst_status tune_and_recognise(struct pst_run *run, struct pst_error *error)
{
    struct decoder *decoder = run->self;
    enum pst_status status = tune(run, error);
    for (size_t i = 0; i < decoder->outcome_count && status == PST_OK; i++)
        status = recognise(decoder, &decoder->outcomes[i], error);
    return status;
}

static enum pst_status commit(struct decoder *decoder, struct pst_error *error)
{
    struct text_file *const files[] = { &decoder->hypotheses, &decoder->ctm, &decoder->alignment,
                                        &decoder->tuned };
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < sizeof files / sizeof *files && status == PST_OK; i++)
        status = text_file_commit(files[i], error);
    return status;
}

static enum pst_status finish(struct pst_run *run, struct pst_error *error)
{
    struct decoder *decoder = run->self;
    struct pst_report report = { 0 };
    enum pst_status status = frames_end(run, error);
    if (status == PST_OK && decoder->outcome_count == 0)
        return pst_fail(error, PST_BAD_DATA, "the stream holds no frames");
    if (status == PST_OK && decoder->tune != NULL)
        status = tune_and_recognise(run, error);
    bool aligns = decoder->align_path != NULL;
    if (status == PST_OK && aligns)
        status = align_report(decoder, &report, error);
    if (status == PST_OK)
        status = aligns ? print_report(run, &report, error) : results_report(run, error);
    if (status == PST_OK)
        status = commit(decoder, error);
    if (status == PST_OK && aligns)
        say_left_out(run);
    else if (status == PST_OK)
        say_doubts(run);
    return status;
}

static void stop(struct pst_run *run)
{
    struct decoder *decoder = run->self;
    struct text_file *const files[] = { &decoder->hypotheses, &decoder->ctm, &decoder->alignment,
                                        &decoder->tuned };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        text_file_abandon(files[i]);
    scores_close(&decoder->of);
    scores_close(&decoder->against);
    pst_search_free(decoder->search);
    pst_hypothesis_free(&decoder->hypothesis);
    free(decoder->reference.words);
    free(decoder->words.words);
    pst_buffer_free(&decoder->scratch);
    pst_buffer_free(&decoder->states);
    pst_aligner_free(&decoder->aligner);
    free(decoder->outcomes);
    free(decoder->came);
    free(decoder->chosen);
    free(decoder->log_prior);
    pst_alignments_free(&decoder->aligned);
    pst_language_model_free(&decoder->model);
    pst_lexicon_close(&decoder->lexicon);
    pst_corpus_close(&decoder->corpus);
}

int main(int argc, char **argv)
{
    static const struct decoder defaults = {
        .settings = { .prior_exponent = 0.5, .scale = 4, .beam = 300 },
        .shift = 0.01,
        .resamples = 10000,
    };
    return pst_main(
        argc, argv,
        &(struct pst_stage){
            .name = "decoder",
            .purpose = "find words from scores of phones' states",
            .description =
                "Searches each utterance for its words: phones of three states, the words of the corpus's\n"
                "dictionary, silence between them, and a language model. Reports word errors if there are\n"
                "transcripts. Frames must be in order, as from loader --no-shuffle. With --align it writes\n"
                "the state of each frame along the transcript.",
            .example = "replay test.pst | decoder --priors train.ctm --settings tuned.txt",
            .see_also = "evaluator(1), loader(1), teacher-forward(1)",
            .options = options,
            .size = sizeof(struct decoder),
            .defaults = &defaults,
            .traits = PST_READS,
            .start = start,
            .on_header = look,
            .on_batch = take,
            .on_end = finish,
            .stop = stop });
}
