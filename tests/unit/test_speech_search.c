/* The search for words and forced alignment, against all paths, which are tried one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "speech_fixture.h"

#include <math.h>

#define MOST_FRAMES 9

static const struct pst_search_settings settings = {
    .prior_exponent = 0.3, .scale = 1.7, .penalty = -0.4, .beam = (double)INFINITY
};

/* ---- all paths of all words ---------------------------------------------------------------------------- */

/* The parts of a path, and the best path so far. */
struct trial {
    struct speech_fixture fixture;
    struct pst_language_model model;
    float log_p[MOST_FRAMES * STATES], log_prior[STATES];
    size_t frames;
    uint32_t words[MOST_FRAMES], best_words[MOST_FRAMES];
    size_t count, best_count;
    double best;
};

static double frame_score(const struct trial *trial, size_t frame, size_t state)
{
    return (double)trial->log_p[frame * STATES + state] -
           settings.prior_exponent * (double)trial->log_prior[state];
}

static double word_score(const struct trial *trial, size_t word)
{
    size_t before = trial->count > 0 ? trial->words[trial->count - 1] : WORDS;
    double log_p = (double)trial->model.log_p[before * (WORDS + 1) + word];
    return isinf(log_p) ? log_p : settings.scale * log_p - (word < WORDS ? settings.penalty : 0);
}

static void next(struct trial *trial, size_t frame, double score, bool was_silence);

/* Tries all ways through the states of some phones from a frame on. */
static void through(struct trial *trial, const uint16_t *phones, size_t count, size_t place, size_t frame,
                    double score, bool silence)
{
    if (frame == trial->frames)
        return;
    score += frame_score(trial, frame, phones[place / 3] * 3U + place % 3);
    through(trial, phones, count, place, frame + 1, score, silence);
    if (place + 1 < 3 * count)
        through(trial, phones, count, place + 1, frame + 1, score, silence);
    else
        next(trial, frame + 1, score, silence);
}

/* Tries what may follow a word or silence. */
static void next(struct trial *trial, size_t frame, double score, bool was_silence)
{
    const struct pst_lexicon *lexicon = &trial->fixture.lexicon;
    if (frame == trial->frames) {
        double whole = score + word_score(trial, WORDS);
        if (whole > trial->best) {
            trial->best = whole;
            trial->best_count = trial->count;
            memcpy(trial->best_words, trial->words, sizeof trial->words);
        }
        return;
    }
    for (uint32_t word = 0; word < WORDS; word++) {
        double entered = score + word_score(trial, word);
        trial->words[trial->count++] = word;
        for (size_t form = 0; form < lexicon->words[word].count; form++) {
            const struct pst_pronunciation *said =
                &trial->fixture.corpus.dictionary[lexicon->words[word].first + form];
            through(trial, said->phones, said->count, 0, frame, entered, false);
        }
        trial->count--;
    }
    if (!was_silence && trial->fixture.corpus.silence < PHONES)
        through(trial, fixture_silence, 1, 0, frame, score, true);
}

static void open_trial(struct trial *trial, uint64_t seed)
{
    *trial = (struct trial){ .best = -(double)INFINITY };
    struct speech_fixture *fixture = &trial->fixture;
    const bool chosen[4] = { true, true, true, true };
    speech_open(fixture, seed % 3 != 0, seed);
    trial->frames = 1 + seed % MOST_FRAMES;
    assert_int_equal(
        pst_language_model_estimate(&trial->model, &fixture->lexicon, chosen, PST_ZEROGRAM, &fixture->error),
        PST_OK);
    speech_scores(fixture, trial->model.log_p, (WORDS + 1) * (size_t)(WORDS + 1));
    trial->model.log_p[seed % 16] = -INFINITY;
    speech_scores(fixture, trial->log_p, MOST_FRAMES * STATES);
    speech_scores(fixture, trial->log_prior, STATES);
}

static void close_trial(struct trial *trial)
{
    pst_language_model_free(&trial->model);
    speech_close(&trial->fixture);
}

static void assert_same(const struct trial *trial, const struct pst_hypothesis *hypothesis)
{
    assert_int_equal(hypothesis->found, trial->best > -(double)INFINITY);
    if (!hypothesis->found)
        return;
    assert_float_equal(hypothesis->score, trial->best, 1e-4);
    assert_int_equal(hypothesis->count, trial->best_count);
    for (size_t i = 0; i < hypothesis->count; i++) {
        assert_int_equal(hypothesis->words[i].word, trial->best_words[i]);
        assert_true(hypothesis->words[i].end >= hypothesis->words[i].begin + 3);
        assert_true(i == 0 || hypothesis->words[i].begin >= hypothesis->words[i - 1].end);
    }
}

/* One search serves all utterances of a kind, as in a stream. */
static void the_search_finds_the_best_of_all_paths(void **state)
{
    (void)state;
    struct pst_hypothesis hypothesis = { 0 };
    size_t found = 0;
    for (uint64_t seed = 0; seed < 180; seed++) {
        struct trial trial;
        struct pst_search *search;
        open_trial(&trial, seed);
        next(&trial, 0, 0, false);
        assert_int_equal(pst_search_new(&search, &trial.fixture.lexicon, &trial.fixture.error), PST_OK);
        pst_search_set(search, &trial.model, trial.log_prior, &settings);
        for (int again = 0; again < 2; again++) {
            assert_int_equal(
                pst_search_utterance(search, trial.log_p, trial.frames, &hypothesis, &trial.fixture.error),
                PST_OK);
            assert_same(&trial, &hypothesis);
        }
        found += hypothesis.found;
        pst_search_free(search);
        close_trial(&trial);
    }
    assert_true(found > 100);
    pst_hypothesis_free(&hypothesis);
}

static void a_wide_beam_changes_nothing_and_a_narrow_one_may(void **state)
{
    (void)state;
    struct pst_hypothesis exact = { 0 }, other = { 0 };
    size_t worse = 0;
    for (uint64_t seed = 6; seed < 180; seed++) {
        struct trial trial;
        struct pst_search *search;
        open_trial(&trial, seed);
        struct pst_error *error = &trial.fixture.error;
        struct pst_search_settings wide = settings, narrow = settings;
        wide.beam = 100;
        narrow.beam = 0.5;
        assert_int_equal(pst_search_new(&search, &trial.fixture.lexicon, error), PST_OK);
        pst_search_set(search, &trial.model, trial.log_prior, &settings);
        assert_int_equal(pst_search_utterance(search, trial.log_p, trial.frames, &exact, error), PST_OK);
        pst_search_set(search, &trial.model, trial.log_prior, &wide);
        assert_int_equal(pst_search_utterance(search, trial.log_p, trial.frames, &other, error), PST_OK);
        assert_true(exact.score == other.score && exact.count == other.count);
        pst_search_set(search, &trial.model, trial.log_prior, &narrow);
        assert_int_equal(pst_search_utterance(search, trial.log_p, trial.frames, &other, error), PST_OK);
        assert_true(!other.found || other.score <= exact.score + 1e-4);
        worse += !other.found || other.score < exact.score - 1e-4;
        pst_search_free(search);
        close_trial(&trial);
    }
    assert_true(worse > 0);
    pst_hypothesis_free(&exact);
    pst_hypothesis_free(&other);
}

/* With thousands of frames, no score may be lost in the sum. */
static void a_long_utterance_keeps_its_score(void **state)
{
    (void)state;
    const size_t frames = 60000;
    struct trial trial;
    struct pst_search *search;
    struct pst_hypothesis hypothesis = { 0 };
    open_trial(&trial, 1);
    float *log_p = malloc(frames * STATES * sizeof *log_p);
    for (size_t i = 0; i < frames * STATES; i++)
        log_p[i] = i % STATES == (i / STATES) % 3 ? 0.0F : -70.125F;
    for (size_t i = 0; i < (WORDS + 1) * (WORDS + 1); i++)
        trial.model.log_p[i] = -1;
    assert_int_equal(pst_search_new(&search, &trial.fixture.lexicon, &trial.fixture.error), PST_OK);
    pst_search_set(search, &trial.model, NULL, &settings);
    assert_int_equal(pst_search_utterance(search, log_p, frames, &hypothesis, &trial.fixture.error), PST_OK);
    assert_int_equal(hypothesis.count, frames / 3);
    double due = -settings.scale * (double)(frames / 3 + 1) - settings.penalty * (double)(frames / 3);
    assert_float_equal(hypothesis.score, due, 1e-2);
    assert_int_equal(hypothesis.words[frames / 3 - 1].begin, frames - 3);
    free(log_p);
    pst_hypothesis_free(&hypothesis);
    pst_search_free(search);
    close_trial(&trial);
}

/* ---- alignment ----------------------------------------------------------------------------------------- */

/* The paths of states along known words. */
struct aligning {
    struct trial *trial;
    const struct pst_word_list *words;
    uint16_t path[MOST_FRAMES], best_path[MOST_FRAMES];
    double best;
};

static void next_word(struct aligning *all, size_t word, size_t frame, double score, bool was_silence);

static void along(struct aligning *all, const uint16_t *phones, size_t count, size_t place, size_t word,
                  size_t frame, double score, bool silence)
{
    if (frame == all->trial->frames)
        return;
    all->path[frame] = (uint16_t)(phones[place / 3] * 3U + place % 3);
    score += frame_score(all->trial, frame, all->path[frame]);
    along(all, phones, count, place, word, frame + 1, score, silence);
    all->path[frame] = (uint16_t)(phones[place / 3] * 3U + place % 3);
    if (place + 1 < 3 * count)
        along(all, phones, count, place + 1, word, frame + 1, score, silence);
    else
        next_word(all, word, frame + 1, score, silence);
}

static void next_word(struct aligning *all, size_t word, size_t frame, double score, bool was_silence)
{
    const struct pst_lexicon *lexicon = &all->trial->fixture.lexicon;
    if (frame == all->trial->frames && word == all->words->count && score > all->best) {
        all->best = score;
        memcpy(all->best_path, all->path, sizeof all->path);
    }
    if (frame == all->trial->frames)
        return;
    if (word < all->words->count) {
        const struct pst_word *said = &lexicon->words[all->words->words[word]];
        for (size_t form = 0; form < said->count; form++) {
            const struct pst_pronunciation *how = &lexicon->corpus->dictionary[said->first + form];
            along(all, how->phones, how->count, 0, word + 1, frame, score, false);
        }
    }
    if (!was_silence && lexicon->corpus->silence < PHONES)
        along(all, fixture_silence, 1, 0, word, frame, score, true);
}

static void an_alignment_is_the_best_of_all_paths(void **state)
{
    (void)state;
    static uint32_t spoken[][3] = { { WORD_B }, { WORD_A, WORD_B }, { WORD_AB }, { WORD_A, WORD_A, WORD_A } };
    static const size_t counts[] = { 1, 2, 1, 3, 0 };
    struct pst_aligner aligner = { 0 };
    size_t aligned = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct trial trial;
        open_trial(&trial, seed);
        struct pst_word_list words = { .count = counts[seed % 5], .words = spoken[seed % 5 % 4] };
        struct aligning all = { .trial = &trial, .words = &words, .best = -(double)INFINITY };
        uint16_t states[MOST_FRAMES];
        double score = 0;
        bool found;
        next_word(&all, 0, 0, 0, false);
        assert_int_equal(pst_align(&aligner, &trial.fixture.lexicon, &words, trial.log_p, trial.log_prior,
                                   settings.prior_exponent, trial.frames, states, &score, &found,
                                   &trial.fixture.error),
                         PST_OK);
        assert_int_equal(found, all.best > -(double)INFINITY);
        aligned += found;
        if (found) {
            assert_float_equal(score, all.best, 1e-6);
            assert_memory_equal(states, all.best_path, trial.frames * sizeof *states);
        }
        close_trial(&trial);
    }
    assert_true(aligned > 50);
    pst_aligner_free(&aligner);
}

/* ---- flat start and priors ----------------------------------------------------------------------------- */

static void a_flat_start_shares_the_frames(void **state)
{
    (void)state;
    struct speech_fixture fixture;
    uint32_t spoken[] = { WORD_B }; /* the first form is one phone */
    struct pst_word_list words = { .count = 1, .words = spoken };
    uint16_t states[12];
    speech_open(&fixture, true, 1);
    const uint16_t due[] = { 6, 7, 8, 8, 3, 4, 5, 5, 6, 7, 8, 8 };
    assert_true(pst_flat_start(&fixture.lexicon, &words, 12, states));
    assert_memory_equal(states, due, sizeof due);
    assert_false(pst_flat_start(&fixture.lexicon, &words, 8, states));
    assert_true(pst_flat_start(&fixture.lexicon, &words, 9, states));
    speech_close(&fixture);
    speech_open(&fixture, false, 1);
    const uint16_t without_silence[] = { 3, 4, 4, 5, 5 };
    assert_true(pst_flat_start(&fixture.lexicon, &words, 5, states));
    assert_memory_equal(states, without_silence, sizeof without_silence);
    words.count = 0;
    assert_false(pst_flat_start(&fixture.lexicon, &words, 5, states));
    speech_close(&fixture);
}

static void priors_are_shares_of_the_frames(void **state)
{
    (void)state;
    struct speech_fixture fixture;
    uint16_t first[] = { 0, 0, 1, 8 };
    size_t frames[] = { 4, 0, 0, 0 }, none[] = { 0, 0, 0, 0 };
    uint16_t *states[] = { first, NULL, NULL, NULL };
    struct pst_alignments alignments = { .count = 4, .frames = frames, .states = states };
    float log_prior[STATES];
    speech_open(&fixture, true, 1);
    assert_int_equal(pst_alignments_priors(&alignments, &fixture.corpus, log_prior, &fixture.error), PST_OK);
    /* Six of the nine states have no frame, and count as half a frame each. */
    assert_float_equal(exp((double)log_prior[0]), 2.0 / 7, 1e-6);
    assert_float_equal(exp((double)log_prior[8]), 1.0 / 7, 1e-6);
    assert_float_equal(exp((double)log_prior[5]), 0.5 / 7, 1e-6);
    alignments.frames = none;
    assert_int_equal(pst_alignments_priors(&alignments, &fixture.corpus, log_prior, &fixture.error),
                     PST_BAD_DATA);
    speech_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_search_finds_the_best_of_all_paths),
        cmocka_unit_test(a_wide_beam_changes_nothing_and_a_narrow_one_may),
        cmocka_unit_test(a_long_utterance_keeps_its_score),
        cmocka_unit_test(an_alignment_is_the_best_of_all_paths),
        cmocka_unit_test(a_flat_start_shares_the_frames),
        cmocka_unit_test(priors_are_shares_of_the_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
