/* Words: lexicon, language models, word errors and the bootstrap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "speech_fixture.h"

#include <math.h>
#include <unistd.h>

/* ---- lexicon ------------------------------------------------------------------------------------------- */

static void words_have_numbers_and_silence_has_none(void **state)
{
    (void)state;
    struct speech_fixture fixture;
    speech_open(&fixture, true, 1);
    assert_int_equal(fixture.lexicon.count, WORDS);
    assert_int_equal(pst_lexicon_find(&fixture.lexicon, "ab b", 2), WORD_AB);
    assert_int_equal(pst_lexicon_find(&fixture.lexicon, "ab", 1), WORD_A);
    assert_int_equal(pst_lexicon_find(&fixture.lexicon, "abc", 3), WORDS);
    assert_int_equal(pst_lexicon_find(&fixture.lexicon, "<sil>", 5), WORDS);
    assert_int_equal(fixture.lexicon.words[WORD_B].count, 2);
    speech_close(&fixture);
}

/* assert_refused: an utterance whose transcript is refused with these words. */
static void assert_refused(struct speech_fixture *fixture, const char *transcript, const char *words)
{
    struct pst_word_list list = { 0 };
    struct pst_utterance odd = { "odd", "x", "odd", transcript, false };
    fixture->corpus.utterances = &odd;
    assert_int_equal(pst_lexicon_transcript(&fixture->lexicon, 0, &list, &fixture->error), PST_BAD_DATA);
    assert_non_null(strstr(fixture->error.message, words));
    fixture->corpus.utterances = fixture_utterances;
    free(list.words);
}

static void a_word_without_pronunciation_is_named(void **state)
{
    (void)state;
    struct speech_fixture fixture;
    struct pst_word_list list = { 0 };
    speech_open(&fixture, true, 1);
    assert_refused(&fixture, "a xyz b", "utterance odd: the dictionary does not have the word 'xyz'");
    assert_refused(&fixture, "a AB", "has 'ab'; write both in the same case");
    assert_int_equal(pst_lexicon_transcript(&fixture.lexicon, 3, &list, &fixture.error), PST_OK);
    const uint32_t due[] = { WORD_A, WORD_AB, WORD_B, WORD_B, WORD_A };
    assert_int_equal(list.count, 5);
    assert_memory_equal(list.words, due, sizeof due);
    assert_int_equal(pst_lexicon_transcript(&fixture.lexicon, 2, &list, &fixture.error), PST_OK);
    assert_int_equal(list.count, 0);
    free(list.words);
    speech_close(&fixture);
}

/* ---- language models ----------------------------------------------------------------------------------- */

static double p_of(const struct pst_language_model *model, size_t before, size_t word)
{
    return exp((double)model->log_p[before * (model->words + 1) + word]);
}

static void assert_sums(const struct pst_language_model *model)
{
    for (size_t before = 0; before <= model->words; before++) {
        double sum = 0;
        for (size_t word = 0; word <= model->words; word++)
            sum += p_of(model, before, word);
        assert_float_equal(sum, 1, 1e-6);
    }
}

static void probabilities_behind_every_word_add_up_to_1(void **state)
{
    (void)state;
    static const bool choices[][4] = { { true, true, true, true },
                                       { true, true, true, false },
                                       { false, true, true, false } };
    struct speech_fixture fixture;
    speech_open(&fixture, true, 1);
    for (int order = PST_BIGRAM; order <= PST_ZEROGRAM; order++)
        for (size_t i = 0; i < 3; i++) {
            struct pst_language_model model;
            assert_int_equal(pst_language_model_estimate(&model, &fixture.lexicon, choices[i],
                                                         (enum pst_ngram)order, &fixture.error),
                             PST_OK);
            assert_sums(&model);
            assert_true(order != PST_ZEROGRAM || fabs(p_of(&model, 1, 2) - 0.25) < 1e-6);
            pst_language_model_free(&model);
        }
    speech_close(&fixture);
}

/* "a b a" and "b" have a 2, b 2, end 2: no word comes once and three come twice, so D1 = 0.5. The pairs
 * start-a, a-b, b-a, a-end, start-b, b-end come once, and none twice, so D2 = 0.5. */
static void a_bigram_is_what_was_worked_out_by_hand(void **state)
{
    (void)state;
    const bool chosen[4] = { true, true, true, false };
    struct speech_fixture fixture;
    struct pst_language_model model;
    speech_open(&fixture, true, 1);
    assert_int_equal(
        pst_language_model_estimate(&model, &fixture.lexicon, chosen, PST_BIGRAM, &fixture.error), PST_OK);
    assert_int_equal(model.from, 2);
    assert_float_equal(p_of(&model, WORD_A, WORD_B), 0.5 / 2, 1e-6);
    assert_float_equal(p_of(&model, WORDS, WORD_B), 0.5 / 2, 1e-6);
    /* After a, the remaining 1/2 is shared by a (1.5/6 + 1/16) and ab (1/16). */
    assert_float_equal(p_of(&model, WORD_A, WORD_A), 0.5 * 5 / 6, 1e-6);
    assert_float_equal(p_of(&model, WORD_A, WORD_AB), 0.5 / 6, 1e-6);
    /* After ab no word was seen. */
    assert_float_equal(p_of(&model, WORD_AB, WORD_A), 0.3125, 1e-6);
    pst_language_model_free(&model);
    speech_close(&fixture);
}

static void a_language_model_needs_a_transcript(void **state)
{
    (void)state;
    const bool chosen[4] = { false, false, true, false };
    struct speech_fixture fixture;
    struct pst_language_model model;
    speech_open(&fixture, true, 1);
    assert_int_equal(
        pst_language_model_estimate(&model, &fixture.lexicon, chosen, PST_UNIGRAM, &fixture.error),
        PST_BAD_DATA);
    assert_null(model.log_p);
    speech_close(&fixture);
}

/* read_arpa: what reading a text gives. */
static enum pst_status read_arpa(struct speech_fixture *fixture, const char *text,
                                 struct pst_language_model *model)
{
    char path[] = "/tmp/arpa.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    enum pst_status status = pst_language_model_read(model, &fixture->lexicon, path, &fixture->error);
    unlink(path);
    return status;
}

#define ARPA_HEAD "any text\n\\data\\\nngram 1=5\nngram  2= 2\n\n"
#define ARPA_SINGLE "\\1-grams:\n-1 <unk>\n-0.5 </s>\n-99 <s> -0.25\n-0.3\ta\t-0.125\n-2 other 0\n"
#define ARPA_PAIRS "\\2-grams:\n-0.75 a </s>\n-0.0625 <s> a\n\\end\\\nmore\n"

static void an_arpa_file_backs_off(void **state)
{
    (void)state;
    struct speech_fixture fixture;
    struct pst_language_model model;
    speech_open(&fixture, true, 1);
    assert_int_equal(read_arpa(&fixture, ARPA_HEAD ARPA_SINGLE ARPA_PAIRS, &model), PST_OK);
    assert_int_equal(model.unknown, 2);
    assert_float_equal(p_of(&model, WORD_A, WORDS), pow(10, -0.75), 1e-6);
    assert_float_equal(p_of(&model, WORDS, WORD_A), pow(10, -0.0625), 1e-6);
    assert_float_equal(p_of(&model, WORDS, WORD_B), pow(10, -1.25), 1e-6);
    assert_float_equal(p_of(&model, WORD_A, WORD_A), pow(10, -0.425), 1e-6);
    assert_float_equal(p_of(&model, WORD_AB, WORDS), pow(10, -0.5), 1e-6);
    pst_language_model_free(&model);
    speech_close(&fixture);
}

static void damaged_arpa_files_are_refused_by_line(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        { "", "it has no line \\data\\" },
        { ARPA_HEAD, "cut short" },
        { ARPA_HEAD ARPA_SINGLE, "cut short" },
        { ARPA_HEAD ARPA_PAIRS, "line 6: it is not \\1-grams:" },
        { ARPA_HEAD ARPA_SINGLE "\\end\\\n", "line 12: it is not \\2-grams:" },
        { ARPA_HEAD ARPA_SINGLE "-1 ab\n" ARPA_PAIRS, "5 1-grams, but it is 6" },
        { ARPA_HEAD ARPA_SINGLE "-1 a\n" ARPA_PAIRS, "line 12: the word 'a' came already" },
        { ARPA_HEAD ARPA_SINGLE "\\2-grams:\n-1 a\n", "line 13: it is not a logarithm and two words" },
        { ARPA_HEAD "\\1-grams:\nx a\n", "line 7: it is not a logarithm, a word" },
        { ARPA_HEAD "\\1-grams:\n0.5 a\n", "line 7: a probability is above 1" },
        { "\\data\\\nngram 3=1\n", "line 2: n-grams of more than two words" },
        { "\\data\\\nngrams\n", "line 2: it is not 'ngram ORDER=COUNT'" },
    };
    struct speech_fixture fixture;
    struct pst_language_model model;
    speech_open(&fixture, true, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(read_arpa(&fixture, bad[i][0], &model), PST_BAD_DATA);
        if (strstr(fixture.error.message, bad[i][1]) == NULL)
            fail_msg("%s: %s", bad[i][1], fixture.error.message);
        assert_null(model.log_p);
    }
    speech_close(&fixture);
}

/* ---- word errors --------------------------------------------------------------------------------------- */

/* The plain twin, which tries all ways: errors first, then deletions and insertions. */
static uint64_t cost_of(const uint32_t *a, size_t n, const uint32_t *b, size_t m)
{
    if (n == 0 || m == 0)
        return (n + m) * 1001;
    uint64_t both = cost_of(a + 1, n - 1, b + 1, m - 1) + (*a != *b ? 1000U : 0U);
    uint64_t deleted = cost_of(a + 1, n - 1, b, m) + 1001, inserted = cost_of(a, n, b + 1, m - 1) + 1001;
    uint64_t least = deleted < inserted ? deleted : inserted;
    return both < least ? both : least;
}

static void word_errors_are_those_of_the_plain_twin(void **state)
{
    (void)state;
    struct pst_random random;
    struct pst_buffer scratch = { 0 };
    struct pst_error error;
    pst_random_start(&random, 5, 1000, 0, 0);
    for (int round = 0; round < 300; round++) {
        uint32_t a[6], b[6];
        struct pst_word_errors errors = { 0 };
        struct pst_word_list reference = { .count = pst_random_below(&random, 7), .words = a };
        struct pst_word_list words = { .count = pst_random_below(&random, 7), .words = b };
        for (size_t i = 0; i < 6; i++) {
            a[i] = (uint32_t)pst_random_below(&random, 3);
            b[i] = (uint32_t)pst_random_below(&random, 3);
        }
        assert_int_equal(pst_word_errors_add(&errors, &reference, &words, &scratch, &error), PST_OK);
        uint64_t cost = cost_of(a, reference.count, b, words.count);
        assert_int_equal(errors.words, reference.count);
        assert_int_equal(errors.substitutions + errors.deletions + errors.insertions, cost / 1000);
        assert_int_equal(errors.deletions + errors.insertions, cost % 1000);
        assert_int_equal(errors.deletions + words.count, errors.insertions + reference.count);
    }
    pst_buffer_free(&scratch);
}

/* ---- bootstrap ----------------------------------------------------------------------------------------- */

static void an_interval_is_the_same_for_the_same_seed(void **state)
{
    (void)state;
    const uint64_t errors[] = { 1, 0, 2, 0, 1, 3 }, words[] = { 5, 6, 5, 4, 8, 7 };
    struct pst_interval first, again, other;
    struct pst_error error;
    assert_int_equal(pst_bootstrap(errors, NULL, words, 6, 999, 7, &first, &error), PST_OK);
    assert_int_equal(pst_bootstrap(errors, NULL, words, 6, 999, 7, &again, &error), PST_OK);
    assert_int_equal(pst_bootstrap(errors, NULL, words, 6, 999, 8, &other, &error), PST_OK);
    assert_memory_equal(&first, &again, sizeof first);
    assert_true(first.low != other.low || first.high != other.high);
    assert_true(first.low < 0.2 && 0.2 < first.high && first.low >= 0 && first.high <= 3.0 / 7);
}

static void differences_of_the_same_errors_are_0(void **state)
{
    (void)state;
    const uint64_t errors[] = { 1, 0, 2 }, more[] = { 2, 1, 3 }, words[] = { 5, 5, 5 }, none[] = { 0, 0, 0 };
    struct pst_interval interval;
    struct pst_error error;
    assert_int_equal(pst_bootstrap(errors, errors, words, 3, 100, 0, &interval, &error), PST_OK);
    assert_true(interval.low == 0 && interval.high == 0);
    /* One error more in each of the units: the paired difference does not vary. */
    assert_int_equal(pst_bootstrap(errors, more, words, 3, 100, 0, &interval, &error), PST_OK);
    assert_float_equal(interval.low, -0.2, 1e-12);
    assert_float_equal(interval.high, -0.2, 1e-12);
    assert_int_equal(pst_bootstrap(errors, NULL, none, 3, 100, 0, &interval, &error), PST_OK);
    assert_true(isnan(interval.low) && isnan(interval.high));
    assert_int_equal(pst_bootstrap(errors, NULL, words, 0, 100, 0, &interval, &error), PST_OK);
    assert_true(isnan(interval.low));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_have_numbers_and_silence_has_none),
        cmocka_unit_test(a_word_without_pronunciation_is_named),
        cmocka_unit_test(probabilities_behind_every_word_add_up_to_1),
        cmocka_unit_test(a_bigram_is_what_was_worked_out_by_hand),
        cmocka_unit_test(a_language_model_needs_a_transcript),
        cmocka_unit_test(an_arpa_file_backs_off),
        cmocka_unit_test(damaged_arpa_files_are_refused_by_line),
        cmocka_unit_test(word_errors_are_those_of_the_plain_twin),
        cmocka_unit_test(an_interval_is_the_same_for_the_same_seed),
        cmocka_unit_test(differences_of_the_same_errors_are_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
