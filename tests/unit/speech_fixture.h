/* speech_fixture.h: a corpus made by hand, of two phones and silence, and random scores for it. */
#ifndef PIPESTILL_TESTS_SPEECH_FIXTURE_H
#define PIPESTILL_TESTS_SPEECH_FIXTURE_H

#include "pipestill/speech.h"

enum { PHONE_A, PHONE_B, PHONE_SILENCE, PHONES };

#define STATES ((size_t)PHONES * PST_PHONE_STATES)

/* "a" is one phone, "ab" two, "b" may be said in two ways, and <sil> is not a word. */
enum { WORD_A, WORD_AB, WORD_B, WORDS };

struct speech_fixture {
    struct pst_corpus corpus;
    struct pst_lexicon lexicon;
    struct pst_error error;
    struct pst_random random;
};

static const uint16_t fixture_a[] = { PHONE_A }, fixture_ab[] = { PHONE_A, PHONE_B },
                      fixture_b[] = { PHONE_B }, fixture_silence[] = { PHONE_SILENCE };
static struct pst_pronunciation fixture_dictionary[] = {
    { "<sil>", 1, fixture_silence }, { "a", 1, fixture_a },  { "ab", 2, fixture_ab },
    { "b", 1, fixture_b },           { "b", 2, fixture_ab },
};
static struct pst_utterance fixture_utterances[] = {
    { "one", "x", "one", "a b a", false },
    { "two", "x", "two", "b", false },
    { "three", "y", "three", NULL, false },
    { "four", "y", "four", "a ab b b a", true },
};

static void speech_open(struct speech_fixture *fixture, bool silence, uint64_t seed)
{
    *fixture = (struct speech_fixture){
        .corpus = { .folder = "made",
                    .count = sizeof fixture_utterances / sizeof *fixture_utterances,
                    .utterances = fixture_utterances,
                    .phones = PHONES,
                    .silence = silence ? PHONE_SILENCE : PHONES,
                    .pronunciations = sizeof fixture_dictionary / sizeof *fixture_dictionary - !silence,
                    .dictionary = fixture_dictionary + !silence },
    };
    assert_int_equal(pst_lexicon_open(&fixture->lexicon, &fixture->corpus, &fixture->error), PST_OK);
    pst_random_start(&fixture->random, seed, 1000, 0, 0);
}

static void speech_close(struct speech_fixture *fixture)
{
    pst_lexicon_close(&fixture->lexicon);
}

/* Scores between -3 and 0. */
static inline void speech_scores(struct speech_fixture *fixture, float *scores, size_t count)
{
    for (size_t i = 0; i < count; i++)
        scores[i] = (float)(-3 * pst_random_uniform(&fixture->random));
}

#endif
