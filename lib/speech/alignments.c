/* Which frame is in which state: reading and writing NIST's ctm. */
#include "lib/speech/own.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct pst_alignments *alignments;
    const struct pst_corpus *corpus;
    double shift;
    size_t utterance, room; /* the one whose lines are read; room: for its states */
};

/* The state with a name, "AA.0"; the number of states if there is none. */
static size_t find_state(const struct pst_corpus *corpus, char *name)
{
    uint64_t state;
    char *point = strrchr(name, '.');
    if (point == NULL || !pst_parse_u64(point + 1, 0, PST_PHONE_STATES - 1, &state))
        return pst_corpus_states(corpus);
    *point = '\0';
    size_t phone = pst_corpus_find_phone(corpus, name);
    *point = '.';
    return PST_PHONE_STATES * phone + (phone < corpus->phones ? (size_t)state : 0);
}

/* A time as frames. Returns false if it is none. */
static bool as_frames(const char *text, double shift, size_t *frames)
{
    double seconds;
    if (text == NULL || !pst_parse_double(text, 0, (double)PST_MAX_FRAMES * shift, &seconds))
        return false;
    double count = seconds / shift;
    *frames = (size_t)llround(count);
    return fabs(count - (double)*frames) < 0.1;
}

/* Goes on to an utterance, whose lines have to stand together. */
static enum pst_status go_to(struct reading *reading, const char *name, struct pst_error *error)
{
    size_t number = pst_corpus_find(reading->corpus, name);
    if (number == reading->corpus->count)
        return pst_fail(error, PST_BAD_DATA, "the corpus has no utterance '%.200s'", name);
    if (number != reading->utterance && reading->alignments->frames[number] > 0)
        return pst_fail(error, PST_BAD_DATA, "the lines of '%.200s' do not stand together", name);
    reading->room = number != reading->utterance ? 0 : reading->room;
    reading->utterance = number;
    return PST_OK;
}

/* Appends a run of frames. */
static enum pst_status append(struct reading *reading, size_t start, size_t count, size_t state,
                              struct pst_error *error)
{
    size_t *frames = &reading->alignments->frames[reading->utterance];
    uint16_t **states = &reading->alignments->states[reading->utterance];
    if (start != *frames)
        return pst_fail(error, PST_BAD_DATA,
                        "it begins in frame %zu, but the line before ends with frame %zu", start, *frames);
    if (count == 0 || count > PST_MAX_FRAMES - start)
        return pst_fail(error, PST_BAD_DATA, "a run has 1 frame or more, and an utterance at most %zu",
                        PST_MAX_FRAMES);
    if (start + count > reading->room) {
        size_t room = 2 * (start + count) + 64;
        uint16_t *grown = realloc(*states, room * sizeof *grown);
        if (grown == NULL)
            return pst_fail(error, PST_TRY_AGAIN, "out of memory for an alignment");
        *states = grown;
        reading->room = room;
    }
    for (size_t i = 0; i < count; i++)
        (*states)[start + i] = (uint16_t)state;
    *frames += count;
    return PST_OK;
}

static enum pst_status take_line(void *context, char *line, struct pst_error *error)
{
    struct reading *reading = context;
    char *rest, *name = strtok_r(line, " \t", &rest);
    if (name == NULL || strncmp(name, ";;", 2) == 0)
        return PST_OK;
    const char *channel = strtok_r(NULL, " \t", &rest), *start = strtok_r(NULL, " \t", &rest);
    const char *duration = strtok_r(NULL, " \t", &rest);
    char *state_name = strtok_r(NULL, " \t", &rest);
    size_t first, count;
    if (channel == NULL || state_name == NULL)
        return pst_fail(error, PST_BAD_DATA, "it is not UTTERANCE CHANNEL START DURATION STATE");
    if (!as_frames(start, reading->shift, &first) || !as_frames(duration, reading->shift, &count))
        return pst_fail(error, PST_BAD_DATA, "'%.40s' or '%.40s' is not a multiple of %g seconds", start,
                        duration, reading->shift);
    size_t state = find_state(reading->corpus, state_name);
    if (state >= pst_corpus_states(reading->corpus))
        return pst_fail(error, PST_BAD_DATA,
                        "'%.100s' is not a state: PHONE.0 to PHONE.%d, of the corpus's phones", state_name,
                        PST_PHONE_STATES - 1);
    enum pst_status status = go_to(reading, name, error);
    return status == PST_OK ? append(reading, first, count, state, error) : status;
}

enum pst_status pst_alignments_read(struct pst_alignments *alignments, const struct pst_corpus *corpus,
                                    const char *path, double shift, struct pst_error *error)
{
    *alignments = (struct pst_alignments){ .count = corpus->count };
    alignments->frames = pst_allocate(corpus->count, sizeof *alignments->frames, error);
    alignments->states = pst_allocate(corpus->count, sizeof *alignments->states, error);
    struct reading reading = {
        .alignments = alignments, .corpus = corpus, .shift = shift, .utterance = corpus->count
    };
    enum pst_status status =
        alignments->frames == NULL || alignments->states == NULL ? PST_TRY_AGAIN : PST_OK;
    if (status == PST_OK)
        status = pst_file_lines(path, take_line, &reading, error);
    if (status != PST_OK)
        pst_alignments_free(alignments);
    return status;
}

void pst_alignment_write(FILE *file, const struct pst_corpus *corpus, size_t utterance,
                         const uint16_t *states, size_t frames, double shift)
{
    for (size_t from = 0, to; from < frames; from = to) {
        char name[256], times[64];
        for (to = from + 1; to < frames && states[to] == states[from];)
            to++;
        pst_corpus_state_name(corpus, states[from], name, sizeof name);
        pst_print_plain(times, sizeof times, "%.10g %.10g", (double)from * shift,
                        (double)(to - from) * shift);
        fprintf(file, "%s 1 %s %s\n", corpus->utterances[utterance].name, times, name);
    }
}

void pst_alignments_free(struct pst_alignments *alignments)
{
    for (size_t i = 0; i < alignments->count && alignments->states != NULL; i++)
        free(alignments->states[i]);
    free((void *)alignments->states);
    free(alignments->frames);
    *alignments = (struct pst_alignments){ 0 };
}
