/* What is printed at the end: all word errors, those of each speaker, and intervals. */
#include "stages/decoder/decoder.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t wrong(const struct pst_word_errors *errors)
{
    return errors->substitutions + errors->deletions + errors->insertions;
}

static double rate(uint64_t errors, uint64_t words)
{
    return words > 0 ? (double)errors / (double)words : NAN;
}

static void add(struct pst_word_errors *sum, const struct pst_word_errors *errors)
{
    sum->words += errors->words;
    sum->substitutions += errors->substitutions;
    sum->deletions += errors->deletions;
    sum->insertions += errors->insertions;
}

/* ---- sums ---------------------------------------------------------------------------------------------- */

/* The number of a speaker, who may be new. The search begins with the last one, because a speaker's
 * utterances mostly come together. */
static size_t speaker_of(struct results *results, const char *name)
{
    for (size_t i = results->speaker_count; i-- > 0;)
        if (strcmp(results->speakers[i], name) == 0)
            return i;
    results->speakers[results->speaker_count] = name;
    return results->speaker_count++;
}

static void sum_up(struct results *results)
{
    const struct decoder *decoder = results->decoder;
    for (size_t i = 0; i < decoder->outcome_count; i++) {
        const struct outcome *outcome = &decoder->outcomes[i];
        const struct pst_utterance *utterance = &decoder->corpus.utterances[outcome->utterance];
        results->frames += outcome->frames;
        results->score += outcome->found ? outcome->score : 0;
        results->found_frames += outcome->found ? outcome->frames : 0;
        size_t speaker = speaker_of(results, utterance->speaker);
        if (utterance->words == NULL)
            continue;
        results->transcripts++;
        results->wrong_utterances += wrong(&outcome->errors) > 0;
        add(&results->all, &outcome->errors);
        add(&results->others, &outcome->others);
        add(&results->of_speaker[speaker], &outcome->errors);
        add(&results->others_of_speaker[speaker], &outcome->others);
    }
}

static enum pst_status open_results(struct results *results, const struct decoder *decoder,
                                    struct pst_error *error)
{
    size_t most = decoder->outcome_count;
    results->decoder = decoder;
    results->speakers = pst_allocate(most, sizeof *results->speakers, error);
    results->of_speaker = pst_allocate(most, sizeof *results->of_speaker, error);
    results->others_of_speaker = pst_allocate(most, sizeof *results->others_of_speaker, error);
    return results->speakers != NULL && results->of_speaker != NULL && results->others_of_speaker != NULL
               ? PST_OK
               : PST_TRY_AGAIN;
}

static void close_results(struct results *results)
{
    free((void *)results->speakers);
    free(results->of_speaker);
    free(results->others_of_speaker);
}

/* ---- intervals ----------------------------------------------------------------------------------------- */

/* What is drawn: utterances, or speakers. */
struct units {
    size_t count;
    uint64_t *errors, *others, *words; /* [count]; one block, which begins at errors */
};

static enum pst_status list_units(struct units *units, const struct results *results, bool speakers,
                                  struct pst_error *error)
{
    const struct decoder *decoder = results->decoder;
    units->count = speakers ? results->speaker_count : decoder->outcome_count;
    units->errors = pst_allocate(3 * units->count, sizeof *units->errors, error);
    if (units->errors == NULL)
        return PST_TRY_AGAIN;
    units->others = units->errors + units->count;
    units->words = units->others + units->count;
    for (size_t i = 0; i < units->count; i++) {
        const struct pst_word_errors *errors =
            speakers ? &results->of_speaker[i] : &decoder->outcomes[i].errors;
        units->errors[i] = wrong(errors);
        units->others[i] = wrong(speakers ? &results->others_of_speaker[i] : &decoder->outcomes[i].others);
        units->words[i] = errors->words;
    }
    return PST_OK;
}

/* Adds an interval as two figures. keys, titles: of the low and the high end. */
static enum pst_status add_interval(struct pst_figures *figures, const struct results *results, bool speakers,
                                    bool difference, const char *const keys[2], const char *const titles[2],
                                    struct pst_error *error)
{
    struct units units;
    struct pst_interval interval;
    enum pst_status status = list_units(&units, results, speakers, error);
    if (status != PST_OK)
        return status;
    status = pst_bootstrap(units.errors, difference ? units.others : NULL, units.words, units.count,
                           results->decoder->resamples, results->decoder->seed, &interval, error);
    free(units.errors);
    pst_figures_add(figures, keys[0], titles[0], PST_FIGURE_SHARE, interval.low);
    pst_figures_add(figures, keys[1], titles[1], PST_FIGURE_SHARE, interval.high);
    return status;
}

static enum pst_status add_difference(struct pst_figures *figures, const struct results *results,
                                      struct pst_error *error)
{
    uint64_t errors = wrong(&results->all), others = wrong(&results->others), words = results->all.words;
    pst_figures_add(figures, "against_errors", "errors of --against", PST_FIGURE_COUNT, (double)others);
    pst_figures_add(figures, "against_wer", "WER of --against", PST_FIGURE_SHARE, rate(others, words));
    pst_figures_add(figures, "difference", "difference of WER", PST_FIGURE_SHARE,
                    rate(errors, words) - rate(others, words));
    enum pst_status status = add_interval(figures, results, false, true,
                                          (const char *const[]){ "difference_low", "difference_high" },
                                          (const char *const[]){ "  over utterances, from", "  to" }, error);
    if (status == PST_OK)
        status = add_interval(figures, results, true, true,
                              (const char *const[]){ "difference_low_speakers", "difference_high_speakers" },
                              (const char *const[]){ "  over speakers, from", "  to" }, error);
    return status;
}

/* ---- the report ---------------------------------------------------------------------------------------- */

static void add_errors(struct pst_figures *figures, const struct pst_word_errors *errors)
{
    pst_figures_add(figures, "words", "words", PST_FIGURE_COUNT, (double)errors->words);
    pst_figures_add(figures, "errors", "errors", PST_FIGURE_COUNT, (double)wrong(errors));
    pst_figures_add(figures, "wer", "WER", PST_FIGURE_SHARE, rate(wrong(errors), errors->words));
    pst_figures_add(figures, "substitutions", "substitutions", PST_FIGURE_COUNT,
                    (double)errors->substitutions);
    pst_figures_add(figures, "deletions", "deletions", PST_FIGURE_COUNT, (double)errors->deletions);
    pst_figures_add(figures, "insertions", "insertions", PST_FIGURE_COUNT, (double)errors->insertions);
}

static void add_speaker(const void *scores, size_t row, struct pst_figures *figures)
{
    const struct results *results = scores;
    add_errors(figures, &results->of_speaker[row]);
    if (results->decoder->against.index != PST_NONE)
        pst_figures_add(figures, "against_errors", "--against", PST_FIGURE_COUNT,
                        (double)wrong(&results->others_of_speaker[row]));
}

static double errors_of_speaker(const void *scores, size_t row)
{
    return (double)wrong(&((const struct results *)scores)->of_speaker[row]);
}

static enum pst_status make_report(struct results *results, struct pst_report *report,
                                   struct pst_error *error)
{
    struct pst_figures *whole = &report->whole;
    const struct decoder *decoder = results->decoder;
    pst_figures_add(whole, "utterances", "utterances", PST_FIGURE_COUNT, (double)decoder->outcome_count);
    pst_figures_add(whole, "speakers", "speakers", PST_FIGURE_COUNT, (double)results->speaker_count);
    pst_figures_add(whole, "frames", "frames", PST_FIGURE_COUNT, (double)results->frames);
    pst_figures_add(whole, "mean_score", "score of a frame", PST_FIGURE_NATS,
                    results->found_frames > 0 ? results->score / (double)results->found_frames : NAN);
    if (results->transcripts == 0)
        return PST_OK;
    add_errors(whole, &results->all);
    pst_figures_add(whole, "wrong_utterances", "utterances with errors", PST_FIGURE_COUNT,
                    (double)results->wrong_utterances);
    enum pst_status status =
        add_interval(whole, results, false, false, (const char *const[]){ "wer_low", "wer_high" },
                     (const char *const[]){ "WER over utterances, from", "  to" }, error);
    if (status == PST_OK)
        status = add_interval(whole, results, true, false,
                              (const char *const[]){ "wer_low_speakers", "wer_high_speakers" },
                              (const char *const[]){ "WER over speakers, from", "  to" }, error);
    if (status == PST_OK && decoder->against.index != PST_NONE)
        status = add_difference(whole, results, error);
    report->rows = (struct pst_rows){ .key = "per_speaker",
                                      .scope = "speaker",
                                      .numbered = true,
                                      .count = results->speaker_count,
                                      .row = add_speaker,
                                      .badness = errors_of_speaker,
                                      .others = "those with fewer errors",
                                      .scores = results };
    report->names = results->speakers;
    return status;
}

enum pst_status results_report(struct pst_run *run, struct pst_error *error)
{
    struct results results = { 0 };
    struct pst_report report = { 0 };
    enum pst_status status = open_results(&results, run->self, error);
    if (status == PST_OK) {
        sum_up(&results);
        status = make_report(&results, &report, error);
    }
    if (status == PST_OK)
        status = print_report(run, &report, error);
    close_results(&results);
    return status;
}
