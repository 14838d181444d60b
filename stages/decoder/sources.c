/* What is opened before the stream: the corpus, the language model, priors and settings. */
#include "stages/decoder/decoder.h"

#include <stdlib.h>

static enum pst_status open_corpus(struct decoder *decoder, struct pst_error *error)
{
    const char *folder = decoder->folder != NULL ? decoder->folder : getenv("AN4_DIR");
    if (folder == NULL || *folder == '\0')
        return pst_fail(error, PST_USAGE, "which corpus? give its folder with --corpus, or set AN4_DIR");
    enum pst_status status = pst_corpus_open(&decoder->corpus, folder, error);
    if (status == PST_OK)
        status = pst_lexicon_open(&decoder->lexicon, &decoder->corpus, error);
    if (status != PST_OK)
        return status;
    decoder->came = pst_allocate(decoder->corpus.count + 1, sizeof *decoder->came, error);
    decoder->chosen = pst_allocate(decoder->corpus.count + 1, sizeof *decoder->chosen, error);
    return decoder->came != NULL && decoder->chosen != NULL ? PST_OK : PST_TRY_AGAIN;
}

static enum pst_status open_priors(struct decoder *decoder, struct pst_error *error)
{
    if (decoder->priors_path == NULL)
        return PST_OK;
    enum pst_status status =
        pst_alignments_read(&decoder->aligned, &decoder->corpus, decoder->priors_path, decoder->shift, error);
    if (status != PST_OK)
        return status;
    decoder->log_prior = pst_allocate(pst_corpus_states(&decoder->corpus), sizeof *decoder->log_prior, error);
    if (decoder->log_prior == NULL)
        return PST_TRY_AGAIN;
    if (pst_alignments_priors(&decoder->aligned, &decoder->corpus, decoder->log_prior, error) == PST_OK)
        return PST_OK;
    return pst_fail_at(error, "%s", decoder->priors_path);
}

/* The training list's transcripts, or those of a list. */
static enum pst_status estimate_model(struct decoder *decoder, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < decoder->corpus.count; i++)
        decoder->chosen[i] = !decoder->corpus.utterances[i].test;
    if (decoder->transcripts != NULL)
        status = pst_corpus_mark(&decoder->corpus, decoder->transcripts, decoder->chosen, error);
    if (status == PST_OK)
        status = pst_language_model_estimate(&decoder->model, &decoder->lexicon, decoder->chosen,
                                             (enum pst_ngram)decoder->ngram, error);
    for (size_t i = 0; i < decoder->corpus.count; i++)
        decoder->chosen[i] = decoder->chosen[i] && decoder->ngram != PST_ZEROGRAM;
    return status;
}

static enum pst_status open_settings(struct decoder *decoder, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    double beam = decoder->settings.beam;
    if (decoder->settings_path != NULL)
        status = settings_read(&decoder->settings, decoder->settings_path, error);
    decoder->against_settings = decoder->settings;
    if (status == PST_OK && decoder->against_settings_path != NULL)
        status = settings_read(&decoder->against_settings, decoder->against_settings_path, error);
    decoder->settings.beam = decoder->against_settings.beam = beam;
    if (status != PST_OK || decoder->log_prior != NULL)
        return status;
    if (decoder->settings_path != NULL && decoder->settings.prior_exponent != 0)
        return pst_fail(error, PST_USAGE, "the prior exponent of %s needs --priors", decoder->settings_path);
    if (decoder->against_settings_path != NULL && decoder->against_settings.prior_exponent != 0)
        return pst_fail(error, PST_USAGE, "the prior exponent of %s needs --priors",
                        decoder->against_settings_path);
    decoder->settings.prior_exponent = decoder->against_settings.prior_exponent = 0;
    return PST_OK;
}

static enum pst_status open_files(struct pst_run *run, struct pst_error *error)
{
    struct decoder *decoder = run->self;
    enum pst_status status = text_file_open(run, &decoder->hypotheses, decoder->hypotheses_path, error);
    if (status == PST_OK)
        status = text_file_open(run, &decoder->ctm, decoder->ctm_path, error);
    if (status == PST_OK)
        status = text_file_open(run, &decoder->alignment, decoder->align_path, error);
    return status == PST_OK ? text_file_open(run, &decoder->tuned, decoder->tune, error) : status;
}

enum pst_status sources_open(struct pst_run *run, struct pst_error *error)
{
    struct decoder *decoder = run->self;
    enum pst_status status = open_corpus(decoder, error);
    if (status == PST_OK)
        status = open_priors(decoder, error);
    if (status == PST_OK)
        status = open_settings(decoder, error);
    if (status == PST_OK && decoder->align_path == NULL) {
        status = decoder->model_path != NULL
                     ? pst_language_model_read(&decoder->model, &decoder->lexicon, decoder->model_path, error)
                     : estimate_model(decoder, error);
        if (status == PST_OK)
            status = pst_search_new(&decoder->search, &decoder->lexicon, error);
    }
    return status == PST_OK ? open_files(run, error) : status;
}
