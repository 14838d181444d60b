/* The state of a training as texts, for checkpoints: a row of the table for each number. */
#include "stages/student-trainer/trainer.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

enum kind { COUNT, SIZE, FLAG, REAL };

#define TERM(k)                                                \
    {                                                          \
        "term" #k, REAL, offsetof(struct state, sums.terms[k]) \
    }

static const struct field {
    const char *name;
    enum kind kind;
    size_t at; /* in struct state */
} fields[] = {
    { "next_seq", COUNT, offsetof(struct state, next_seq) },
    { "epoch", COUNT, offsetof(struct state, epoch) },
    { "epoch_open", FLAG, offsetof(struct state, epoch_open) },
    { "samples", COUNT, offsetof(struct state, samples) },
    { "errors", SIZE, offsetof(struct state, sums.errors) },
    { "best_epoch", COUNT, offsetof(struct state, best_epoch) },
    { "epochs_since_best", COUNT, offsetof(struct state, epochs_since_best) },
    { "has_best", FLAG, offsetof(struct state, has_best) },
    { "stopped", FLAG, offsetof(struct state, stopped) },
    { "total", REAL, offsetof(struct state, sums.total) },
    { "weight", REAL, offsetof(struct state, sums.weight) },
    { "best_value", REAL, offsetof(struct state, best_value) },
    { "first_loss", REAL, offsetof(struct state, first_loss) },
    TERM(0),
    TERM(1),
    TERM(2),
    TERM(3),
    TERM(4),
    TERM(5),
    TERM(6),
    TERM(7),
};

_Static_assert(PST_MAX_TERMS == 8, "a row for the sum of each term");

/* Real numbers are written in hexadecimal, so that no bit is lost. */
static void print_field(const struct state *state, const struct field *field, char *text, size_t size)
{
    const void *at = (const char *)state + field->at;
    switch (field->kind) {
    case COUNT:
        snprintf(text, size, "%" PRIu64, *(const uint64_t *)at);
        break;
    case SIZE:
        snprintf(text, size, "%zu", *(const size_t *)at);
        break;
    case FLAG:
        snprintf(text, size, "%d", *(const bool *)at);
        break;
    case REAL:
        pst_print_plain(text, size, "%a", *(const double *)at);
        break;
    }
}

static bool parse_field(struct state *state, const struct field *field, const char *text)
{
    void *at = (char *)state + field->at;
    uint64_t number = 0;
    if (field->kind == REAL)
        return pst_parse_real(text, at);
    if (!pst_parse_u64(text, 0, field->kind == FLAG ? 1 : UINT64_MAX, &number))
        return false;
    if (field->kind == FLAG)
        *(bool *)at = number != 0;
    else if (field->kind == SIZE)
        *(size_t *)at = (size_t)number;
    else
        *(uint64_t *)at = number;
    return true;
}

bool state_to_json(const struct state *state, json_t *object)
{
    bool good = true;
    for (size_t i = 0; i < sizeof fields / sizeof *fields && good; i++) {
        char text[40];
        print_field(state, &fields[i], text, sizeof text);
        good = json_object_set_new(object, fields[i].name, json_string(text)) == 0;
    }
    return good;
}

enum pst_status state_from_json(struct state *state, const json_t *object, const char *path,
                                struct pst_error *error)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const char *text = json_string_value(json_object_get(object, fields[i].name));
        if (text == NULL)
            return pst_fail(error, PST_BAD_DATA, "%s: the checkpoint lacks '%s'", path, fields[i].name);
        if (!parse_field(state, &fields[i], text))
            return pst_fail(error, PST_BAD_DATA, "%s: the checkpoint's '%s' is '%.40s'", path, fields[i].name,
                            text);
    }
    return PST_OK;
}
