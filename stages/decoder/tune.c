/* --tune: which settings make the fewest word errors. */
#include "stages/decoder/decoder.h"

#include <jansson.h>
#include <stdlib.h>

static const double exponents[] = { 0, 0.25, 0.5, 0.75, 1 };
static const double scales[] = { 1, 2, 4, 7, 11, 16 };
static const double penalties[] = { -8, 0, 8, 16, 24 };

#define EXPONENTS (sizeof exponents / sizeof *exponents)
#define SCALES (sizeof scales / sizeof *scales)
#define PENALTIES (sizeof penalties / sizeof *penalties)

/* Word errors of all settings, and the number of exponents: without priors one, 0. */
struct grid {
    uint64_t errors[EXPONENTS][SCALES][PENALTIES];
    size_t exponents;
};

static enum pst_status try(struct pst_run *run, const struct pst_search_settings *settings, uint64_t *wrong,
                           struct pst_error *error)
{
    struct decoder *decoder = run->self;
    struct pst_word_errors errors = { 0 };
    enum pst_status status = PST_OK;
    pst_search_set(decoder->search, &decoder->model, decoder->log_prior, settings);
    for (size_t i = 0; i < decoder->outcome_count && status == PST_OK; i++) {
        bool found;
        status = pst_stop_signal() != 0
                     ? PST_STOPPED
                     : recognise_errors(decoder, &decoder->of, &decoder->outcomes[i], &errors, &found, error);
    }
    *wrong = errors.substitutions + errors.deletions + errors.insertions;
    if (status == PST_OK)
        pst_log(run, "tried",
                json_pack("{s:f, s:f, s:f, s:I}", "prior_exponent", settings->prior_exponent,
                          "language_model_scale", settings->scale, "word_penalty", settings->penalty,
                          "errors", (json_int_t)*wrong));
    if (status == PST_OK && errors.words == 0)
        return pst_fail(error, PST_BAD_DATA,
                        "--tune needs transcripts, but no utterance of the stream has one");
    return status;
}

/* The mean errors of a setting and those next to it. */
static double around(const struct grid *grid, size_t a, size_t s, size_t p)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = a > 0 ? a - 1 : 0; i <= a + 1 && i < grid->exponents; i++)
        for (size_t j = s > 0 ? s - 1 : 0; j <= s + 1 && j < SCALES; j++)
            for (size_t k = p > 0 ? p - 1 : 0; k <= p + 1 && k < PENALTIES; k++, count++)
                sum += (double)grid->errors[i][j][k];
    return sum / (double)count;
}

/* Chooses the settings with the fewest errors; of several, those whose neighbours have the fewest: with few
 * speakers a wide minimum is more reliable than a narrow one. */
static void choose(const struct grid *grid, struct pst_search_settings *settings)
{
    uint64_t least = UINT64_MAX;
    double least_around = 0;
    for (size_t a = 0; a < grid->exponents; a++)
        for (size_t s = 0; s < SCALES; s++)
            for (size_t p = 0; p < PENALTIES; p++) {
                uint64_t errors = grid->errors[a][s][p];
                double mean = around(grid, a, s, p);
                if (errors > least || (errors == least && mean >= least_around))
                    continue;
                least = errors;
                least_around = mean;
                settings->prior_exponent = exponents[a];
                settings->scale = scales[s];
                settings->penalty = penalties[p];
            }
}

enum pst_status tune(struct pst_run *run, struct pst_error *error)
{
    struct decoder *decoder = run->self;
    struct grid grid = { .exponents = decoder->log_prior != NULL ? EXPONENTS : 1 };
    struct pst_search_settings settings = decoder->settings;
    for (size_t a = 0; a < grid.exponents; a++)
        for (size_t s = 0; s < SCALES; s++)
            for (size_t p = 0; p < PENALTIES; p++) {
                settings.prior_exponent = exponents[a];
                settings.scale = scales[s];
                settings.penalty = penalties[p];
                enum pst_status status = try(run, &settings, &grid.errors[a][s][p], error);
                if (status != PST_OK)
                    return status;
            }
    choose(&grid, &decoder->settings);
    settings_write(decoder->tuned.out, &decoder->settings);
    return PST_OK;
}

/* If the best setting is at the edge of those that were tried, a better one may be beyond. */
void tune_say_edges(struct pst_run *run)
{
    const struct pst_search_settings *settings = &((const struct decoder *)run->self)->settings;
    if (settings->scale == scales[0] || settings->scale == scales[SCALES - 1])
        pst_say(run, "the best language model scale, %g, is at the edge of those that were tried, %g to %g",
                settings->scale, scales[0], scales[SCALES - 1]);
    if (settings->penalty == penalties[0] || settings->penalty == penalties[PENALTIES - 1])
        pst_say(run, "the best word penalty, %g, is at the edge of those that were tried, %g to %g",
                settings->penalty, penalties[0], penalties[PENALTIES - 1]);
}
